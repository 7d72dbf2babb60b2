"""What the faults are tried on: a lake that has run once, then a landing of everything that can happen to a file.

`first_landing` was run to the end; `second_landing` resends, spoils, retires and adds, and is what the faulty run is
about. The settings make several batches of it.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from lakehouse_assets.context import Lake
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.forked import Forked
from lakehouse_assets_tests.retail import day, gzipped, land, line, sales_csv, zipped

# One thread: the points of a run come in the same order every time.
SMALL_BATCHES = {
    "LAKEHOUSE_INGEST_BATCH_BYTES": "9000",
    "LAKEHOUSE_PUBLISH_BATCH_ROWS": "120",
    "LAKEHOUSE_THREADS": "1",
}
COMPACTED_ABOVE = 40
"""Files of the ledger above which an append compacts it."""


def march(number: int) -> str:
    return f"2011-03-{number:02}"


def some(number: int, count: int = 24, first: int = 1) -> list[dict[str, str | None]]:
    """Return distinct records of a day of March, in several countries and products."""
    places, codes = ("United Kingdom", "France", "EIRE"), ("85123A", "71053", "POST", "84406B")
    return [
        line(
            InvoiceNo=f"{536000 + 100 * number + at // 4}",
            InvoiceDate=f"{march(number)} {8 + at % 10:02}:26:00",
            Quantity=str(at),
            StockCode=codes[at % 4],
            Country=places[at % 3],
            CustomerID=f"{17000 + at % 7}.0",
        )
        for at in range(first, first + count)
    ]


def spoilt(records: list[dict[str, str | None]], every: int) -> list[dict[str, str | None]]:
    """Return the records with a quantity that is no integer in every n-th."""
    return [record | {"Quantity": "1.5"} if at % every == 0 else record for at, record in enumerate(records)]


def first_landing() -> dict[str, bytes]:
    """Return objects by key for the run that nothing disturbs."""
    return {
        "day-01.csv": sales_csv(some(1)),
        "day-02.csv": sales_csv(some(2) + some(12)),
        "day-03.csv": sales_csv(some(3)),
        "day-04.csv": sales_csv(some(4)),
        "day-05.csv": gzipped(sales_csv(some(5))),
        "undated.csv": sales_csv([*some(8), line(InvoiceDate="yesterday")]),
        "week.zip": zipped({"a.csv": sales_csv(some(6)), "b.csv": sales_csv(some(7))}),
    }


def second_landing() -> dict[str, bytes]:
    """Return objects by key for the run that is disturbed."""
    cancelled = line(InvoiceNo="C536999", InvoiceDate=f"{march(3)} 10:00:00", Quantity="-3")
    return {
        "alias.csv": gzipped(sales_csv(some(5))),  # the content of day-05.csv under a smaller key
        "corrupt.zip": b"PK\x03\x04 cut short",
        "day-02.csv": sales_csv(some(2, 30)),  # a resend that no longer mentions the 12th
        "day-03.csv": sales_csv([*spoilt(some(3, 40), 40), cancelled]),  # bad rows, above the gate
        "day-04.csv": sales_csv(spoilt(some(4, 30), 4)),  # below the gate: the old version stands
        "day-11.csv": sales_csv(spoilt(some(11), 2)),  # below the gate, never published
        "early.csv": sales_csv(day("1999-12-31") + some(9)),  # before the first business date
        "twice.csv": sales_csv(some(1, 12) + some(13)),  # half of it duplicates of day-01.csv
        "undated.csv": sales_csv([*some(8, 26), line(InvoiceDate="soon"), line(InvoiceDate="later")]),
        "week.zip": zipped({"a.csv": sales_csv(some(6, 20)), "c.csv": sales_csv(some(10))}),  # b.csv is retired
    }


def land_all(lake: Lake, objects: Mapping[str, bytes]) -> None:
    for key, data in objects.items():
        land(lake, key, data)


def filler(count: int) -> dict[str, bytes]:
    """Return objects of one record each."""
    return {f"filler/{at:02}.csv": sales_csv([some(1, 1, first=100 + at)[0]]) for at in range(count)}


def environment(lake: Lake, home: Path | None = None, **more: str) -> dict[str, str]:
    """Return the environment of a `lakehouse` process on a lake."""
    base = {name: value for name, value in os.environ.items() if not name.startswith("DAGSTER_")}
    chosen = {"LAKEHOUSE_ROOT": lake.settings.root, "COLUMNS": "200"} | SMALL_BATCHES | more
    return base | ({"DAGSTER_HOME": str(home)} if home else {}) | chosen


def lakehouse(*arguments: str, env: Mapping[str, str], timeout: float = 240) -> subprocess.CompletedProcess[str]:
    """Run `lakehouse` with some arguments; the exit code is not checked."""
    return Forked(*arguments, env=env).finish(timeout)


def copy_of(base: Lake, folder: Path) -> Lake:
    """Copy a local lake into a folder, as `lake`."""
    return copied_to(base, folder / "lake")


def copied_to(base: Lake, target: Path) -> Lake:
    """Copy a local lake without the landed files, which stay the same files to the lake: links to the originals."""
    source = Path(base.settings.root)
    shutil.copytree(source, target, ignore=lambda at, _: ["landing"] if Path(at) == source else [])
    for file in source.joinpath("landing").rglob("*"):
        link = target / file.relative_to(source)
        if file.is_dir():
            link.mkdir(parents=True, exist_ok=True)
        else:
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(file)
    return lake_at(str(target))
