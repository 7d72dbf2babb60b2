"""Make `old_lake.tar.xz` and `old_lake.json` again: a small lake that commit ee7af8b wrote, and what it said of it.

    git clone . ../old && (cd ../old && git checkout ee7af8b && make .venv/dev)
    ../old/.venv/bin/python lakehouse_assets_tests/compatibility/build_old_lake.py

The lake is made with that checkout's own `lakehouse`, in the order that a person would work in. It holds every
persisted format that the declared tables have; each step below says which. All records are made up, all business dates
are of the past.

Left out of the archive: `catalog.duckdb` and `catalog.json`, which name the lake's folder and which any run writes
anew, and `.dagster`, except for its `dagster.yaml`: it is written once, names a class of this package, and stays.
"""

import csv
import datetime as dt
import gzip
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
from deltalake import DeltaTable, write_deltalake

HERE = Path(__file__).resolve().parent
HEADERS = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
GOODS = (
    ("85123A", "WHITE HANGING HEART", "2.55"),
    ("22423", "REGENCY CAKESTAND", "10.95"),
    ("22720", "CAKE TINS", "4.95"),
    ("POST", "POSTAGE", "18.00"),
)
BUYERS = (("17850.0", "United Kingdom"), ("12583.0", "France"), ("", "EIRE"), ("14646.0", "Netherlands"))
PERSON, MISTAKEN = "98765", "77777"
MON, TUE, WED, THU, FRI = (f"2024-03-{day:02}" for day in range(4, 9))
HELD, RELEASED, ACCEPTED, PINNED, MOVED_TO = (f"2024-03-{day:02}" for day in range(11, 16))
EXPIRED_BEFORE = dt.date(2024, 3, 6)
Record = dict[str, str]


def sale(date: str, number: int, **changes: str) -> Record:
    """Return a valid record: the same for the same date and number, another one for any other."""
    (code, text, price), (buyer, country) = GOODS[number % len(GOODS)], BUYERS[number % 3 if number % 5 else 3]
    invoice, at = f"54{date[8:]}{number:02}", f"{date} {9 + number // 60:02}:{number % 60:02}:00"
    values = (invoice, code, text, str(number % 7 + 1), at, price, buyer, country)
    return {**dict(zip(HEADERS, values, strict=True)), **changes}


def day(date: str, count: int, first: int = 0) -> list[Record]:
    """Return some valid records of a date."""
    return [sale(date, number) for number in range(first, first + count)]


def theirs(date: str, number: int = 90, person: str = PERSON, **changes: str) -> Record:
    """Return a record of a person who is forgotten later."""
    return sale(date, number, CustomerID=f"{person}.0", **changes)


