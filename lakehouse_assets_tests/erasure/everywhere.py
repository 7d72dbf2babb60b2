"""A lake in which one person's records stand in every place where records can stand. `PERSON` occurs nowhere else."""

import io
import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.decisions import recorded
from lakehouse_assets.forgetting import service
from lakehouse_assets.forgetting.request import ask
from lakehouse_assets.operations import decision_commands
from lakehouse_assets.pipeline.pins import pin
from lakehouse_assets.storage import delta
from lakehouse_assets_tests.faults.scenario import environment, lakehouse, land_all
from lakehouse_assets_tests.retail import HEADERS, Record, gzipped, land, line, sales, sales_csv, zipped
from lakehouse_assets_tests.retail import run as run_all

PERSON = "9876543210"
OTHERS = ("17850.0", "13047.0", "12583", None)
AMONG = 10
"""The person's records of a file stand after so many of others."""


def march(day: int) -> str:
    return f"2011-03-{day:02}"


def others(day: int, count: int = 24) -> list[Record]:
    """Return distinct records of other people on a day."""
    return [
        line(
            InvoiceDate=f"{march(day)} 09:00:00",
            Quantity=str(at + 1),
            CustomerID=OTHERS[at % 4],
            StockCode=f"2242{at % 3}",
        )
        for at in range(count)
    ]


def theirs(day: int, count: int = 2, **changes: str | None) -> list[Record]:
    """Return the person's records of a day, their number written in the ways in which files write it."""
    ways = (f"{PERSON}.0", f" {PERSON} ", PERSON)
    about = {"InvoiceDate": f"{march(day)} 10:00:00", "InvoiceNo": "540000", "Description": 'a "gift"\nfor two'}
    return [line(**about | {"Quantity": str(100 + at), "CustomerID": ways[at % 3]} | changes) for at in range(count)]


def both(day: int, count: int = 2, **changes: str | None) -> list[Record]:
    """Return a day's records: some of others, then the person's, then more of others."""
    rest = others(day)
    return [*rest[:AMONG], *theirs(day, count, **changes), *rest[AMONG:]]


def bad(day: int, count: int) -> list[Record]:
    """Return records of others that break the contract."""
    return [line(InvoiceDate=f"{march(day)} 11:00:00", Quantity=f"{at}.5", CustomerID="13047.0") for at in range(count)]


def parquet(records: list[Record], **types: pl.DataType) -> bytes:
    """Return a Parquet file of some records, some columns of another type than text."""
    frame = pl.DataFrame([{name: record.get(name) for name in HEADERS} for record in records])
    numbers = [pl.col(name).str.strip_chars().cast(pl.Float64).cast(dtype) for name, dtype in types.items()]
    buffer = io.BytesIO()
    frame.with_columns(numbers).write_parquet(buffer)
    return buffer.getvalue()


def json_lines(records: list[Record]) -> bytes:
    return "\n".join(json.dumps(record) for record in records).encode()


def first_landing() -> dict[str, bytes]:
    """Return objects in every form, and those that are to be replaced, refused, retired or deleted."""
    alias = sales_csv(both(2))
    ragged = sales_csv(both(3)) + f"540001,22423,SHORT,1,{march(3)} 09:00,1.5,{PERSON},EIRE,too,many\n".encode()
    worse = sales_csv([*both(4), *theirs(4, 1, Quantity="1.5"), *theirs(4, 1, InvoiceDate="some day")])
    accents = sales_csv(both(5, Description="caf\xe9", Country="R\xe9union"), encoding="cp1252", separator=";")
    once_more = others(25)[:3] + both(25)[AMONG : AMONG + 2]
    misread = [*both(21), *theirs(21, 1, CustomerID="12346")]
    return {
        "plain.csv": sales_csv(both(1), newline="\r\n"),
        "a/alias.csv": alias,
        "b/alias.csv": alias,
        "ragged.csv": ragged,
        "worse.csv": worse,
        "accents.csv": accents,
        "packed.csv.gz": gzipped(sales_csv(both(6))),
        "week.zip": zipped(
            {"other.csv": sales_csv(others(7)), "both.csv": sales_csv(both(8)), "in/both.json": json_lines(both(9))}
        ),
        "array.json": json.dumps(both(22), indent=1).encode(),
        "lines.json": json_lines(both(23)),
        "floats.parquet": parquet(both(24), CustomerID=pl.Float64(), Quantity=pl.Int64()),
        "categories.parquet": parquet(both(26)),
        "twice.csv": sales_csv(both(25)),
        "twice-again.csv": sales_csv(once_more),
        "alone.csv": sales_csv(theirs(27)),
        "corrected.csv": sales_csv([*misread, *bad(21, 1)]),
        "superseded.csv": sales_csv(both(10)),
        "then-refused.csv": sales_csv(both(11)),
        "deleted.csv": sales_csv(both(12)),
        "held-date.csv": sales_csv(both(13)),
        "pinned-date.csv": sales_csv([*both(14), *theirs(14, 1, Quantity="1.5")]),
        "retired.csv": sales_csv(both(15)),
        "refused.csv": f"Invoice,Customer\n1,{PERSON}\n2,13047\n".encode(),
        "unclosed.csv": sales_csv(others(29))
        + f'540002,"22423,OPEN,1,{march(29)} 09:00,1.5,{PERSON}.0,EIRE\n'.encode(),
        "headless.csv": sales_csv(both(29)).partition(b"\n")[2].replace(b"12583", PERSON.encode()),
        "utf16.csv": sales_csv(both(29), encoding="utf-16"),
    }


