"""A keyed feed for tests: customers, whose changes come as records with an `op`. And what its tables have to be.

`expected` says it once more in plain Python, from the records alone. Not here: the tests.
"""

import csv
import datetime as dt
import io
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import dataframely as dy
import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Contract, Feed, source, upper
from lakehouse_assets.contracts.keys import HISTORY
from lakehouse_assets.contracts.partitioning import Partitioning
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.parsing.archives import SourceObject
from lakehouse_assets.parsing.buckets import buckets
from lakehouse_assets.parsing.parse import parse
from lakehouse_assets.storage import delta
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.retail import ingest, publish

HEADERS = ("id", "shop", "name", "city", "at", "op")


class Customers(Contract):
    """A customer as of a moment."""

    customer_id = dy.Int64(nullable=False, description="Number.", metadata=source("id", personal=True))
    shop = dy.String(nullable=False, description="Shop.", metadata=source(normalise=(upper,)))
    name = dy.String(nullable=False, description="Name.", metadata=source(personal=True))
    city = dy.String(nullable=True, description="City.")
    changed_at = dy.Datetime(time_zone="UTC", nullable=False, description="When.", metadata=source("at"))
    op = dy.String(nullable=False, regex="^[UD]$", description="U or D.")


class Change(NamedTuple):
    """One record: key, what it says (None for the values of a delete), minute of the change."""

    customer_id: int
    shop: str
    name: str | None
    city: str | None
    minute: int
    op: str = "U"


ANNA, ANNA_MOVED = Change(1, "A", "Anna", "Bern", 1), Change(1, "A", "Anna", "Basel", 5)
BOB, BOB_GONE = Change(2, "A", "Bob", None, 2), Change(2, "A", None, None, 4, "D")


def feed(**options: Any) -> Feed:
    """Return the feed, with some options other than its own."""
    declared: dict[str, Any] = {
        "name": "customers",
        "contract": Customers,
        "description": "Customers.",
        "owner": "team:x",
        "key": ("customer_id", "shop"),
        "versioned_by": "changed_at",
        "deleted_when": pl.col("op") == "D",
        "buckets": 3,
    }
    return Feed(**declared | options)


def lake_of(root: str, declared: Feed | None = None, **settings: Any) -> Lake:
    """Return a lake with this feed alone."""
    lake = lake_at(root, **settings)
    return Lake(lake.store, lake.settings, Registry([declared or feed()], []))


def moment(minute: int) -> dt.datetime:
    return dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + dt.timedelta(minutes=minute)


def changes_csv(changes: Iterable[Change], *, plain: bool = True) -> bytes:
    """Return a file of changes, their keys written in one way or in another that the contract reads alike."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(HEADERS)
    for change in changes:
        key = (
            (str(change.customer_id), change.shop) if plain else (f" 0{change.customer_id}", f"{change.shop.lower()} ")
        )
        at = f"{moment(change.minute):%Y-%m-%d %H:%M:%S}"
        writer.writerow([*key, change.name or "", change.city or "", at, change.op])
    return buffer.getvalue().encode()


def land(lake: Lake, key: str, changes: Iterable[Change], *, plain: bool = True) -> None:
    """Put a file of changes into landing."""
    lake.store.replace(f"landing/customers/{key}", changes_csv(changes, plain=plain))


def run(lake: Lake) -> None:
    """Ingest and publish all that is pending."""
    ingest(lake, feed="customers")
    publish(lake, feed="customers")


def current(lake: Lake) -> set[tuple[Any, ...]]:
    """Return the published state, without where it comes from."""
    return _rows(lake, "customers", (*Customers.columns(),))


def history(lake: Lake) -> set[tuple[Any, ...]]:
    """Return the published history, without where it comes from."""
    return _rows(lake, "customers_history", (*Customers.columns(), *HISTORY))


def shown(rows: pl.DataFrame) -> set[tuple[Any, ...]]:
    """Return rows of a candidate as `current` and `history` return those that are stored."""
    names = [*Customers.columns(), *(name for name in HISTORY if name in rows.columns)]
    found = rows.select(names).rows()
    assert len(set(found)) == len(found), "a row is there twice"
    return set(found)


def bronze(declared: Feed, files: Iterable[Iterable[Change]], *, plain: bool = False) -> pl.DataFrame:
    """Return files of changes as the live records that a candidate is computed from; keys in several ways, or plain."""
    frames = []
    for at, file in enumerate(files):
        source = SourceObject(f"{at}.csv", changes_csv(file, plain=plain or at % 2 == 0))
        records = parse(source.data, declared, 2**20)[0]
        frames.append(
            records.with_columns(
                buckets(records, declared),
                pl.lit(source.key).alias("_source_key"),
                pl.lit(source.hash).alias("_source_hash"),
                pl.lit(None, pl.List(pl.String)).alias("_waived"),
                pl.lit(value=False).alias("_discarded"),
                pl.lit(None, pl.Date).alias("dt"),
            )
        )
    whole = pl.concat(frames).with_columns(Partitioning.BY_BUCKET.partition.alias("_part"))
    return whole.sort("_part", "_source_key", "_line")


def _rows(lake: Lake, name: str, columns: tuple[str, ...]) -> set[tuple[Any, ...]]:
    table = lake.registry.table(f"silver.{name}")
    types = table.types
    rows = delta.scan(lake.store, table.path, types).select(columns).collect().rows()
    assert len(set(rows)) == len(rows), "a row is there twice"
    return set(rows)


def expected(changes: Iterable[Change]) -> tuple[set[tuple[Any, ...]], set[tuple[Any, ...]]]:
    """Return the state and the history that follow from records, whatever their order."""
    keys: dict[tuple[int, str], dict[int, Change]] = {}
    for change in set(changes):
        versions = keys.setdefault((change.customer_id, change.shop), {})
        versions[change.minute] = max(versions.get(change.minute, change), change, key=_rank)
    told: list[tuple[Any, ...]] = []
    for versions in keys.values():
        kept: list[Change] = []
        for _, change in sorted(versions.items()):
            if not kept or _says(kept[-1]) != _says(change):
                kept.append(change)
        for at, change in enumerate(kept):
            until = kept[at + 1].minute if at + 1 < len(kept) else None
            deleted = change.op == "D"
            values = (change.customer_id, change.shop, change.name, change.city, moment(change.minute), change.op)
            to = None if until is None else moment(until)
            told.append((*values, moment(change.minute), to, until is None and not deleted, deleted))
    return {row[:6] for row in told if row[8]}, set(told)


def _rank(change: Change) -> tuple[Any, ...]:
    # One that deletes counts more; then the larger values do, column by column, nothing being the smallest.
    return (change.op == "D", *((value is not None, value or "") for value in (change.name, change.city, change.op)))


def _says(change: Change) -> object:
    return "deleted" if change.op == "D" else (change.name, change.city, change.op)


def counted(outcomes: Mapping[str, Any]) -> dict[str, int]:
    """Return sums over the outcomes of buckets."""
    names = ("landed", "valid", "quarantined", "duplicates", "rows", "overruled")
    return {name: sum(getattr(outcome, name) for outcome in outcomes.values()) for name in names}
