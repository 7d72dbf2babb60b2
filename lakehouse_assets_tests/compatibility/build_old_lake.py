"""Make `old_lake.tar.xz` and `old_lake.json` again: a small lake that commit ee7af8b wrote, and what it said of it.

    git clone . ../old && (cd ../old && git checkout ee7af8b && make .venv/dev)
    ../old/.venv/bin/python -m lakehouse_assets_tests.compatibility.build_old_lake

The lake is made with that checkout's own `lakehouse`, in the order that a person would work in. It holds every
persisted format that the declared tables have; each step below says which. All records are made up, all business dates
are of the past.

Left out of the archive: `catalog.duckdb` and `catalog.json`, which name the lake's folder and which any run writes
anew, and `.dagster`, except for its `dagster.yaml`: it is written once, names a class of this package, and stays.
"""

import datetime as dt
import gzip
import hashlib
import io
import json
import re
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import polars as pl
from deltalake import DeltaTable, write_deltalake

from lakehouse_assets_tests.compatibility.old_command import OldLake, but, table, what_is_said
from lakehouse_assets_tests.compatibility.old_records import (
    ACCEPTED,
    FRI,
    HEADERS,
    HELD,
    MISTAKEN,
    MOVED_TO,
    PERSON,
    PINNED,
    RELEASED,
    THU,
    TUE,
    WED,
    as_csv,
    as_json_lines,
    as_parquet,
    as_zip,
    day,
    monday,
    sale,
    theirs,
)

HERE = Path(__file__).resolve().parent
EXPIRED_BEFORE = dt.date(2024, 3, 6)


def first_objects(lake: OldLake) -> None:
    """Every source format, and every way in which a record, an object or a date can be wrong."""
    lake.land(
        monday__csv=monday(),
        tuesday__csv__gz=gzip.compress(as_csv([*day(TUE, 20), theirs(TUE)], separator=";"), mtime=0),
        tuesday_copy__csv__gz=gzip.compress(as_csv([*day(TUE, 20), theirs(TUE)], separator=";"), mtime=0),  # an alias
        week__zip=as_zip(
            {
                "wed.csv": as_csv([*day(WED, 8), theirs(WED)]),
                "thu.csv": as_csv(day(THU, 24)),
                "retired.csv": as_csv(day(WED, 3, 60)),  # the next version lacks it
                "utf16.csv": as_csv(day(WED, 2)).decode().encode("utf-16"),  # a rejected member
            }
        ),
        friday__jsonl=as_json_lines([*day(FRI, 24), theirs(FRI, person=MISTAKEN)]),
        friday__parquet=as_parquet([*day(FRI, 6, 20), *day(FRI, 6, 30), theirs(FRI, 91)]),  # partly the same records
        # Drift: a column that the contract does not know, and one of which no value can be read.
        drift__csv=as_csv(
            [{**sale(WED, n), "Till": f"T{n}"} for n in range(20, 30)], headers=(*HEADERS[:6], "Till", *HEADERS[6:])
        ),
        drift_retyped__csv=as_csv([sale(THU, 60, UnitPrice="GBP 2.55")]),
        cp1252__csv=as_csv([sale(WED, 31, Description="CAFÉ NOIR £")]).decode().encode("cp1252"),
        stands__csv=as_csv(day(WED, 4, 32)),
        utf16__csv=as_csv(day(WED, 2)).decode().encode("utf-16"),  # a rejected object
        held__csv=as_csv([*day(HELD, 8), theirs(HELD)]),
        released__csv=as_csv([*day(RELEASED, 8), theirs(RELEASED), *(sale(RELEASED, n, Quantity="x") for n in (8, 9))]),
        accepted__csv=as_csv([*day(ACCEPTED, 4), theirs(ACCEPTED)]),
        accepted__csv__manifest__json=b'{"rows": 99}',
        wrong__csv=as_csv(day(ACCEPTED, 2, 10)),  # held by its manifest, and left so
        wrong__csv__manifest__json=b'{"rows": 2, "sums": {"Quantity": "1000"}}',
        promised__csv=as_csv(day(ACCEPTED, 3, 20)),  # it keeps its manifest
        promised__manifest__json=b'{"rows": 3, "sums": {"Quantity": "10"}}',
        pinned__csv=as_csv([*day(PINNED, 4), theirs(PINNED)]),
    )
    lake.run()


