"""The accounting of every source object and partition: what landed, and what became of it.

Here: the stored table and the comparison with the ledger. Not here: counting, which the candidate does.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import polars as pl

from lakehouse_assets.contracts.declare import Column, Table
from lakehouse_assets.contracts.partitioning import YEAR, Partitioning
from lakehouse_assets.contracts.sql_text import literal
from lakehouse_assets.pipeline.inputs import fingerprint
from lakehouse_assets.storage import delta, delta_log
from lakehouse_assets.storage.schema_evolution import open_table
from lakehouse_assets.storage.stores import Store

if TYPE_CHECKING:
    from deltalake import DeltaTable

TAKEN = ("duplicates", "discarded", "erased", "waiting")
"""Counts of records that are not published, for reasons other than a change of the contract."""
VERDICTS = ("published", "held", "outside")
TABLE = Table(
    layer="ops",
    name="accounting",
    columns={
        "feed": Column(pl.String(), "Feed of the source object."),
        "part": Column(pl.String(), "Partition: a business date, undated, a bucket of keys, or whole."),
        "source_key": Column(pl.String(), "Key of the source object."),
        "source_hash": Column(pl.String(), "SHA-256 of its bytes."),
        "landed": Column(pl.Int64(), "Records that the ledger knows of it in this partition."),
        "valid": Column(pl.Int64(), "Distinct records that keep the contract."),
        "quarantined": Column(pl.Int64(), "Distinct records that break it."),
        "waiting": Column(pl.Int64(), "Of these, records that only wait for what they reference; they lower no score."),
        "duplicates": Column(pl.Int64(), "Records equal to one that is counted elsewhere."),
        "discarded": Column(pl.Int64(), "Records that a person's decision takes out."),
        "erased": Column(pl.Int64(), "Blank lines that an erased person left."),
        "published": Column(pl.Int64(), "Valid records that are published."),
        "held": Column(pl.Int64(), "Valid records that the gate holds back."),
        "verdict": Column(pl.String(), "published, held, or outside (no business date, so no gate)."),
        "score": Column(pl.Float64(), "Quality score of the partition: valid / (valid + quarantined)."),
        "run_id": Column(pl.String(), "Dagster run that evaluated the candidate."),
    },
    partitioning=Partitioning.SNAPSHOT,
    description=(
        "Per source object and partition: landed = valid + quarantined + duplicates + discarded + erased, "
        "valid = published + held."
    ),
    owner="team:data-platform",
)
_SCHEMA = TABLE.types
_KNOWN: dict[str, tuple[tuple[int, str, str] | None, dict[str, dict[str, int]]]] = {}
# A file for each year: one more date writes some hundred short rows anew, and a sum over all dates opens few files.
_STORED = _SCHEMA | {"year": pl.String()}


def open_accounting(store: Store) -> "DeltaTable":
    """Open the table, creating it when there is none."""
    return open_table(
        store, TABLE.path, _STORED, TABLE.partitioning, ("feed", "year"), earlier_partitions=("feed", "part")
    )


def scan_accounting(store: Store) -> pl.LazyFrame:
    """Return the accounting of all feeds; empty before the first publishing."""
    return as_declared(delta.scan(store, TABLE.path, _SCHEMA))


def as_declared(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Return stored accounts with today's columns: those older than `erased` or `waiting` have no such records."""
    return delta.as_declared(rows, _SCHEMA).with_columns(pl.col("erased", "waiting").fill_null(0))


def write(
    store: Store,
    table: "DeltaTable",
    feed: str,
    fingerprints: dict[str, int],
    rows: pl.DataFrame,
    marks: Mapping[str, int] | None = None,
) -> None:
    """Replace the accounting of some partitions of a feed. Raises `Conflict` like every publishing commit.

    Args:
        fingerprints: By feed and partition, `sales/2011-03-01`.
        marks: What else the commit bears, by application id.
    """
    names = ", ".join(f"'{name.partition('/')[2]}'" for name in sorted(fingerprints))
    frame = rows.with_columns(pl.lit(feed).alias("feed"), YEAR.alias("year"))
    frame = frame.select(pl.col(n).cast(t) for n, t in _STORED.items())
    delta.replace(store, table, frame, f"feed = '{feed}' and part in ({names})", {**fingerprints, **(marks or {})})


