"""Gold tables in a DynamoDB table: an item for each row, brought up to date by the dates that changed.

Only the table with the mark of this lake is written. Not here: the work on one gold table, the calls, what an item
holds, and answers.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from lakehouse_assets import aws
from lakehouse_assets.catalog.state import CatalogState, Problem, Refreshed, kept
from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import ContractError, Table
from lakehouse_assets.contracts.partitioning import WHOLE
from lakehouse_assets.contracts.wording import counted
from lakehouse_assets.pipeline.inputs import fingerprint
from lakehouse_assets.pipeline.reading import read
from lakehouse_assets.serving import items
from lakehouse_assets.serving.attributes import attribute
from lakehouse_assets.serving.dynamodb_calls import DynamoDbCalls
from lakehouse_assets.serving.dynamodb_refresh import STATE, Work, keys_of
from lakehouse_assets.serving.items import Item
from lakehouse_assets.serving.rows import refused, served
from lakehouse_assets.storage.stores import StorageError


@dataclass(frozen=True)
class DynamoDbServing:
    """The asset `serving/dynamodb`: the rows of every gold table that is declared as served."""

    table: str
    group = "serving"
    name = "dynamodb"
    description = "Rows of the served gold tables in a DynamoDB table, for programs that ask for some of them by key."
    is_shared = True
    follows = ()

    def tables(self, lake: Lake) -> list[Table]:
        return [found.model.table for found in served(lake)]

    def state(self, lake: Lake) -> CatalogState:
        now = _wanted(lake)
        inputs = {WHOLE: fingerprint([self.table, now])} if any(now.values()) else {}
        return CatalogState(inputs, kept(lake.store, STATE).get("built", {}))

    def refresh(self, lake: Lake) -> Refreshed:
        now, wanted, before = self.state(lake), _wanted(lake), kept(lake.store, STATE)
        calls = DynamoDbCalls(self.table)
        work = Work(lake, calls, self._prepared(lake, calls, list(wanted)))
        known = before.get("dates", {}) if before.get("mark") == work.mark else {}
        # Asked for although nothing changed: somebody wants to know that every item is as it should be.
        work.dates = {path: dict(known.get(path, {})) for path in wanted} if now.pending else {p: {} for p in wanted}
        for table in served(lake):
            work.bring(table, wanted[table.path], is_complete=bool(now.pending and known and before.get("built")))
        work.keep(now.inputs)
        uri = f"dynamodb://{aws.region() or 'default'}/{self.table}"
        told = {title: lines for title, lines in (("compared", work.told), ("refused", _refused(lake))) if lines}
        return Refreshed(uri, told, {"written": work.written, "removed": work.removed})

    def problems(self, lake: Lake) -> Iterator[Problem]:
        yield from (Problem(name, why) for name, why in refused(lake))
        known, calls = kept(lake.store, STATE), DynamoDbCalls(self.table)
        found = calls.description()
        if found is None:
            if known:
                what = f"there is no table {self.table}, and there was; `lakehouse run serving.dynamodb` makes it anew"
                yield Problem("", what)
            return
        if why := items.fault(found):
            yield Problem("", f"the table {self.table} cannot serve rows: {why}; name another one")
            return
        mark = calls.item(items.MARK)
        if mark is not None and mark["root"]["S"] != lake.settings.root:
            yield Problem("", _foreign(self.table, mark))
        elif known and (mark is None or mark["id"]["S"] != known.get("mark")):
            yield Problem("", f"{self.table} was made anew by others; `lakehouse run serving.dynamodb` fills it")
        elif not self.state(lake).pending:
            yield from _differences(lake, calls)
        for path in _undeclared(lake, mark):
            what = "no module declares it as served any more; `lakehouse catalog --remove` takes its items out"
            yield Problem(path, what, is_error=False)

    def remove_undeclared(self, lake: Lake) -> Iterator[str]:
        if lake.registry.broken:
            msg = f"Nothing was removed from DynamoDB: what is declared is not known. {lake.registry.broken[0]}"
            raise ContractError(msg)
        calls = DynamoDbCalls(self.table)
        mark = calls.item(items.MARK) if calls.description() is not None else None
        if mark is None or mark["root"]["S"] != lake.settings.root:
            return
        for path in _undeclared(lake, mark):
            for key in keys_of(calls, path):
                dates = calls.query(**items.of_series(f"{path}/{key}"))
                calls.write([], [items.row_key(path, key, items.identity(item)[1]) for item in dates])
                calls.write([], [items.key_key(path, key)])
            yield path
        declared = [table.path for table in served(lake)]
        calls.put_if_same(_mark(lake, mark["id"]["S"], declared), "root")

    def _prepared(self, lake: Lake, calls: DynamoDbCalls, paths: list[str]) -> str:
        """Have the table there, as one of this lake that serves some paths, and return its mark."""
        found = calls.description()
        if found is None:
            calls.create(**items.DESCRIBED)
        elif why := items.fault(found):
            msg = (
                f"The DynamoDB table {self.table} cannot serve rows: {why}. Nothing was written to it; "
                "name another one in LAKEHOUSE_SERVING_TABLE, which is made if there is none."
            )
            raise StorageError(msg)
        mark = calls.item(items.MARK) or _mark(lake, uuid.uuid4().hex, [])
        known = [path["S"] for path in mark["paths"]["L"]]
        if mark["root"]["S"] != lake.settings.root:
            msg = f"{_foreign(self.table, mark)}. Nothing was written."
            raise StorageError(msg)
        if not known or set(paths) - set(known):
            mark = _mark(lake, mark["id"]["S"], sorted({*paths, *known}))
            if not calls.put_if_same(mark, "root"):
                msg = f"{self.table} just became a table of another lake; name another one. Nothing was written."
                raise StorageError(msg)
        return str(mark["id"]["S"])


def _wanted(lake: Lake) -> dict[str, dict[str, int]]:
    """Return what the items have to be made from: fingerprints by path and date."""
    return {table.path: table.fingerprints(lake) for table in served(lake)}


def _differences(lake: Lake, calls: DynamoDbCalls) -> Iterator[Problem]:
    """Yield whether the items of the newest date of each table are others than its rows. Older ones cost too much."""
    for table in served(lake):
        newest = max(table.fingerprints(lake), default=None)
        if newest is None:
            continue
        rows = table.rows(read(lake, table.model.table, [newest]).collect())
        wanted = {items.identity(item): item for item in (items.row_item(table, row) for row in rows)}
        keys = {*keys_of(calls, table.path), *(row.key.text for row in rows)}
        found = {items.identity(i): i for i in calls.items(items.row_key(table.path, key, newest) for key in keys)}
        same = sum(at in found and items.is_same(item, found[at]) for at, item in wanted.items())
        if odd := len(wanted.keys() | found.keys()) - same:
            what = f"{counted(odd, 'item')} of {newest} unlike its rows"
            what += "; `lakehouse run serving.dynamodb` compares all dates"
            yield Problem(table.model.table.full_name, what)


def _undeclared(lake: Lake, mark: Item | None) -> list[str]:
    """Return what is served from the table, and declared by no module; nothing while it is not known what is."""
    if mark is None or lake.registry.broken or mark["root"]["S"] != lake.settings.root:
        return []
    return sorted({path["S"] for path in mark["paths"]["L"]} - {table.path for table in served(lake)})


def _mark(lake: Lake, identity: str, paths: list[str]) -> Item:
    return {**items.MARK, "id": {"S": identity}, "paths": attribute(paths), "root": {"S": lake.settings.root}}


def _foreign(table: str, mark: Item) -> str:
    return f"{table} serves the lake at {mark['root']['S']}; name another table in LAKEHOUSE_SERVING_TABLE"


def _refused(lake: Lake) -> list[str]:
    return [f"`{name}`: {why}" for name, why in refused(lake)]
