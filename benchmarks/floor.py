"""The floor: the sales job from landed files to gold, written by hand for this one feed in Polars and delta-rs.

`python -m benchmarks.floor LANDING LAKE REPORT` does what the product does with the same files, and nothing around it:
no contract, no ledger, no fingerprints, no gate, no events, no other formats, no other feeds. It trusts that an object
holds one date. Each batch of objects goes from bytes to gold in one pass, in memory; only the snapshots read back what
was written. Dates of which bronze already holds records are computed again whole, as the product does.
"""

import datetime as dt
import json
import os
import sys
import time
import zipfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import polars as pl
from deltalake import DeltaTable, write_deltalake

from benchmarks import STARTED
from benchmarks.floor_gold import by_date, snapshots

BATCH_BYTES = 24 * 2**20
ZONE = "Europe/London"
TEXTS = {
    "invoice_no": pl.col("InvoiceNo").str.strip_chars(),
    "stock_code": pl.col("StockCode").str.strip_chars().str.to_uppercase(),
    "description": pl.col("Description").str.strip_chars(),
    "quantity": pl.col("Quantity").str.strip_chars(),
    "invoiced_at": pl.col("InvoiceDate").str.strip_chars(),
    "unit_price": pl.col("UnitPrice").str.strip_chars(),
    "customer_id": pl.col("CustomerID").str.strip_chars().str.strip_suffix(".0"),
    "country": pl.col("Country").str.strip_chars(),
}
NUMBERS = {
    "quantity": (r"^[+-]?[0-9]+$", pl.Int64()),
    "unit_price": (r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)$", pl.Decimal(18, 4)),
}
IS_RETURN = pl.col("invoice_no").str.starts_with("C")
IS_SALE = (
    pl.col("invoice_no").str.contains(r"^[0-9]{6}$")
    & pl.col("stock_code").str.contains(r"^[0-9]{5}[A-Z]{0,2}$")
    & (pl.col("quantity") > 0)
    & (pl.col("unit_price") > 0)
)
BROKEN = {
    "quantity_readable": pl.col("quantity").is_null(),
    "invoiced_at_readable": pl.col("invoiced_at").is_null(),
    "invoiced_at_in_range": ~pl.col("dt").is_between(dt.date(2009, 1, 1), dt.datetime.now(dt.UTC).date()),
    "unit_price_readable": pl.col("unit_price").is_null(),
    "unit_price_scale": pl.col("UnitPrice").str.contains(r"\.[0-9]{4}[0-9]*[1-9]"),
    "unit_price_min": pl.col("unit_price") < 0,
    "invoice_no_regex": ~pl.col("invoice_no").str.contains(r"^[CA]?[0-9]{6}$").fill_null(value=False),
    "stock_code_required": pl.col("stock_code").is_null(),
    "country_required": pl.col("country").is_null(),
    "cancellation_not_positive": IS_RETURN & (pl.col("quantity") > 0),
}
RAW = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
PROVENANCE = ("_source_key", "_line")
SECONDS: dict[str, float] = {}


@contextmanager
def timed(step: str) -> Iterator[None]:
    """Add the time of a block to a step's."""
    began = time.perf_counter()
    try:
        yield
    finally:
        SECONDS[step] = SECONDS.get(step, 0) + time.perf_counter() - began


def batches(objects: list[Path]) -> Iterator[list[Path]]:
    """Cut objects into batches bounded in decompressed bytes."""
    batch: list[Path] = []
    size = 0
    for path in objects:
        plain = sum(m.file_size for m in zipfile.ZipFile(path).infolist()) if path.suffix == ".zip" else 0
        plain = plain or path.stat().st_size
        if batch and size + plain > BATCH_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(path)
        size += plain
    if batch:
        yield batch