def as_csv(records: Sequence[Record], headers: Sequence[str] = HEADERS, separator: str = ",") -> bytes:
    """Return delimited text."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=separator, lineterminator="\n")
    writer.writerows([headers, *([record.get(name, "") for name in headers] for record in records)])
    return buffer.getvalue().encode()


def as_zip(members: Mapping[str, bytes]) -> bytes:
    """Return a zip: the same bytes for the same members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, (2024, 3, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def as_json_lines(records: Sequence[Record]) -> bytes:
    """Return JSON lines, with numbers as numbers where they are."""
    typed = [{**r, "Quantity": int(r["Quantity"]), "UnitPrice": float(r["UnitPrice"])} for r in records]
    return "".join(json.dumps(record) + "\n" for record in typed).encode()


def as_parquet(records: Sequence[Record]) -> bytes:
    """Return Parquet with typed columns."""
    buffer = io.BytesIO()
    frame = pl.DataFrame(records).with_columns(pl.col("Quantity").cast(pl.Int32), pl.col("UnitPrice").cast(pl.Float64))
    frame.with_columns(pl.col("InvoiceDate").str.to_datetime()).write_parquet(buffer)
    return buffer.getvalue()


class OldLake:
    """A lake, and the old code's command on it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def said(self, *arguments: str, fine: tuple[int, ...] = (0,)) -> str:
        """Run a verb and return what it says; stop where its exit code is another one than expected."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("LAKEHOUSE_", "DAGSTER_", "AWS_"))}
        # Whoever makes this lake, the decisions that name nobody are ann's.
        environment |= {"LAKEHOUSE_ROOT": str(self.root), "LOGNAME": "ann", "COLUMNS": "200"}
        command = [str(Path(sys.executable).with_name("lakehouse")), *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode not in fine:
            msg = f"{' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
            raise RuntimeError(msg)
        sys.stderr.write(f"$ lakehouse {' '.join(arguments)}\n")
        return done.stdout

    def land(self, **files: bytes) -> None:
        """Land files by name, with `__` for a dot and `_` for a dash."""
        with tempfile.TemporaryDirectory() as folder:
            for name, data in files.items():
                Path(folder, name.replace("__", ".").replace("_", "-")).write_bytes(data)
            self.said("land", "sales", folder)

    def run(self) -> None:
        """Process all that is pending; held and rejected is what this lake is full of."""
        self.said("run", fine=(0, 1))

    def asked(self, sql: str, *more: str) -> list[dict[str, Any]]:
        """Return the rows of a query, with every number that is no integer as it is written."""
        rows: list[dict[str, Any]] = json.loads(self.said("query", sql, "--format", "json", *more), parse_float=str)
        return rows

    def decided(self, *arguments: str) -> str:
        """Take a decision, and return its id."""
        told = self.said(*arguments, "--who", "ann")
        found: list[str] = re.findall(r"Recorded \w+ (\S+?)\.(?:\s|$)", told)
        return found[0]

    def line(self, key: str, rule: str) -> str:
        """Return the line of a quarantined record of an object."""
        where = f"_source_key = '{key}' AND list_contains(rules, '{rule}')"
        return str(self.asked(f"SELECT min(_line) AS line FROM quarantine.sales WHERE {where}")[0]["line"])  # noqa: S608

    def version(self, table: str) -> int:
        """Return the latest version of a Delta table."""
        return DeltaTable(str(self.root / table)).version()

    def tables(self) -> dict[str, list[str]]:
        """Return rows and dates of every table, as `lakehouse tables` says."""
        lines = (line.split() for line in self.said("tables").splitlines())
        return {words[0]: words[1:-4] for words in lines if words and "." in words[0]}

    def answers(self) -> dict[str, dict[str, Any]]:
        """Return all of every table: its columns, and its rows in an order of their own."""
        return {name: table(self.asked(f"FROM {name}")) for name in self.tables()}


def table(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return rows as columns and sorted lists of values."""
    values = [list(row.values()) for row in rows]
    return {"columns": list(rows[0]) if rows else [], "rows": sorted(values, key=json.dumps)}


def monday() -> bytes:
    """Return an object with duplicates, records that break rules, some outside every gate, and some of the person."""
    bad = [
        sale(MON, 40, Quantity="1O"),  # quantity_readable; it is corrected later
        sale(MON, 41, InvoiceNo="GIFT1"),  # invoice_no_regex; waived
        sale(MON, 42, UnitPrice="-1.00"),  # unit_price_min; discarded
        sale(TUE, 43, InvoiceNo="C540543", Quantity="2"),  # cancellation_not_positive; it stays, and expires
        sale(FRI, 44, Country="", UnitPrice="1.23456"),  # two rules at once; they stay
        theirs(FRI, 45, Quantity="7.5"),  # a quarantined record of the person; corrected, and erased
    ]
    nowhere = [
        sale(MON, 50, InvoiceDate="yesterday"),  # undated
        sale(MON, 51, InvoiceDate=""),
        sale(MON, 52, InvoiceDate="1999-12-31 10:00:00"),  # before the first business date, for good
        sale(MON, 53, InvoiceDate="2999-01-01 10:00:00"),  # after today, for as long as this lake may live
    ]
    return as_csv([*day(MON, 24), theirs(MON), *day(MON, 3), *bad, *nowhere]) + b"540499,22423,CUT SHORT\n"


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


def what_is_said(lake: OldLake) -> dict[str, Any]:
    """Return all that the lake answers."""
    return {"status": lake.said("status").splitlines(), "tables": lake.tables(), "answers": lake.answers()}


def but(after: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Return of some answers those that are others than before."""
    changed = {name: rows for name, rows in after["answers"].items() if rows != before["answers"][name]}
    return {**after, "answers": changed}


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