def decisions(lake: OldLake) -> None:
    """A decision of every kind on records, objects and dates; one taken back, two that get stale."""
    on_monday = ("sales", "monday.csv")
    number = lake.line("monday.csv", "quantity_readable")
    misread = ("--set", "Quantity=10", "--why", "the till prints O for 0")
    lake.decided("quarantine", "correct", *on_monday, number, *misread)
    moved = ("--set", f"InvoiceDate={MOVED_TO} 10:00", "--why", "its till was a week behind")
    # Not out of a person's object: once they are forgotten, ee7af8b's accounting keeps the old hash of such a record.
    lake.decided("quarantine", "correct", "sales", "stands.csv", "4", *moved)
    # A record that becomes the person's by correction only, and one of theirs that somebody corrected.
    told = ("--set", f"CustomerID={PERSON}", "--why", "the till was told")
    lake.decided("quarantine", "correct", *on_monday, "2", *told)
    of_person = lake.asked("SELECT _line AS line FROM quarantine.sales WHERE Quantity = '7.5'")[0]["line"]
    lake.decided("quarantine", "correct", *on_monday, str(of_person), "--set", "Quantity=7", "--why", "rounded")
    odd = lake.line("monday.csv", "invoice_no_regex")
    lake.decided("quarantine", "waive", *on_monday, odd, "--rule", "invoice_no_regex", "--why", "a gift voucher")
    negative = lake.line("monday.csv", "unit_price_min")
    lake.decided("quarantine", "discard", *on_monday, negative, "--why", "a test of the till")
    mistaken = lake.decided("quarantine", "discard", *on_monday, "3", "--why", "it looked odd")
    lake.said("revoke", "sales", mistaken, "--why", "it is not", "--who", "bob")
    # Both get stale: their objects are sent again.
    lake.decided("quarantine", "correct", "sales", "pinned.csv", "1", "--set", "Quantity=8", "--why", "counted again")
    lake.decided("quarantine", "discard", "sales", "week.zip!wed.csv", "2", "--why", "sold twice")
    lake.decided("accept", "sales", "accepted.csv", "--why", "the manifest is wrong")
    lake.decided("release", "sales", RELEASED, "--why", "the month is closed today")
    lake.run()


def resends(lake: OldLake) -> None:
    """Newer versions: of a zip, of an object that is rejected then, of a date that is held then, of a pinned one."""
    lake.land(
        week__zip=as_zip(
            {
                "wed.csv": as_csv([*day(WED, 9), theirs(WED)]),
                "thu.csv": as_csv(day(THU, 2)).decode().encode("utf-16"),  # rejected: the member of before stands
                "utf16.csv": as_csv(day(WED, 2, 36)),  # mended
            }
        ),
        stands__csv=b"no sales record at all\n",  # rejected: the version of before stands
        held_late__csv=as_csv([sale(HELD, 20), sale(HELD, 21, Quantity="x"), sale(HELD, 22, InvoiceNo="?")]),
    )
    lake.run()
    before = lake.version("silver/sales")
    lake.land(pinned__csv=as_csv([*({**r, "Quantity": r["Quantity"] + "0"} for r in day(PINNED, 4)), theirs(PINNED)]))
    lake.run()
    why = ("--why", "the till multiplies by ten", "--who", "ann")
    lake.said("restore", "silver.sales", "--version", str(before), *why, fine=(0, 1))


def forgotten(lake: OldLake) -> None:
    """Two erasures, of which one was a mistake and was taken back."""
    for person in (PERSON, MISTAKEN):
        lake.said("forget", "sales", f"customer_id={person}", "--why", "request 4711", "--who", "ann")
    erased = lake.asked("SELECT id FROM ops.decisions WHERE kind = 'erase' ORDER BY id")
    lake.said("revoke", "sales", erased[1]["id"], "--why", "it was somebody else", "--who", "ann")
    lake.run()


def maintained(lake: OldLake) -> None:
    """Crowded dates compacted, checkpoints written, quarantine of before a business date expired."""
    silver = DeltaTable(str(lake.root / "silver/sales"))
    crowded = pl.scan_delta(silver).filter(pl.col("dt") == dt.date.fromisoformat(FRI)).collect()
    # Small files as many small commits leave them; today's code writes one for a date.
    silver.delete(f"dt = '{FRI}'")
    for at in range(6):
        write_deltalake(silver, crowded.gather_every(6, at), mode="append")
    days = (dt.datetime.now(dt.UTC).date() - EXPIRED_BEFORE).days
    lake.said("maintain", "--expire-quarantine-days", str(days))


