"""Sales records for tests, and the steps that bring them through a lake without Dagster.

`line` is one valid record, `day` several distinct ones of a date, `sales_csv` the file of them. `land`, `ingest`,
`publish` and `build` do each step for all that is pending. `silver_rows` and `quarantine_rows` are what comes of it.
"""

import csv
import datetime as dt
import gzip
import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed, Model, Table
from lakehouse_assets.pipeline.gate import Outcome
from lakehouse_assets.pipeline.gold import Built
from lakehouse_assets.pipeline.gold import build as build_model
from lakehouse_assets.pipeline.ingest import Ingested
from lakehouse_assets.pipeline.ingest import ingest as ingest_objects
from lakehouse_assets.pipeline.pending import FeedState, ModelState
from lakehouse_assets.pipeline.silver import publish as publish_parts
from lakehouse_assets.sources.landing import pending
from lakehouse_assets.storage import delta

HEADERS = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
DAY = "2011-03-01"
Record = Mapping[str, str | None]


def line(**changes: str | None) -> dict[str, str | None]:
    """Return a valid record of `DAY` by its headers, with some values changed; None is an empty field."""
    record: dict[str, str | None] = {
        "InvoiceNo": "536365",
        "StockCode": "85123A",
        "Description": "WHITE HANGING HEART T-LIGHT HOLDER",
        "Quantity": "6",
        "InvoiceDate": f"{DAY} 08:26:00",
        "UnitPrice": "2.55",
        "CustomerID": "17850.0",
        "Country": "United Kingdom",
    }
    if odd := changes.keys() - record.keys():
        msg = f"not headers of a sales record: {sorted(odd)}"
        raise ValueError(msg)
    return record | changes


def day(date: dt.date | str = DAY, count: int = 3, **changes: str | None) -> list[dict[str, str | None]]:
    """Return distinct valid records of a date: quantity 1, 2, 3 ..., each worth quantity x 2.55."""
    return [line(**{"InvoiceDate": f"{date} 09:00:00", "Quantity": str(at + 1)} | changes) for at in range(count)]


def sales_csv(
    records: Iterable[Record] | int = 3,
    date: dt.date | str = DAY,
    *,
    columns: Sequence[str] = HEADERS,
    separator: str = ",",
    newline: str = "\n",
    encoding: str = "utf-8",
) -> bytes:
    """Return a CSV file of some records, or of that many distinct valid ones of a date."""
    if isinstance(records, int):
        records = day(date, records)
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=separator, lineterminator=newline)
    writer.writerow(columns)
    writer.writerows([[record.get(name) or "" for name in columns] for record in records])
    return buffer.getvalue().encode(encoding)


def zipped(members: Mapping[str, bytes]) -> bytes:
    """Return a zip of some members; the same members always give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def gzipped(data: bytes) -> bytes:
    """Return gzip bytes, always the same."""
    return gzip.compress(data, mtime=0)


def sales(lake: Lake) -> Feed:
    """Return the declared sales feed."""
    return lake.registry.feed("sales")


def land(lake: Lake, key: str, data: bytes, feed: str = "sales") -> None:
    """Put bytes into a feed's landing."""
    lake.store.replace(f"landing/{feed}/{key}", data)


def ingest(lake: Lake, run_id: str = "test", feed: str = "sales") -> list[Ingested]:
    """Ingest all that is pending in a feed's landing."""
    declared = lake.registry.feed(feed)
    found = list(pending(lake, declared, lake.ledger_of(declared)))
    return list(ingest_objects(lake, declared, found, run_id))


def publish(lake: Lake, run_id: str = "test", feed: str = "sales", *, force: bool = False) -> dict[str, Outcome]:
    """Decide every pending partition of a feed (all of them with `again`); return the outcomes by partition."""
    declared = lake.registry.feed(feed)
    state = FeedState.read(lake, declared, lake.ledger_of(declared))
    partitions = list(state.inputs) if force else state.pending
    return {
        o.partition: o for outcomes in publish_parts(lake, declared, partitions, run_id, force=force) for o in outcomes
    }


def build(lake: Lake, models: Iterable[Model] | None = None) -> dict[str, list[Built]]:
    """Build every pending partition of some models (all by default), in order; return what was built by model."""
    chosen = lake.registry.models.values() if models is None else models
    return {model.name: list(build_model(lake, model, ModelState.read(lake, model).pending)) for model in chosen}


def run(lake: Lake) -> dict[str, Outcome]:
    """Ingest, publish and build all that is pending in sales; return the publishing outcomes."""
    ingest(lake)
    outcomes = publish(lake)
    build(lake)
    return outcomes


def silver_rows(lake: Lake) -> pl.DataFrame:
    """Return the published sales, by source key and line."""
    return _rows(lake, sales(lake).silver)


def quarantine_rows(lake: Lake) -> pl.DataFrame:
    """Return the sales in quarantine, by source key and line."""
    return _rows(lake, sales(lake).quarantine)


def _rows(lake: Lake, table: Table) -> pl.DataFrame:
    columns = table.types
    return delta.scan(lake.store, table.path, columns).collect().sort("_source_key", "_line")
