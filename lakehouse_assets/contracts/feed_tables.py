"""The tables that follow from a feed's declaration: bronze, silver with the history of a keyed feed, quarantine."""

from collections.abc import Mapping
from typing import Protocol

import polars as pl

from lakehouse_assets.contracts import keys
from lakehouse_assets.contracts.keys import Key, bucket_column, history_columns
from lakehouse_assets.contracts.partitioning import Partitioning
from lakehouse_assets.contracts.periods import Period
from lakehouse_assets.contracts.source import columns_of
from lakehouse_assets.contracts.table import PROVENANCE, Column, Table


class Declared(keys.Declared, Protocol):
    """What is read here of a feed."""

    @property
    def description(self) -> str: ...

    @property
    def owner(self) -> str: ...

    @property
    def time_zone(self) -> str: ...

    @property
    def revision(self) -> int: ...

    @property
    def layout(self) -> Partitioning: ...

    @property
    def raw_layout(self) -> Partitioning: ...

    @property
    def partition_by(self) -> Period: ...

    @property
    def keyed(self) -> Key | None: ...

    @property
    def bronze(self) -> Table: ...


def bronze(feed: Declared) -> Table:
    """Return the records as they came: every value text, under its first header name."""
    columns = {
        origin.headers[0]: Column(pl.String(), f"As landed; becomes `{name}`.", personal=origin.personal)
        for name, origin in feed.sources.items()
    }
    columns["_extra"] = Column(pl.String(), "Fields that the contract does not know, as JSON.", personal=True)
    columns["_problem"] = Column(pl.String(), "What was wrong with the record's shape, if anything.")
    columns |= {name: Column(dtype, text) for name, (dtype, text) in PROVENANCE.items()}
    columns["_source_hash"] = Column(pl.String(), "SHA-256 of the source object's bytes.")
    columns["_ingested_at"] = Column(pl.Datetime("us", "UTC"), "When the record was first ingested.")
    text = f"{feed.description} As it came, with provenance."
    return Table("bronze", feed.name, _placed(feed, columns), feed.raw_layout, text, feed.owner)


def silver(feed: Declared) -> Table:
    """Return the published records: typed, validated, deduplicated; of a keyed feed the current state."""
    columns = columns_of(feed.contract)
    if feed.keyed is not None:
        columns |= bucket_column(feed.keyed)
    else:
        for name, dtype in feed.layout.columns.items():
            columns[name] = Column(dtype, f"{_dated(feed)} ({feed.time_zone}), partition.", nullable=False)
    columns |= _provenance()
    what = "Typed, validated, deduplicated." if feed.keyed is None else "The current state, a row per key."
    return Table("silver", feed.name, columns, feed.layout, f"{feed.description} {what}", feed.owner, feed.revision)


def history(feed: Declared, key: Key) -> Table:
    """Return every version of every key."""
    columns = history_columns(feed, key) | bucket_column(key) | _provenance()
    text = f"{feed.description} Every version of each key, with the time for which it holds."
    return Table("silver", f"{feed.name}_history", columns, feed.layout, text, feed.owner, feed.revision)


def quarantine(feed: Declared) -> Table:
    """Return the distinct records that fail the contract now, with the reasons and the raw values."""
    columns = {
        "rules": Column(pl.List(pl.String()), "Ids of all the rules that the record breaks.", nullable=False),
        **{name: column for name, column in feed.bronze.columns.items() if not name.startswith("_")},
        "_problem": feed.bronze.columns["_problem"],
        "_extra": feed.bronze.columns["_extra"],
        **_provenance(),
        "_source_hash": feed.bronze.columns["_source_hash"],
    }
    text = f"{feed.description} Records that fail the contract, with the rules they break."
    return Table("quarantine", feed.name, _placed(feed, columns), feed.raw_layout, text, feed.owner, feed.revision)


def by_rule(feed: Declared) -> Table:
    """Return how many distinct records break each rule now, by partition; it outlives the records themselves."""
    columns = {
        "rule": Column(pl.String(), "Rule that they break; a record may break several.", nullable=False),
        "records": Column(pl.Int64(), "Distinct records.", nullable=False),
    }
    text = f"{feed.description} How many records break each rule, also of dates whose quarantine has expired."
    name = f"{feed.name}_by_rule"
    return Table("quarantine", name, _placed(feed, columns), feed.raw_layout, text, feed.owner, feed.revision)


def _provenance() -> dict[str, Column]:
    return {name: Column(dtype, text, nullable=False) for name, (dtype, text) in PROVENANCE.items()}


def _placed(feed: Declared, columns: Mapping[str, Column]) -> Mapping[str, Column]:
    if feed.keyed is not None:
        return {**columns, **bucket_column(feed.keyed)}
    if not feed.business_date:
        return columns
    return {**columns, "dt": Column(pl.Date(), f"{_dated(feed)}; null when it cannot be read.")}


def _dated(feed: Declared) -> str:
    """Return what the partition column of a table by date says."""
    return "Business date" if feed.partition_by == "day" else f"First day of the business date's {feed.partition_by}"
