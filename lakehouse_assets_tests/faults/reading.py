"""What readers see of a lake, in a form that can be compared: rows without the provenance of ingestion time."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

import dagster as dg
import duckdb
import polars as pl
from dagster._core.storage.dagster_run import FINISHED_STATUSES

from lakehouse_assets.catalog.costs import TABLE as COSTS
from lakehouse_assets.catalog.duckdb_views import PATH as CATALOG
from lakehouse_assets.context import Lake
from lakehouse_assets.ledger.ledger import TABLE as LEDGER
from lakehouse_assets.pipeline import packs
from lakehouse_assets.query.overview import Status, status
from lakehouse_assets.query.tables import frames
from lakehouse_assets.query.verify import verify

_TIMES = frozenset({"_ingested_at", "ingested_at", "run_id"})
_SNAPSHOTS = frozenset({"gold.product_performance", "gold.quarantine_by_rule"})
_CUT = {"bronze.sales": "_source_hash", "gold.daily_metrics": "date_key"}

Tables = Mapping[str, list[tuple[str, str]]]
"""Rows by table, sorted: the date of each row (of bronze, its content), and its values as text."""


def tables_of(lake: Lake, layer: str = "", *, without: frozenset[str] = frozenset()) -> Tables:
    """Return every table (of a layer) as people query it, without times, run ids and some other columns.

    What runs cost is left out, as it differs from run to run, and so is where bronze records lie.
    """
    found = {}
    only = {table.full_name for table in lake.registry.tables() if table.layer == layer} if layer else None
    for name, frame in frames(lake, only=only).items():
        if name in {COSTS.full_name, packs.TABLE.full_name} or not name.startswith(layer):
            continue
        cut = _CUT.get(name, "dt")
        columns = [column for column in frame.collect_schema().names() if column not in _TIMES | without]
        rows = frame.select(columns)
        if name == LEDGER.full_name and "file" in columns:
            rows = rows.with_columns(packs.without_pack("file"))
        found[name] = sorted(
            (str(row.get(cut)), repr(tuple(row.values()))) for row in rows.collect().iter_rows(named=True)
        )
    return found


def differences(found: Tables, expected: Tables) -> list[str]:
    """Return what two readings disagree on, a few rows of each table."""
    told = []
    for name in sorted(found.keys() | expected.keys()):
        left, right = found.get(name, []), expected.get(name, [])
        if left != right:
            lost, odd = [row for row in right if row not in left], [row for row in left if row not in right]
            told.append(f"{name}: {len(left)} rows instead of {len(right)}; missing {lost[:3]}; unexpected {odd[:3]}")
    return told


def torn(now: Tables, before: Tables, after: Tables, *, snapshots: bool = True) -> list[str]:
    """Return the dates (of bronze: contents) that readers see neither as before nor as after: torn, or from nowhere.

    Args:
        snapshots: Look also at tables without dates. Where some dates could not be done, they are of neither time.
    """
    told = []
    for name in now:
        if name.startswith("ops.") or (name in _SNAPSHOTS and not snapshots):
            continue
        known_versions, old, new = (_by_partition(tables[name]) for tables in (now, before, after))
        told += [
            f"{name} {partition}: {len(known_versions.get(partition, []))} rows, neither as before nor as after"
            for partition in sorted(known_versions.keys() | old.keys() | new.keys())
            if known_versions.get(partition) not in (old.get(partition), new.get(partition))
        ]
    return told


def _by_partition(rows: list[tuple[str, str]]) -> dict[str, list[str]]:
    partitions: dict[str, list[str]] = {}
    for partition, row in rows:
        partitions.setdefault(partition, []).append(row)
    return partitions


def clear_failure(done: subprocess.CompletedProcess[str]) -> list[str]:
    """Return what a failed run says badly: a failure is an exit code and lines that a person understands."""
    said = done.stdout + done.stderr
    told = [f"exit code {done.returncode}"] if done.returncode != 1 else []
    told += [f"a traceback: {said[-1500:]}"] if "Traceback" in said else []
    return told + ([f"no failure line: {said[-1500:]}"] if "failed:" not in said and "lakehouse: " not in said else [])


def status_of(lake: Lake) -> Status | str:
    """Return the status of a lake, or what was raised instead."""
    try:
        return status(lake)
    except Exception as error:  # noqa: BLE001 - whatever it is, a lake always has a status
        return f"no status: {error!r}"


def unsettled(lake: Lake, home: Path | None = None) -> list[str]:
    """Return what a lake at rest must not have: pending work, disagreements, runs never closed, an old catalog.

    Args:
        home: The lake's Dagster instance, if it has one.
    """
    found = status_of(lake)
    if isinstance(found, str):
        return [found]
    told = [f"pending in landing: {found.landed}"] if found.landed else []
    told += [f"pending: {table} {partitions}" for table, partitions in found.pending.items()]
    told += [f"verify: {finding}" for finding in verify(lake)]
    if home is not None:
        with dg.DagsterInstance.from_config(str(home)) as instance:
            runs = instance.get_runs()
        told += [f"run {run.run_id} is {run.status.value}" for run in runs if run.status not in FINISHED_STATUSES]
    return told if lake.settings.is_s3 or home is None else told + _catalog(lake)


def _catalog(lake: Lake) -> list[str]:
    """Return the tables of which the catalog shows other rows than the lake holds."""
    told = []
    with duckdb.connect(f"{lake.store.root}/{CATALOG}", read_only=True) as connection:
        for name, frame in frames(lake).items():
            if name.startswith("bronze.") or name in {
                "ops.ledger",
                "ops.decisions",
                "ops.query_costs",
                COSTS.full_name,
                packs.TABLE.full_name,
            }:
                continue
            shown = connection.sql(f"SELECT count(*) FROM {name}").fetchall()  # noqa: S608 - a declared table
            held = frame.select(pl.len()).collect().item()
            told += [f"the catalog shows {shown} rows of {name} instead of {held}"] if shown != [(held,)] else []
    return told
