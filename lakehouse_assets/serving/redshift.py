"""Gold tables in Redshift Serverless, loaded by the dates that changed, each batch of them in one transaction.

`serving.redshift.json` keeps what was loaded. Not here: the SQL, and the calls.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl

from lakehouse_assets.catalog.state import CatalogState, Problem, Refreshed, keep, kept
from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Model, Table
from lakehouse_assets.contracts.partitioning import WHOLE, as_date
from lakehouse_assets.contracts.wording import counted
from lakehouse_assets.pipeline.batches import batches
from lakehouse_assets.pipeline.inputs import fingerprint
from lakehouse_assets.pipeline.reading import read
from lakehouse_assets.serving.redshift_calls import RedshiftCalls
from lakehouse_assets.serving.redshift_sql import file_of, target
from lakehouse_assets.storage import delta

_STATE = "serving.redshift.json"
_FOLDER = "redshift"


@dataclass(frozen=True)
class RedshiftServing:
    """The asset `serving/redshift`: every gold table, as a table of the same name in one schema."""

    workgroup: str
    group = "serving"
    name = "redshift"
    description = "Every gold table as a table of Redshift Serverless, for dashboards and tools that speak its SQL."
    is_shared = False
    follows = ()

    def tables(self, lake: Lake) -> list[Table]:
        return [model.table for model in lake.registry.models.values()]

    def state(self, lake: Lake) -> CatalogState:
        wanted = {model.name: _wanted(lake, model) for model in lake.registry.models.values()}
        place = [self.workgroup, lake.settings.redshift_database, lake.settings.redshift_schema]
        inputs = {WHOLE: fingerprint([place, wanted])} if any(wanted.values()) else {}
        return CatalogState(inputs, kept(lake.store, _STATE).get("built", {}))

    def refresh(self, lake: Lake) -> Refreshed:
        now, before = self.state(lake), kept(lake.store, _STATE)
        place = [self.workgroup, lake.settings.redshift_database, lake.settings.redshift_schema]
        # Asked for although nothing changed: somebody wants every table to be loaded anew.
        known: dict[str, Any] = before.get("tables", {}) if now.pending and before.get("place") == place else {}
        calls = RedshiftCalls(
            lake.store.options.get("AWS_REGION"),
            self.workgroup,
            lake.settings.redshift_database,
            lake.settings.redshift_wait_s,
        )
        told, dates, rows = [], 0, 0
        if number := before.get("running"):
            calls.end(number)

        def begun(number: str) -> None:
            keep(lake.store, _STATE, built={}, place=place, tables=known, running=number)

        for model in lake.registry.models.values():
            loaded = known.get(model.name, {})
            for partitions, count in _load(lake, calls, model, loaded, begun):
                known[model.name] = loaded
                dates, rows = dates + partitions, rows + count
                told.append(f"`{model.table.full_name}`: {counted(partitions, 'partition')}, {counted(count, 'row')}")
        keep(lake.store, _STATE, built=now.inputs, place=place, tables=known)
        uri = f"redshift://{self.workgroup}/{lake.settings.redshift_database}/{lake.settings.redshift_schema}"
        return Refreshed(uri, {"loaded": told} if told else {}, {"partitions": dates, "rows": rows})

    def problems(self, lake: Lake) -> Iterator[Problem]:  # noqa: ARG002 - each transaction says whether it holds
        yield from ()

    def remove_undeclared(self, lake: Lake) -> Iterator[str]:  # noqa: ARG002 - others may read what was loaded
        yield from ()


def _wanted(lake: Lake, model: Model) -> dict[str, int]:
    """Return what a table has to be loaded from: the fingerprint of each partition."""
    built = delta.fingerprints(lake.store, model.table.path)
    return {part: value for part, value in built.items() if part == WHOLE or as_date(part) is not None}


def _load(
    lake: Lake, calls: RedshiftCalls, model: Model, loaded: dict[str, Any], begun: Callable[[str], None]
) -> Iterator[tuple[int, int]]:
    """Load what changed of a table, and yield partitions and rows after each transaction.

    Args:
        loaded: What was loaded before, which is brought up to date: `types`, and `partitions` with fingerprints.
        begun: Called with the number of each transaction.
    """
    wanted = _wanted(lake, model)
    if not wanted:
        return
    found = read(lake, model.table).select(list(model.schema.columns()))
    into = target(lake.settings.redshift_schema, model.name, dict(found.collect_schema()))
    anew = loaded.get("types") != dict(into.types)
    known = {} if anew else loaded.get("partitions", {})
    pending = sorted(part for part, value in wanted.items() if known.get(part) != value)
    for batch in batches(pending, _rows(lake, model, pending), lake.settings.publish_batch_rows):
        frame = read(lake, model.table, batch).select(list(model.schema.columns())).collect()
        dates = (model.date, batch) if model.date else None
        data = file_of(frame)
        path = f"{_FOLDER}/{model.name}-{hashlib.sha256(data).hexdigest()[:16]}.csv.gz"
        lake.store.replace(path, data)
        try:
            statements = into.statements(lake.store.uri(path), lake.settings.redshift_role, dates, anew=anew)
            calls.run(statements, f"loading {into.full_name}", begun)
        finally:
            lake.store.delete(path)
        anew = False
        known |= {part: wanted[part] for part in batch}
        loaded |= {"types": dict(into.types), "partitions": known}
        yield len(batch), frame.height


def _rows(lake: Lake, model: Model, partitions: list[str]) -> dict[str, int]:
    if model.date is None:
        return {}
    date = pl.col(model.date).cast(pl.String)
    return dict(read(lake, model.table, partitions).group_by(date).len().collect().iter_rows())
