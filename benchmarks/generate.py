"""Generated sales drops: one zip with one CSV a day, shaped like the real feed, the same bytes whenever it is asked.

Per invoice: about 20 lines, one customer (a quarter anonymous) in one country, numbers that only grow, 2% returns.
Per line: a product, popular ones more often, its text sometimes with spaces around it and its code in lower case.
1% of the lines stand there twice, and one in 2,000 breaks the contract.
"""

import datetime as dt
import io
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import polars as pl

HEADER = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
LINES_PER_INVOICE = 20
_PRODUCTS, _CUSTOMERS, _COUNTRIES = 4_000, 5_000, 38
_FIRST_INVOICE, _LAST_INVOICE = 100_000, 999_999
_ADJECTIVES = ("RED", "WHITE", "VINTAGE", "WOODEN", "ENAMEL", "GLASS", "RETROSPOT", "FELT", "WICKER", "CERAMIC")
_NOUNS = ("LANTERN", "TEA SET", "CAKE STAND", "BUNTING", "DOORMAT", "MUG", "CLOCK", "BASKET", "CANDLE", "FRAME")


def drops(folder: Path, start: dt.date, days: int, rows: int, first_day: int = 0) -> list[Path]:
    """Write the drops of some days and return their paths.

    Args:
        start: The date of day 0; days count from `first_day`.
        rows: Lines a day, doubled ones included.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda day: _drop(folder, start, day, rows), range(first_day, first_day + days)))


def csv_of(lines: pl.DataFrame) -> bytes:
    """Return lines as the retailer writes them."""
    return lines.write_csv().encode()


def lines_of(start: dt.date, day: int, rows: int) -> pl.DataFrame:
    """Return the lines of a day, every value a text."""
    distinct = rows - rows // 100
    invoices = distinct // LINES_PER_INVOICE + 1
    if (number := _FIRST_INVOICE + (day + 1) * invoices) > _LAST_INVOICE:
        msg = f"day {day} would begin with invoice {number:,}: six digits are not enough; take fewer days or rows."
        raise ValueError(msg)
    lines = _lines(day, distinct, invoices).join(_invoices(start, day, invoices), on="invoice", maintain_order="left")
    lines = lines.join(_products(), on="product", maintain_order="left")
    is_return = pl.col("dice") < 0.02
    spoilt = pl.int_range(pl.len()) % 2_000 == 1_999
    units = pl.col("units").cast(pl.String)
    lines = lines.select(
        (pl.when(is_return).then(pl.lit("C")).otherwise(pl.lit("")) + pl.col("number")).alias("InvoiceNo"),
        pl.when(pl.col("noise") < 0.02).then(pl.col("code").str.to_lowercase()).otherwise("code").alias("StockCode"),
        pl.when(pl.col("noise") > 0.8).then(pl.col("text") + " ").otherwise("text").alias("Description"),
        (pl.when(is_return).then(pl.lit("-")).otherwise(pl.lit("")) + units + pl.when(spoilt).then(pl.lit(".5"))
         .otherwise(pl.lit(""))).alias("Quantity"),
        "InvoiceDate",
        pl.col("price").alias("UnitPrice"),
        "CustomerID",
        "Country",
    )  # fmt: skip
    force = lines.filter(pl.int_range(pl.len()) % 97 == 0).head(rows - distinct)
    return pl.concat([lines, force])


def _drop(folder: Path, start: dt.date, day: int, rows: int) -> Path:
    date = start + dt.timedelta(days=day)
    path = folder / f"sales-{date}.zip"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr(f"sales-{date}.csv", csv_of(lines_of(start, day, rows)))
    path.write_bytes(buffer.getvalue())
    return path


def _dice(day: int, *names: str) -> Iterator[pl.Expr]:
    """Yield columns of numbers in [0, 1) that depend on the day, the row and the name only."""
    for name in names:
        seed = sum(ord(letter) * 31**at for at, letter in enumerate(name)) % 2**31
        row = pl.int_range(pl.len(), dtype=pl.UInt64) + day * 1_000_003
        yield ((row.hash(seed) % 2**32) / 2**32).alias(name)


def _lines(day: int, rows: int, invoices: int) -> pl.DataFrame:
    frame = pl.DataFrame({"row": range(rows)}).with_columns(_dice(day, "product_dice", "units_dice", "noise"))
    return frame.select(
        (pl.col("row") * invoices // rows).cast(pl.Int64).alias("invoice"),
        (pl.col("product_dice").pow(2) * _PRODUCTS).cast(pl.Int64).alias("product"),
        (pl.col("units_dice").pow(3) * 24 + 1).cast(pl.Int64).alias("units"),
        "noise",
    )


def _invoices(start: dt.date, day: int, invoices: int) -> pl.DataFrame:
    frame = pl.DataFrame({"invoice": range(invoices)}).with_columns(_dice(day, "dice", "anonymous", "customer"))
    opening = dt.datetime.combine(start + dt.timedelta(days=day), dt.time(8))
    customer = (pl.col("customer") * _CUSTOMERS).cast(pl.Int64)
    country = (pl.col("customer").pow(8) * _COUNTRIES).cast(pl.Int64)
    return frame.select(
        pl.col("invoice").cast(pl.Int64),
        "dice",
        (pl.col("invoice") + _FIRST_INVOICE + day * invoices).cast(pl.String).alias("number"),
        (pl.lit(opening) + pl.duration(minutes=pl.col("invoice") * 720 // invoices))
        .dt.strftime("%Y-%m-%d %H:%M:%S")
        .alias("InvoiceDate"),
        pl.when(pl.col("anonymous") >= 0.25).then((customer + 12_000).cast(pl.String) + ".0").alias("CustomerID"),
        (pl.lit("Country ") + country.cast(pl.String)).alias("Country"),
    )


@cache
def _products() -> pl.DataFrame:
    number = range(_PRODUCTS)
    return pl.DataFrame(
        {
            "product": pl.Series(number, dtype=pl.Int64),
            "code": [
                "POST" if at % 500 == 499 else f"{10_000 + 17 * at}{'' if at % 3 else chr(65 + at % 26)}"
                for at in number
            ],
            "text": [f"{_ADJECTIVES[at % 10]} {_NOUNS[at // 10 % 10]} NUMBER {at // 100}" for at in number],
            "price": [f"{0.42 + at % 23 * 0.55:.2f}" for at in number],
        }
    )