def read(landing: Path, path: Path) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield the source objects of a landed file as text columns with provenance."""
    key = path.relative_to(landing).as_posix()
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            sources = [(f"{key}!{name}", archive.read(name)) for name in archive.namelist()]
    else:
        sources = [(key, path.read_bytes())]
    for source, data in sources:
        yield (
            source,
            pl.read_csv(data, infer_schema=False).select(
                *RAW,
                pl.lit(source).alias("_source_key"),
                pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias("_line"),
            ),
        )


def to_bronze(landing: Path, lake: Path, path: Path) -> list[pl.DataFrame]:
    """Write the source objects of a landed file below their date; return them with what bronze already has of it."""
    found = []
    for source, frame in read(landing, path):
        date = frame["InvoiceDate"].drop_nulls()[0][:10]
        folder = lake / f"bronze/sales/dt={date}"
        file = folder / f"{source.replace('/', '_')}.parquet"
        older = [pl.read_parquet(other) for other in folder.glob("*.parquet") if other != file]
        folder.mkdir(parents=True, exist_ok=True)
        frame.write_parquet(file, compression="snappy")
        found += [*older, frame]
    return found


def candidate(bronze: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return silver and quarantine: normalised, deduplicated, cast, checked."""
    texts = bronze.lazy().with_columns(pl.when(text != "").then(text).alias(name) for name, text in TEXTS.items())
    local = pl.col("invoiced_at").str.strptime(pl.Datetime("us"), "%Y-%m-%d %H:%M:%S", strict=False)
    typed = texts.with_columns(
        *(
            pl.when(pl.col(name).str.contains(pattern)).then(pl.col(name).cast(dtype, strict=False)).alias(name)
            for name, (pattern, dtype) in NUMBERS.items()
        ),
        local.dt.replace_time_zone(ZONE, ambiguous="earliest", non_existent="null")
        .dt.convert_time_zone("UTC")
        .alias("invoiced_at"),
        local.dt.date().alias("dt"),
    ).collect()
    # Where a value cannot be read exactly its text takes part, so that two different wrong ones stay two records.
    wrong = {n: pl.col(n).is_null() & pl.col(raw).is_not_null() for n, raw in zip(TEXTS, RAW, strict=True)}
    wrong["unit_price"] |= BROKEN["unit_price_scale"]
    odd = [name for name in ("quantity", "invoiced_at", "unit_price") if typed.select(wrong[name].any()).item()]
    same = typed.select(
        *TEXTS,
        *(pl.when(wrong[n]).then(pl.col(RAW[list(TEXTS).index(n)]).str.strip_chars()).alias(f"_{n}") for n in odd),
    )
    kept = typed.filter(first_of_each(same))
    flags = kept.select(broken.fill_null(value=False).alias(rule) for rule, broken in BROKEN.items())
    bad = flags.select(pl.any_horizontal(pl.all())).to_series()
    silver = kept.filter(~bad).select(
        *TEXTS,
        pl.when(IS_RETURN).then(pl.lit("return")).when(IS_SALE).then(pl.lit("sale")).otherwise(pl.lit("adjustment"))
        .alias("line_type"),
        (pl.col("quantity") * pl.col("unit_price")).cast(pl.Decimal(38, 4)).alias("line_amount"),
        "dt",
        *PROVENANCE,
    )  # fmt: skip
    rules = flags.filter(bad).select(
        pl.concat_list(pl.when(pl.col(name)).then(pl.lit(name)) for name in flags.columns).list.drop_nulls()
    )
    quarantine = kept.filter(bad).select(rules.to_series().alias("rules"), *RAW, *PROVENANCE, "dt")
    return silver, quarantine


def first_of_each(values: pl.DataFrame) -> pl.Series:
    """Return which rows are the first of their kind; only rows that share a hash are compared by value."""
    suspects = values.hash_rows().is_duplicated().arg_true()
    force = suspects.filter(~values.select(pl.all().gather(suspects)).to_struct().is_first_distinct())
    kept = pl.repeat(value=True, n=values.height, eager=True)
    return kept.scatter(force, False) if force.len() else kept  # noqa: FBT003


def write(lake: Path, name: str, frame: pl.DataFrame, dates: list[dt.date]) -> None:
    """Replace some dates of a Delta table, or a whole snapshot, in one commit."""
    path = str(lake / name)
    partitions: list[str] = [name for name in ("dt", "year", "month", "day") if dates and name in frame.columns]
    if not DeltaTable.is_deltatable(path) or not partitions:
        write_deltalake(path, frame, mode="overwrite", partition_by=partitions or None)
        return
    if "dt" in partitions:
        predicate = f"dt in ({', '.join(repr(str(date)) for date in dates)})"
    else:
        days = ", ".join(str(date.year * 10_000 + date.month * 100 + date.day) for date in dates)
        predicate = f"year * 10000 + month * 100 + day in ({days})"
    write_deltalake(path, frame, mode="overwrite", predicate=predicate)


def run(landing: Path, lake: Path) -> None:
    """Bring every object of a landing folder into the tables of a lake."""
    objects: Iterable[list[Path]] = batches(sorted(path for path in landing.rglob("*") if path.is_file()))
    with ThreadPoolExecutor(2) as pool:
        for batch in objects:
            with timed("ingest"):
                bronze = pl.concat([f for fs in pool.map(lambda p: to_bronze(landing, lake, p), batch) for f in fs])
            with timed("silver"):
                silver, quarantine = candidate(bronze.sort(PROVENANCE) if len(batch) == 1 else bronze)
                del bronze
                dates = silver["dt"].unique().sort().to_list()
                write(lake, "silver/sales", silver, dates)
                write(lake, "quarantine/sales", quarantine, dates)
            with timed("gold by date"):
                for name, frame in by_date(silver):
                    write(lake, f"gold/{name}", frame, dates)
    with timed("gold snapshot"):
        for name, frame in snapshots(lake):
            write(lake, f"gold/{name}", frame, [])


if __name__ == "__main__":
    imported = time.monotonic() - float(os.environ[STARTED])
    run(Path(sys.argv[1]), Path(sys.argv[2]))
    Path(sys.argv[3]).write_text(json.dumps({"imports": imported, "steps": SECONDS}), encoding="utf-8")