def second_landing() -> dict[str, bytes]:
    """Return objects that take the place of others, and objects with manifests."""
    return {
        "superseded.csv": sales_csv(others(10, 30)),
        "then-refused.csv": b"",
        "held-date.csv": sales_csv([*both(13), *bad(13, 9)]),  # below the gate: the version before stands
        "pinned-date.csv": sales_csv(others(14)),
        "retired.csv": sales_csv(others(16)),
        "released-date.csv": sales_csv([*both(17), *bad(17, 5)]),
        **promised("promised.csv", both(18), 26),
        **promised("promised-more.csv", both(19), 99),
        **promised("accepted.csv", both(20), 99),
    }


def promised(key: str, records: list[Record], rows: int) -> dict[str, bytes]:
    """Return an object with its manifest: so many rows, and the sum of their quantities."""
    total = sum(int(record["Quantity"] or 0) for record in records)
    manifest = {"rows": rows, "sums": {"Quantity": str(total)}}
    return {key: sales_csv(records), f"{key}.manifest.json": json.dumps(manifest).encode()}


def build(lake: Lake, home: Path | None = None, **settings: str) -> None:
    """Land, run and decide until a person's records stand everywhere; at the end one object is pending.

    Args:
        home: The lake's Dagster instance, if it is not where the lake has it.
        settings: Of the environment, in place of small batches.
    """
    feed, env = sales(lake), environment(lake, home, **settings)
    land_all(lake, first_landing())
    run(env)
    land_all(lake, second_landing())
    lake.store.delete("landing/sales/deleted.csv")
    run(env)
    now = delta.fingerprints(lake.store, feed.silver.path)
    then = first_version_with(lake, march(14))
    for taken in (
        decision_commands.release(lake, feed, march(17), "the month is closed"),
        decision_commands.accept(lake, feed, "accepted.csv", "the manifest is wrong"),
        pin(lake, feed.silver, then, [march(14)], now, f"customer {PERSON} asked", "ann"),
    ):
        recorded.record(lake.store, taken)
    decide_on_records(lake)
    run(env)
    leave_behind(lake)
    land(lake, "pending.csv", sales_csv(both(28)))


def build_small(lake: Lake) -> None:
    """Land an object of each kind, run and decide; at the end one is pending."""
    objects, env = first_landing(), environment(lake)
    few = ("plain.csv", "worse.csv", "week.zip", "corrected.csv", "refused.csv")
    land_all(lake, {key: objects[key] for key in few})
    run(env)
    decide_on_records(lake)
    run(env)
    leave_behind(lake)
    land(lake, "pending.csv", sales_csv(both(28)))


def run(env: Mapping[str, str]) -> None:
    done = lakehouse("run", env=env)
    assert "Traceback" not in done.stderr, done.stderr


def decide_on_records(lake: Lake) -> None:
    """Correct and discard records of `corrected.csv`, the person's and others', with reasons that name the person."""
    correct, discard = decision_commands.correct, decision_commands.discard
    decide = partial(recorded.record, lake.store)
    feed, key = sales(lake), "corrected.csv"
    decide(correct(lake, feed, key, 28, {"Quantity": "7"}, "the till prints .5"))
    decide(correct(lake, feed, key, 27, {"CustomerID": f"{PERSON}.0"}, "misread", "bob"))
    decide(correct(lake, feed, key, AMONG + 1, {"Country": "France"}, f"a gift of {PERSON}."))
    decide(discard(lake, feed, key, AMONG + 2, "a test"))
    decide(discard(lake, feed, key, 3, "a test"))


def forget(lake: Lake, customer: str = PERSON) -> None:
    """Forget a customer as the command does, but without Dagster; nothing may be left to tell of."""
    request = ask(lake, sales(lake), f"customer_id={customer}", "a request", "ann")
    found = service.forget(request, lambda: run_all(lake), lambda _: None)
    assert (found.problems, found.unsearched) == ([], [])


def first_version_with(lake: Lake, date: str) -> int:
    """Return the first version of silver in which a date is published."""
    version = 0
    while delta.opened(lake.store, "silver/sales", version).transaction_version(date) is None:
        version += 1
    return version


def leave_behind(lake: Lake) -> None:
    """Leave what dead writers leave: files that no table or ledger knows."""
    rows = pl.DataFrame({"customer_id": [PERSON, "13047"], "quantity": [1, 2]})
    buffer = io.BytesIO()
    rows.write_parquet(buffer)
    lake.store.create(f"silver/sales/dt={march(1)}/part-00000-dead.snappy.parquet", buffer.getvalue())
    raw = pl.DataFrame(theirs(1)).with_columns(pl.lit(1).cast(pl.Int64).alias("_line"))
    raw.write_parquet(buffer := io.BytesIO())
    lake.store.create(f"bronze/sales/dt={march(1)}/{'0' * 64}.parquet", buffer.getvalue())
    if not lake.settings.is_s3:
        Path(lake.store.uri("landing/sales/.0123456789abcdef.tmp")).write_text(PERSON, encoding="utf-8")
