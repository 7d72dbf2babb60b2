"""The versions of a Delta table from its log: time, operation, partitions, rows, bytes."""

import datetime as dt
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import ContractError, Table
from lakehouse_assets.contracts.partitioning import UNDATED, WHOLE, as_bucket, bucket_name
from lakehouse_assets.decisions.recorded import TABLE as DECISIONS
from lakehouse_assets.query.tables import OPS
from lakehouse_assets.storage.stores import StorageError

_ENTRY = re.compile(r"\d{20}\.json")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class Version:
    """One commit to a table.

    Attributes:
        partitions: The partitions that it wrote or emptied, sorted.
        rows: Rows that it wrote; None for a commit that wrote no data, or only moved it.
        bytes: Bytes that it wrote.
    """

    number: int
    at: dt.datetime
    operation: str
    partitions: list[str]
    rows: int | None
    bytes: int

    @property
    def summary(self) -> str:
        """The partitions in few words."""
        if len(self.partitions) <= 1:
            return "".join(self.partitions)
        return f"{len(self.partitions):,}: {self.partitions[0]} .. {self.partitions[-1]}"


def versions(lake: Lake, name: str, limit: int) -> list[Version]:
    """Return the latest versions of a table that its log still holds, newest first.

    Raises:
        ContractError: There is no such table, or it has no versions.
        StorageError: It is not yet written.
    """
    table = _table(lake, name)
    log = f"{table.path}/_delta_log"
    entries = [item.path for item in lake.store.list(log) if _ENTRY.fullmatch(item.path.removeprefix(f"{log}/"))]
    if not entries:
        msg = f"{name} is not yet written, so it has no versions; `lakehouse run` writes it."
        raise StorageError(msg)
    return [_version(lake, path) for path in sorted(entries, reverse=True)[:limit]]


def _table(lake: Lake, name: str) -> Table:
    known = {table.full_name: table for table in (*lake.registry.tables(), *OPS)}
    if name not in known:
        msg = f"there is no table {name!r}; declared are: {', '.join(known)}."
        raise ContractError(msg)
    if known[name].layer == "bronze" or known[name] is DECISIONS:
        msg = f"{name} has no versions: its objects are never overwritten. See ops.ledger for what came when."
        raise ContractError(msg)
    return known[name]


def _version(lake: Lake, path: str) -> Version:
    actions = list(_actions(lake.store.read(path)))
    info = next((body for kind, body in actions if kind == "commitInfo"), {})
    added = [body for kind, body in actions if kind == "add"]
    files = [body.get("partitionValues", {}) for kind, body in actions if kind in {"add", "remove"}]
    marks = [body["appId"] for kind, body in actions if kind == "txn"]
    partitions = {name for values in files if (name := _part(values)) is not None}
    # A date that a commit left or made empty has no file; its fingerprint names it.
    names = {mark.rpartition("/")[2] for mark in marks}  # of the accounting: feed and partition
    partitions |= {
        name for name in names if name in {UNDATED, WHOLE} or _DATE.fullmatch(name) or as_bucket(name) is not None
    }
    changed = any(body.get("dataChange") for kind, body in actions if kind in {"add", "remove"})
    rows = sum(json.loads(body["stats"])["numRecords"] for body in added if body.get("stats"))
    return Version(
        number=int(path.rpartition("/")[2].removesuffix(".json")),
        at=dt.datetime.fromtimestamp(info.get("timestamp", 0) / 1000, dt.UTC),
        operation=info.get("operation", ""),
        partitions=sorted(partitions),
        rows=rows if changed else None,
        bytes=sum(body["size"] for body in added),
    )


def _actions(content: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    for line in content.splitlines():
        if line.strip():
            yield from json.loads(line).items()


def _part(values: dict[str, str | None]) -> str | None:
    """Return the name of a file's partition; None where its columns do not tell the date."""
    if {"year", "month", "day"} <= values.keys():
        year, month, day = (values[name] for name in ("year", "month", "day"))
        return UNDATED if year is None or month is None or day is None else f"{year}-{month:0>2}-{day:0>2}"
    if (bucket := values.get("bucket")) is not None:
        return bucket_name(int(bucket))
    name = next((name for name in ("part", "dt") if name in values), None)
    return None if name is None else values[name] or UNDATED
