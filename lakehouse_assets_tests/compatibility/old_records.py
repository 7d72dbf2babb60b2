"""The records and objects that the old lake is made of. Not here: what is done with them."""

import csv
import io
import json
import zipfile
from collections.abc import Mapping, Sequence

import polars as pl

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
