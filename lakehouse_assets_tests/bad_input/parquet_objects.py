"""Parquet with other types than text, nested, damaged, or not what it says."""

import datetime as dt
import io
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lakehouse_assets_tests.bad_input.corpus import bad, records
from lakehouse_assets_tests.retail import HEADERS, sales_csv

_LONDON_NOON = dt.datetime(2011, 3, 2, 9, 0)  # noqa: DTZ001 - a naive time is what the file holds


def parquet(rows: list[dict[str, str | None]], **columns: Any) -> bytes:
    """Return Parquet of some records, with some columns of another type or content."""
    texts = {name: pa.array([row[name] for row in rows], pa.string()) for name in HEADERS}
    return written(pa.table({**texts, **columns}))


def written(table: pa.Table, **options: Any) -> bytes:
    """Return the Parquet bytes of an Arrow table."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer, **options)
    return buffer.getvalue()


@bad("Parquet with numbers, decimals and times", suffix="parquet", valid=records())
def typed() -> bytes:
    return parquet(
        records(),
        Quantity=pa.array([1, 2, 3], pa.int32()),
        UnitPrice=pa.array([Decimal("2.55")] * 3, pa.decimal128(10, 2)),
        InvoiceDate=pa.array([_LONDON_NOON] * 3, pa.timestamp("ns")),
        CustomerID=pa.array([12345.0] * 3, pa.float64()),
        InvoiceNo=pa.array([550001] * 3, pa.uint64()),
    )


@bad("Parquet with times with a zone", suffix="parquet", valid=records())
def zoned() -> bytes:
    zoned = [_LONDON_NOON.replace(tzinfo=dt.UTC)] * 3
    return parquet(records(), InvoiceDate=pa.array(zoned, pa.timestamp("us", "America/New_York")))


@bad("Parquet with dates for times", suffix="parquet", valid=records(3, InvoiceDate="2011-03-02 00:00:00"))
def dates() -> bytes:
    return parquet(records(), InvoiceDate=pa.array([dt.date(2011, 3, 2)] * 3))


@bad("Parquet with 32-bit floats", suffix="parquet", valid=records())
def floats() -> bytes:
    return parquet(records(), UnitPrice=pa.array([2.55] * 3, pa.float32()))


@bad("Parquet with categories and large strings", suffix="parquet", valid=records())
def categories() -> bytes:
    return parquet(
        records(),
        Country=pa.array(["United Kingdom"] * 3).dictionary_encode(),
        StockCode=pa.array(["85123A"] * 3, pa.large_string()),
        Description=pa.array(["WHITE HANGING HEART T-LIGHT HOLDER"] * 3, pa.string_view()),
    )


@bad("Parquet with binary for text", suffix="parquet", valid=records())
def binary() -> bytes:
    return parquet(records(), Country=pa.array([b"United Kingdom"] * 3, pa.binary()))


@bad("Parquet with binary that is no text", suffix="parquet")
def binary_not_text() -> bytes:
    return parquet(records(), Country=pa.array([b"\xff\xfe\x81"] * 3, pa.binary()))


@bad("Parquet with text that is no UTF-8", suffix="parquet")
def text_not_utf8() -> bytes:
    bytes_ = pa.array([b"United Kingdom", b"\xd6sterreich", b"France"], pa.binary())
    return parquet(records(), Country=pa.Array.from_buffers(pa.string(), 3, bytes_.buffers()))


@bad("Parquet with a list and a struct for values", suffix="parquet", quarantined=3)
def nested() -> bytes:
    return parquet(
        records(),
        Quantity=pa.array([[1], [2], []], pa.list_(pa.int64())),
        UnitPrice=pa.array([{"amount": 1}] * 3, pa.struct([("amount", pa.int64())])),
    )


@bad("Parquet with a map for values", suffix="parquet")
def mapped() -> bytes:
    return parquet(records(), Country=pa.array([[("code", "GB")]] * 3, pa.map_(pa.string(), pa.string())))


@bad("Parquet with nested columns that the contract does not know", suffix="parquet", valid=records())
def nested_unknown() -> bytes:
    deep = pa.struct([("tags", pa.list_(pa.struct([("at", pa.timestamp("us")), ("n", pa.decimal128(5, 2))])))])
    value = {"tags": [{"at": _LONDON_NOON, "n": Decimal("1.50")}]}
    return parquet(
        records(),
        Note=pa.array([value, None, value], deep),
        Fixed=pa.array([[1, 2]] * 3, pa.list_(pa.int64(), 2)),
    )


@bad("Parquet with a map in a column that the contract does not know", suffix="parquet")
def map_unknown() -> bytes:
    return parquet(records(), Tags=pa.array([[("a", 1)]] * 3, pa.map_(pa.string(), pa.int64())))


@bad("Parquet with a duration in a column that the contract does not know", suffix="parquet")
def duration_unknown() -> bytes:
    return parquet(records(), Took=pa.array([dt.timedelta(seconds=5)] * 3, pa.duration("us")))


@bad("Parquet with unknown columns of rare types", suffix="parquet", valid=records())
def rare_types() -> bytes:
    return parquet(
        records(),
        Clock=pa.array([dt.time(9, 0)] * 3, pa.time64("us")),
        Void=pa.nulls(3),
        Flag=pa.array([True, False, None]),
        Wide=pa.array([Decimal(10) ** 37] * 3, pa.decimal128(38, 0)),
        Half=pa.array([1.5] * 3, pa.float32()).cast(pa.float16()),
        Stamp=pa.array([_LONDON_NOON] * 3, pa.timestamp("s")),
    )


@bad("Parquet with an image in a column that the contract does not know", suffix="parquet")
def image() -> bytes:
    return parquet(records(), Picture=pa.array([b"\x89PNG\xff\xfe\x00"] * 3, pa.binary()))


@bad("Parquet with an image nested in a column that the contract does not know", suffix="parquet")
def nested_image() -> bytes:
    kind = pa.struct([("bytes", pa.binary())])
    return parquet(records(), Picture=pa.array([{"bytes": b"\x89PNG\xff\xfe"}] * 3, kind))


@bad("Parquet with decimals of 76 digits", suffix="parquet")
def wide_decimals() -> bytes:
    return parquet(records(), UnitPrice=pa.array([Decimal("2.55")] * 3, pa.decimal256(76, 2)))


@bad("Parquet with times far beyond the calendar", suffix="parquet", valid=records(1), quarantined=2)
def far_times() -> bytes:
    # Microseconds that somebody wrote as milliseconds.
    stamps = pa.array([1299056400000, 1299056400000000, -99056400000000], pa.int64()).cast(pa.timestamp("ms"))
    return parquet(records(), InvoiceDate=stamps)


@bad("Parquet with not-a-number and infinite numbers", suffix="parquet", valid=records(1), quarantined=2)
def not_numbers() -> bytes:
    return parquet(records(), UnitPrice=pa.array([2.55, float("nan"), float("inf")]))


@bad("Parquet with a required column missing", suffix="parquet")
def missing() -> bytes:
    table = pa.table({name: [row[name] for row in records()] for name in HEADERS if name != "Quantity"})
    return written(table)


@bad("Parquet with a column name twice", suffix="parquet")
def twice() -> bytes:
    names = [*HEADERS, "Quantity"]
    return written(pa.Table.from_arrays([pa.array([row[name] for row in records()]) for name in names], names=names))


@bad("Parquet without rows", suffix="parquet")
def no_rows() -> bytes:
    return parquet([])


@bad("Parquet without columns", suffix="parquet")
def no_columns() -> bytes:
    return written(pa.table({}))


@bad("truncated Parquet", suffix="parquet")
def cut() -> bytes:
    return parquet(records(200))[:-500]


@bad("Parquet magic and nothing else", suffix="parquet")
def magic() -> bytes:
    return b"PAR1"


@bad("Parquet with a damaged page", suffix="parquet")
def damaged_page() -> bytes:
    table = pa.table({name: [row[name] for row in records(200)] for name in HEADERS})
    data = bytearray(written(table, compression="zstd", use_dictionary=False))
    for at in range(60, 90):
        data[at] ^= 0xFF
    return bytes(data)


def with_values(count: bytes) -> bytes:
    """Return Parquet of three records whose first page header says another number of values, as zigzag bytes."""
    whole = parquet(records(3))
    damaged = whole.replace(b"\x2c\x15\x06", b"\x2c\x15" + count, 1)
    if damaged == whole:
        message = "the page headers of this writer look otherwise"
        raise ValueError(message)
    return damaged


@bad("Parquet whose page header says too many values", suffix="parquet")
def too_many_values() -> bytes:
    return with_values(b"\x16")


@bad("Parquet with a damaged footer", suffix="parquet")
def damaged_footer() -> bytes:
    data = bytearray(parquet(records(200)))
    for at in range(len(data) - 400, len(data) - 300):
        data[at] ^= 0xFF
    return bytes(data)


@bad("Parquet whose footer length lies", suffix="parquet")
def lying_footer() -> bytes:
    return parquet(records())[:-8] + b"\xff\xff\xff\x7fPAR1"


@bad("a CSV that begins as Parquet does", suffix="parquet")
def false_magic() -> bytes:
    return b"PAR1" + sales_csv(records())


@bad("Parquet with 10,000 columns", suffix="parquet", valid=records())
def wide() -> bytes:
    return parquet(records(), **{f"more_{at}": pa.array([at] * 3) for at in range(10_000)})
