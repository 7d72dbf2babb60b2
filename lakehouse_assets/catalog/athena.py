"""Athena over the tables in Glue: a workgroup with a limit, views and named queries from files, one look at each table.

A table is looked at once after each registration, by a query of one row of one partition. `catalog.athena.json` keeps
what was done, so that nothing is done twice. Not here: the calls, and the SQL files.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lakehouse_assets.catalog import query_costs
from lakehouse_assets.catalog.athena_calls import AthenaCalls, QueryFailedError, Ran
from lakehouse_assets.catalog.athena_sql import Statement, in_glue, statements, tables_in
from lakehouse_assets.catalog.glue import registered
from lakehouse_assets.catalog.state import CatalogState, Problem, Refreshed
from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Table
from lakehouse_assets.contracts.partitioning import WHOLE, as_date
from lakehouse_assets.pipeline.inputs import fingerprint
from lakehouse_assets.storage.stores import StorageError

_STATE = "catalog.athena.json"
_ENGINE = "Athena engine version 3"


@dataclass(frozen=True)
class AthenaCatalog:
    """The catalog `catalog/athena`: what Athena has over the tables in Glue."""

    workgroup: str
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
        return CatalogState({WHOLE: fingerprint(said)} if there else {}, _kept(lake).get("built", {}))

    def refresh(self, lake: Lake) -> Refreshed:
        now, calls, work = self.state(lake), calls_of(lake), _Work(lake, _kept(lake))
        self._ensure(lake, calls)
        work.make_views(calls)
        work.look_at_tables(calls)
        made = _name_queries(lake, calls)
        kept = {"built": now.inputs, "done": work.done, "failed": work.failed}
        lake.store.replace(_STATE, json.dumps(kept).encode())
        lists = {"views": work.made, "looked at": work.looked, "named queries": made, "failed": list(work.told())}
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
        for name, reason in _kept(lake).get("failed", {}).items():
            yield Problem(name, f"Athena {reason}; mend that, then `lakehouse run catalog.athena`")

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
    kept: dict[str, Any]
    done: dict[str, int] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)
    looked: list[str] = field(default_factory=list)
    ran: list[Ran] = field(default_factory=list)

    def make_views(self, calls: AthenaCalls) -> None:
        """Create each view whose tables are in Glue."""
        prefix = self.lake.settings.glue_prefix
        there = {_in_lake(prefix, name): shape for name, shape in registered(self.lake).items()}
        for view in _views(self.lake):
            read = tables_in(view.sql)
            if read <= there.keys():
                layer, _, name = view.name.partition(".")
                sql = f'CREATE OR REPLACE VIEW "{prefix}_{layer}"."{name}" AS\n{in_glue(view.sql, prefix)}'
                identity = fingerprint([sql, sorted(there[table] for table in read)])
                if self._do(calls, f"view {view.name}", sql, identity):
                    self.made.append(f"`{view.name}`: {view.description}")

    def look_at_tables(self, calls: AthenaCalls) -> None:
        """Read one row of each table that was registered since the last look."""
        for (database, table), shape in registered(self.lake).items():
            name = _in_lake(self.lake.settings.glue_prefix, (database, table))
            sql = f'SELECT * FROM "{database}"."{table}"{self._one_partition(name)} LIMIT 1'  # noqa: S608 - own names
            if self._do(calls, name, sql, shape):
                self.looked.append(f"`{name}`")

    def told(self) -> Iterable[str]:
        """Yield what failed, for people."""
        return (f"`{name}`: {reason}" for name, reason in self.failed.items())

    def _do(self, calls: AthenaCalls, name: str, sql: str, identity: int) -> bool:
        if self.kept.get("done", {}).get(name) == identity:
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


def _name_queries(lake: Lake, calls: AthenaCalls) -> list[str]:
    """Have the workgroup hold each query of the files, and return those that were written."""
    mark, prefix = f"(lake {lake.settings.root})", lake.settings.glue_prefix
    there = {one["Name"]: one for one in calls.named_queries() if one.get("Description", "").endswith(mark)}
    written = []
    for one in _queries(lake):
        description, sql, found = f"{one.description} {mark}", in_glue(one.sql, prefix), there.get(one.name)
        if found is None:
            calls.create_named_query(one.name, description, f"{prefix}_gold", sql)
        elif (found["QueryString"], found["Description"]) != (sql, description):
            calls.update_named_query(found["NamedQueryId"], one.name, description, sql)
        else:
            continue
        written.append(f"`{one.name}`: {one.description}")
    return written


def _views(lake: Lake) -> list[Statement]:
    return statements(Path(lake.settings.athena_sql) / "views")


def _queries(lake: Lake) -> list[Statement]:
    return statements(Path(lake.settings.athena_sql) / "queries")


def _in_lake(prefix: str, name: tuple[str, str]) -> str:
    return f"{name[0].removeprefix(f'{prefix}_')}.{name[1]}"


def _kept(lake: Lake) -> dict[str, Any]:
    """Return what the last refresh kept; nothing where it is damaged: then everything is done anew."""
    try:
        kept: dict[str, Any] = json.loads(lake.store.read(_STATE)) if lake.store.stat(_STATE) else {}
    except ValueError:
        return {}
    return kept