def latest(lake: OldLake) -> str:
    """Commits after the checkpoints: a late file for an expired date, and a date and a snapshot pinned in gold.

    Returns:
        A moment between the last two runs that published something.
    """
    lake.land(late_tuesday__csv=as_csv([*day(TUE, 20, 30), sale(TUE, 50, Quantity="")]))
    lake.run()
    between = dt.datetime.now(dt.UTC).isoformat()
    metrics, product = lake.version("gold/daily_metrics"), lake.version("gold/product_performance")
    lake.land(late_friday__csv=as_csv(day(FRI, 3, 50)))
    lake.run()
    pin = ("--why", "the board has seen the other figures", "--who", "ann")
    lake.said("restore", "gold.daily_metrics", "--version", str(metrics), *pin, fine=(0, 1))
    lake.said("restore", "gold.product_performance", "--version", str(product), *pin, fine=(0, 1))
    return between


def pack(lake: OldLake, file: Path) -> None:
    """Put the lake into an archive: one stream, because its many small files are much alike."""
    left_out = {"catalog.duckdb", "catalog.json"}
    with tarfile.open(file, "w:xz", preset=9) as archive:
        for path in sorted(path for path in lake.root.rglob("*") if path.is_file()):
            name = path.relative_to(lake.root).as_posix()
            if name in left_out or (name.startswith(".dagster/") and name != ".dagster/dagster.yaml"):
                continue
            data = path.read_bytes()
            if name == ".dagster/dagster.yaml":  # the one address in it follows the lake whenever it is opened
                data = re.sub(rb'base_dir: "[^"]*"', b'base_dir: ""', data)
            about = tarfile.TarInfo(name)
            about.size, about.mtime = len(data), path.stat().st_mtime  # versions of Delta tables are told by time, too
            archive.addfile(about, io.BytesIO(data))


def revoke_everything(lake: OldLake) -> None:
    """Take every decision back that stands, apart from erasures and from releases.

    What a release published stays when it is taken back, and ee7af8b's `verify` then disagrees with itself about it.
    """
    standing = "state <> 'revoked' AND kind NOT IN ('revoke', 'erase', 'release')"
    for row in lake.asked(f"SELECT feed, id FROM ops.decisions WHERE {standing} ORDER BY id"):  # noqa: S608
        lake.said("revoke", row["feed"], row["id"], "--why", "is it possible?", "--who", "ann")
    lake.run()


def main() -> None:
    """Make the lake, pack it, and write down what the old code says of it, of a copy that is run, and of one undone."""
    with tempfile.TemporaryDirectory() as folder:
        lake = OldLake(Path(folder, "lake"))
        for step in (first_objects, decisions, resends, forgotten, maintained):
            step(lake)
        between = latest(lake)
        if "Nothing is pending" not in lake.said("run") or "none" not in lake.said("verify"):
            msg = "the lake is not at rest"
            raise RuntimeError(msg)
        packed = HERE / "old_lake.tar.xz"
        pack(lake, packed)
        stored = what_is_said(lake)
        dated = ("silver.sales", "gold.daily_sales")
        past = {name: table(lake.asked(f"FROM {name}", "--at", between)) for name in dated}
        # A copy has other inodes and times, so all of its landing is looked at again: nothing else may come of it.
        copy = OldLake(Path(folder, "copy"))
        with tarfile.open(packed) as archive:
            archive.extractall(copy.root, filter="data")
        copy.run()
        again = what_is_said(copy)
        revoke_everything(copy)
        undone = what_is_said(copy)
    answers = {
        "commit": "ee7af8b",
        "sha256": hashlib.sha256(packed.read_bytes()).hexdigest(),
        "person": {"value": PERSON, "key": "monday.csv", "original": monday().decode()},
        "stored": stored,
        "past": {"at": between, "answers": past},
        "run": but(again, stored),
        "undone": but(undone, stored),
    }
    (HERE / "old_lake.json").write_text(_dumped(answers) + "\n", encoding="utf-8")


def _dumped(value: Any, indent: str = "") -> str:
    """Return JSON with one row of a table a line."""
    if isinstance(value, dict) and value:
        inner = f",\n{indent} ".join(f"{json.dumps(k)}: {_dumped(v, indent + ' ')}" for k, v in value.items())
        return f"{{\n{indent} {inner}\n{indent}}}"
    if isinstance(value, list) and value and isinstance(value[0], list):
        inner = f",\n{indent} ".join(json.dumps(row, ensure_ascii=False) for row in value)
        return f"[\n{indent} {inner}\n{indent}]"
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    main()