def remove(store: Store, feed: str) -> None:
    """Remove the accounting of a feed that is declared no more, with its fingerprints. Raises `Conflict`."""
    known = delta.fingerprints(store, TABLE.path)
    marks = {name: 0 for name in known if name.startswith(f"{feed}/")}
    delta.replace(store, open_accounting(store), pl.DataFrame(schema=_STORED), f"feed = {literal(feed)}", marks)


def mark(feed: str, partition: str) -> str:
    """Return the application id under which the fingerprint of a feed's partition is kept here."""
    return f"{feed}/{partition}"


def bears(inputs: int, verdict: str) -> int:
    """Return the fingerprint that is stored with the account of a partition.

    A released date has the same inputs as when it was held, so the verdict is part of it.
    """
    return fingerprint([inputs, verdict])


def known(store: Store, feed: str) -> dict[str, int]:
    """Return the fingerprints that the accounts of a feed bear, by partition.

    They are sorted by feed once for each version of the table: every look at every feed asks for them.
    """
    log = delta_log.read(store, TABLE.path)
    version, by_feed = _KNOWN.get(store.root, (None, {}))
    if version != log.identity:
        by_feed = {}
        for name, value in log.transactions.items():
            owner, _, partition = name.partition("/")
            by_feed.setdefault(owner, {})[partition] = value
        _KNOWN[store.root] = log.identity, by_feed
    return by_feed.get(feed, {})


def has_other_inputs(stored: int, inputs: int) -> bool:
    """Return whether the account of a partition was computed from other inputs than these.

    Revisions of a feed have tables of their own and one account: it follows the revision that was published last.

    Args:
        stored: The fingerprint that is stored with the account; 0 where there is none.
    """
    return bool(stored) and all(stored != bears(inputs, verdict) for verdict in VERDICTS)


def unaccounted(live: pl.DataFrame, counted: pl.DataFrame) -> pl.DataFrame:
    """Return the partitions and sources whose ledger rows differ from what the candidate accounts for.

    Args:
        live: The expected rows per part and content, from the ledger and the decisions.
        counted: `Candidate.accounting` of the same ones.

    Returns:
        Columns `part`, `source_key`, `landed`, `found`; empty when every record is accounted for.
    """
    found = counted.select(
        pl.col("_part").alias("part"),
        "source_hash",
        pl.sum_horizontal("valid", "quarantined", "duplicates", "discarded", "erased").alias("found"),
    )
    both = live.join(found, on=["part", "source_hash"], how="full", coalesce=True).with_columns(
        pl.col("rows", "found").fill_null(0)
    )
    return both.filter(pl.col("rows") != pl.col("found")).select(
        "part", "source_key", pl.col("rows").alias("landed"), "found"
    )


def vanished(before: pl.DataFrame, now: pl.DataFrame, decisions: Mapping[str, int]) -> dict[str, int]:
    """Return how many records of each partition were published and are not any more, though nothing explains it.

    Only contents that were live then and are live now count: new bytes explain whatever becomes of their records. So
    do records that left the partition, became duplicates, were discarded or erased, wait for what they reference, or
    repeat another one's id, and decisions of people.

    Args:
        before: Accounts of what is published.
        now: Accounts of what is to be published in its place, with `displaced`.
        decisions: How many decisions were ever taken on records of each content.

    Returns:
        Partitions with such records only.
    """
    both = before.join(now, on=["part", "source_hash"], suffix="_now").with_columns(
        pl.col("source_hash").replace_strict(dict(decisions), default=0, return_dtype=pl.Int64).alias("decided")
    )
    left = (pl.col("landed") - pl.col("landed_now")).clip(lower_bound=0)
    taken = (pl.col(f"{name}_now") - pl.col(name) for name in TAKEN)
    explained = pl.sum_horizontal(left, "decided", "displaced", *(column.clip(lower_bound=0) for column in taken))
    gone = (pl.col("published") - pl.col("published_now") - explained).clip(lower_bound=0)
    found = both.group_by("part").agg(gone.sum().alias("gone")).filter(pl.col("gone") > 0)
    return dict(found.select("part", "gone").iter_rows())
