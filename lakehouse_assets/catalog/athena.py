"""Athena over the tables in Glue: a workgroup with a limit, views and named queries from files, one look at each table.

A table is looked at once after each registration, by a query of one row of one partition. `catalog.athena.json` keeps
what was done, so that nothing is done twice. Not here: the calls, and the SQL files.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from lakehouse_assets.catalog import query_costs
from lakehouse_assets.catalog.athena_calls import AthenaCalls, QueryFailedError, Ran
from lakehouse_assets.catalog.athena_sql import Statement, in_glue, statements, tables_in
from lakehouse_assets.catalog.glue import registered
from lakehouse_assets.catalog.state import CatalogState, Problem, Refreshed, keep, kept
from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import ContractError, Table
from lakehouse_assets.contracts.partitioning import WHOLE, as_date
from lakehouse_assets.pipeline.inputs import fingerprint
from lakehouse_assets.storage.stores import StorageError

_STATE = "catalog.athena.json"
_ENGINE = "Athena engine version 3"
_QUOTED = re.compile(r"""(['"]).*?\1""")


@dataclass(frozen=True)
class AthenaCatalog:
    """The catalog `catalog/athena`: what Athena has over the tables in Glue."""

    workgroup: str
    group = "catalog"
    name = "athena"
    description = "Workgroup, views and named queries of Athena, and one query of each table after its registration."
    is_shared = True
    follows = ("glue",)

    def tables(self, lake: Lake) -> list[Table]:  # noqa: ARG002 - Glue shows them
        return []

    def state(self, lake: Lake) -> CatalogState:
        there = {".".join(name): shape for name, shape in registered(lake).items()}
        files = [[one.name, one.description, one.sql] for one in (*_views(lake), *_queries(lake))]
        said = [self.workgroup, lake.settings.athena_scan_bytes, there, files]
        return CatalogState({WHOLE: fingerprint(said)} if there else {}, kept(lake.store, _STATE).get("built", {}))

    def refresh(self, lake: Lake) -> Refreshed:
        now, calls, work = self.state(lake), calls_of(lake), _Work(lake, kept(lake.store, _STATE))
        self._ensure(lake, calls)
        work.make_views(calls)
        work.look_at_tables(calls)
        named = work.name_queries(calls)
        keep(lake.store, _STATE, built=now.inputs, done=work.done, failed=work.failed)
        lists = {"views": work.made, "looked at": work.looked, "named queries": named, "failed": list(work.told())}
        counts = {"queries": len(work.ran), "bytes scanned": sum(ran.scanned for ran in work.ran)}
        usd = sum(ran.usd(lake.settings.athena_usd_per_tb) for ran in work.ran)
        shown = {title: lines for title, lines in lists.items() if lines} | {"cost": [f"{usd:.6f} USD"]}
        return Refreshed(f"athena://{calls.region or 'default'}/{self.workgroup}", shown, counts)

    def problems(self, lake: Lake) -> Iterator[Problem]:
        found = calls_of(lake).configuration()
        if found is None:
            if not self.state(lake).pending:
                yield Problem(
                    "", f"there is no workgroup {self.workgroup}, and there was; `lakehouse run catalog.athena`"
                )
        elif fault := _fault(found):
            yield Problem("", f"the workgroup {self.workgroup} {fault}")
        for name, reason in kept(lake.store, _STATE).get("failed", {}).items():
            yield Problem(name, f"Athena: {reason}; mend that, then `lakehouse run catalog.athena`")

    def remove_undeclared(self, lake: Lake) -> Iterator[str]:  # noqa: ARG002 - files say nothing of what was before
        yield from ()

    def _ensure(self, lake: Lake, calls: AthenaCalls) -> None:
        """Create the workgroup, or see that one of this name has a limit. Raises `StorageError` where it has none."""
        found = calls.configuration()
        if found is None:
            calls.create_workgroup(_configuration(lake), f"Queries of the lake at {lake.settings.root}.")
        elif fault := _fault(found):
            msg = f"The workgroup {self.workgroup} {fault}. No query was run; change it, or name another workgroup."
            raise StorageError(msg)


@dataclass
class _Work:
    """What a refresh does with queries: each view and each table once for what it is now.

    Attributes:
        done: What was done before and now, by the name of the view or table, as fingerprints.
        failed: Why not.
    """

    lake: Lake
    before: dict[str, Any]
    done: dict[str, int] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)
    looked: list[str] = field(default_factory=list)
    ran: list[Ran] = field(default_factory=list)

    @property
    def prefix(self) -> str:
        """What the names of databases begin with."""
        return self.lake.settings.glue_prefix

    @cached_property
    def there(self) -> dict[str, int]:
        """The tables that are in Glue by their names in the lake, with what Glue says of each as a fingerprint."""
        found = registered(self.lake).items()
        return {f"{db.removeprefix(f'{self.prefix}_')}.{table}": shape for (db, table), shape in found}

    def make_views(self, calls: AthenaCalls) -> None:
        """Create each view whose tables are in Glue."""
        for view in self._usable("view", _views(self.lake)):
            layer, _, name = view.name.partition(".")
            sql = f'CREATE OR REPLACE VIEW "{self.prefix}_{layer}"."{name}" AS\n{in_glue(view.sql, self.prefix)}'
            identity = fingerprint([sql, sorted(self.there[table] for table in tables_in(view.sql))])
            if self._do(calls, f"view {view.name}", sql, identity):
                self.made.append(f"`{view.name}`: {view.description}")

    def look_at_tables(self, calls: AthenaCalls) -> None:
        """Read one row of each table that was registered since the last look."""
        for name, shape in self.there.items():
            layer, _, table = name.partition(".")
            sql = f'SELECT * FROM "{self.prefix}_{layer}"."{table}"{self._one_partition(name)} LIMIT 1'  # noqa: S608
            if self._do(calls, name, sql, shape):
                self.looked.append(f"`{name}`")
            elif name in self.failed:
                # Of a table, the reason may quote a value of a record.
                self.failed[name] = _QUOTED.sub("'...'", self.failed[name])

    def name_queries(self, calls: AthenaCalls) -> list[str]:
        """Have the workgroup hold each query whose tables are in Glue, and return those that were written."""
        mark = f"(lake {self.lake.settings.root})"
        known = {one["Name"]: one for one in calls.named_queries() if one.get("Description", "").endswith(mark)}
        written = []
        for one in self._usable("query", _queries(self.lake)):
            description, sql = f"{one.description} {mark}", in_glue(one.sql, self.prefix)
            found = known.get(one.name)
            if found is None:
                calls.create_named_query(one.name, description, f"{self.prefix}_gold", sql)
            elif (found["QueryString"], found["Description"]) != (sql, description):
                calls.update_named_query(found["NamedQueryId"], one.name, description, sql)
            else:
                continue
            written.append(f"`{one.name}`: {one.description}")
        return written

    def _usable(self, kind: str, files: Iterable[Statement]) -> Iterator[Statement]:
        """Yield the statements whose tables are all in Glue; note those that are not Athena's SQL."""
        for one in files:
            try:
                if tables_in(one.sql) <= self.there.keys():
                    yield one
            except ContractError as error:
                self.failed[f"{kind} {one.name}"] = str(error)

    def told(self) -> Iterable[str]:
        """Yield what failed, for people."""
        return (f"`{name}`: {reason}" for name, reason in self.failed.items())

    def _do(self, calls: AthenaCalls, name: str, sql: str, identity: int) -> bool:
        if self.before.get("done", {}).get(name) == identity:
            self.done[name] = identity
            return False
        try:
            ran = calls.run(sql)
        except QueryFailedError as error:
            self.failed[name] = str(error)
            return False
        self.done[name] = identity
        self.ran.append(ran)
        query_costs.record(self.lake, "athena", ran.id, ran.scanned, ran.usd(self.lake.settings.athena_usd_per_tb))
        return True

    def _one_partition(self, name: str) -> str:
        """Return the condition of one partition of a bronze table, where Athena would list the folder of each one."""
        layer, _, table = name.partition(".")
        feed = self.lake.registry.feeds.get(table)
        if layer != "bronze" or feed is None or not feed.raw_layout.columns:
            return ""
        if feed.keyed is not None:
            return " WHERE bucket = '00'"
        newest = max((p for p in self.lake.ledger_of(feed).partitions if as_date(p)), default=str(feed.start_date))
        return f" WHERE dt = '{newest}'"


def calls_of(lake: Lake) -> AthenaCalls:
    """Return Athena in the workgroup of the settings. Does no I/O."""
    return AthenaCalls(lake.store.options.get("AWS_REGION"), lake.settings.athena_workgroup)


def _configuration(lake: Lake) -> dict[str, Any]:
    place = f"{lake.settings.root}/athena-results/"
    return {
        "ResultConfiguration": {"OutputLocation": place, "EncryptionConfiguration": {"EncryptionOption": "SSE_S3"}},
        "EnforceWorkGroupConfiguration": True,
        "PublishCloudWatchMetricsEnabled": True,
        "BytesScannedCutoffPerQuery": lake.settings.athena_scan_bytes,
        "EngineVersion": {"SelectedEngineVersion": _ENGINE},
    }


def _fault(found: dict[str, Any]) -> str | None:
    """Return what a workgroup lacks that queries of the lake may run in it."""
    results = found.get("ResultConfiguration", {})
    if not found.get("BytesScannedCutoffPerQuery"):
        return "has no limit of bytes that a query may scan"
    if not results.get("OutputLocation"):
        return "has no place for results"
    if not results.get("EncryptionConfiguration"):
        return "does not encrypt results"
    if not found.get("EnforceWorkGroupConfiguration"):
        return "lets a query choose other settings than its own"
    return None


def _views(lake: Lake) -> list[Statement]:
    return statements(Path(lake.settings.athena_sql) / "views")


def _queries(lake: Lake) -> list[Statement]:
    return statements(Path(lake.settings.athena_sql) / "queries")
