"""Tables as they are after a while: crowded with small files, with removals and log entries of some days ago.

And what their maintenance does. Not here: the tests.
"""

import atexit
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Hashable, Iterable
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import polars as pl
from deltalake import write_deltalake

from lakehouse_assets.context import Lake
from lakehouse_assets.maintenance.maintain import Action, maintain
from lakehouse_assets.maintenance.policy import Policy
from lakehouse_assets.pipeline.packs import TABLE as PACKS
from lakehouse_assets.query.overview import status
from lakehouse_assets.query.tables import frames
from lakehouse_assets.query.verify import verify
from lakehouse_assets.storage import delta, delta_files
from lakehouse_assets_tests.conftest import lake_at, uploaded
from lakehouse_assets_tests.faults.scenario import copied_to
from lakehouse_assets_tests.retail import ingest, land, run, sales_csv

DAYS = ["2011-03-01", "2011-03-02", "2011-03-03"]
WRITTEN = ("silver/sales", "quarantine/sales", "gold/daily_sales", "gold/daily_metrics", "ops/accounting", "ops/ledger")
EVERYTHING = Policy(small_files=0)
_TIMES = ("timestamp", "deletionTimestamp", "modificationTime")


def history(lake: Lake, rounds: int = 3, days: list[str] | None = None) -> None:
    """Publish some dates again and again, each time with one more file of them; one record of each is quarantined.

    A fresh lake becomes a copy of one that was made once.
    """
    made(lake, _publish, rounds, tuple(days or DAYS))


def _publish(lake: Lake, rounds: int, days: Iterable[str]) -> None:
    for number in range(rounds):
        for day in days:
            records = sales_csv(20 + number, day) + f"536400,22423,BAD,1.5,{day} 10:00:00,1.00,,France\n".encode()
            land(lake, f"{day}-{number}.csv", records)
        run(lake)


def made(lake: Lake, make: Callable[..., object], *arguments: Hashable) -> Lake:
    """Make something of a lake of sales; a fresh one becomes a copy of a local one of which it was made once."""
    if lake.settings.is_s3:
        uploaded(_made(make, arguments), lake)
        ingest(lake)  # nothing is left to be done, as in the one that it was copied from
        return lake
    if Path(lake.settings.root).exists():
        make(lake, *arguments)
        return lake
    return copied_to(_made(make, arguments), Path(lake.settings.root))


@cache
def _made(make: Callable[..., object], arguments: tuple[Hashable, ...]) -> Lake:
    folder = mkdtemp(prefix="aging-")
    atexit.register(shutil.rmtree, folder)
    lake = lake_at(f"{folder}/lake")
    make(lake, *arguments)
    return lake


def group(lake: Lake, path: str, pieces: int = 6) -> None:
    """Cut every partition of a table into pieces, each a file of its own; the rows and fingerprints stay."""
    table = delta.opened(lake.store, path)
    rows, columns = delta.rows(lake.store, table).collect(), table.metadata()
    numbered = rows.with_columns((pl.int_range(pl.len()) % pieces).over(columns.partition_columns).alias("_piece"))
    table.delete()
    for piece in numbered.partition_by("_piece", include_key=False):
        write_deltalake(table, piece, mode="append", storage_options=lake.store.options)


def age(lake: Lake, days: float, folder: str = "") -> None:
    """Make everything below a folder of a local lake so many days older: files and what Delta logs say of times.

    Not what is landed: an object of another time is another version of it.
    """
    for path in sorted(Path(lake.store.uri(folder)).rglob("*")):
        if not path.is_file() or path.is_relative_to(lake.store.uri("landing")):
            continue
        if path.parent.name == "_delta_log" and path.suffix == ".json":
            lines = [json.dumps(_older(json.loads(line), days)) for line in path.read_text().splitlines() if line]
            written = path.stat().st_mtime
            path.write_text("\n".join(lines) + "\n")
        else:
            written = path.stat().st_mtime
        os.utime(path, (written - days * 86_400,) * 2)


def _older(action: Any, days: float) -> Any:
    for body in action.values():
        for name in _TIMES:
            if name in body:
                body[name] -= round(days * 86_400_000)
    return action


def put(lake: Lake, path: str, days_old: float, content: bytes = b"left behind") -> None:
    """Write a file of some age into a local lake, hidden ones included."""
    file = Path(lake.store.uri(path))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    os.utime(file, (time.time() - days_old * 86_400,) * 2)


def bytes_of(lake: Lake) -> dict[str, str]:
    """Return path and digest of every file of a local lake, hidden ones included."""
    root = Path(lake.store.root)
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def content(lake: Lake) -> dict[str, pl.DataFrame]:
    """Return the rows of every table that can be queried, in an order of their own; not where bronze records lie."""
    found = {}
    for name, frame in frames(lake).items():
        if name == PACKS.full_name:
            continue
        rows = frame.collect()
        keys = [pl.col(n).cast(pl.String) if rows.schema[n] != pl.Map else pl.col(n) for n in rows.columns]
        plain = rows.select(k for k, n in zip(keys, rows.columns, strict=True) if not rows.schema[n].is_nested())
        found[name] = rows.select(pl.all().gather(plain.with_row_index("_at").sort(plain.columns)["_at"]))
    return found


def assert_same(before: dict[str, pl.DataFrame], after: dict[str, pl.DataFrame]) -> None:
    assert before.keys() == after.keys()
    for name, rows in before.items():
        assert rows.equals(after[name]), f"{name} answers otherwise than before"


def fingerprints(lake: Lake) -> dict[str, dict[str, int]]:
    """Return the fingerprints of every table."""
    return {path: delta.fingerprints(lake.store, path) for path in WRITTEN}


def data_files(lake: Lake, path: str) -> list[str]:
    """Return the data files that lie below a table of a local lake, in use or not."""
    return sorted(str(file.relative_to(lake.store.uri(path))) for file in Path(lake.store.uri(path)).rglob("*.parquet")
                  if "_delta_log" not in file.parts)  # fmt: skip


def live_files(lake: Lake, path: str) -> list[str]:
    """Return the data files of a table's latest version."""
    return sorted(delta_files.file_sizes(lake.store, path))


def done(lake: Lake, policy: Policy | None = None, *, dry_run: bool = False) -> list[Action]:
    """Maintain a lake; return what was done."""
    return list(maintain(lake, policy or Policy(), dry_run=dry_run))


def assert_sound(lake: Lake) -> None:
    """Assert that the lake agrees with itself, and that nothing waits."""
    assert list(verify(lake)) == []
    assert status(lake).is_idle
