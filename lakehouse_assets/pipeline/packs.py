"""Packs: Parquet files that hold the records of many small bronze files of one partition.

A Delta table says which bronze files lie in which pack. A commit to it is what makes a pack hold them: everybody else
reads the small files until then, if there are any. Not here: reading records, and making packs.
"""

import datetime as dt
import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING

import polars as pl

from lakehouse_assets.contracts.declare import Column, Table
from lakehouse_assets.contracts.partitioning import YEAR, Partitioning
from lakehouse_assets.contracts.sql_text import literal
from lakehouse_assets.storage import delta, delta_log
from lakehouse_assets.storage.schema_evolution import open_table
from lakehouse_assets.storage.stores import Store

if TYPE_CHECKING:
    from deltalake import DeltaTable

TABLE = Table(
    layer="ops",
    name="packs",
    columns={
        "feed": Column(pl.String(), "Feed of the records."),
        "part": Column(pl.String(), "Partition: a business date, undated, a bucket of keys, or whole."),
        "file": Column(pl.String(), "Name of a bronze file, as the ledger has it, whose records lie in the pack."),
        "pack": Column(pl.String(), "Name of the pack, a bronze file of the same partition, without its ending."),
        "packed_at": Column(pl.Datetime("us", "UTC"), "When the pack took the place of the file."),
    },
    partitioning=Partitioning.SNAPSHOT,
    description="Which small bronze files lie in which pack.",
    owner="team:data-platform",
)
SCHEMA = TABLE.types
_STORED = SCHEMA | {"year": pl.String()}
_PREFIX = "pack-"
_WITHIN, _NAME_END = "-in-", 12
_REMEMBERED = 100
_KNOWN: dict[tuple[str, str], tuple[tuple[int, str, str], dict[str, pl.DataFrame]]] = {}


def new_name() -> str:
    """Return a name that no pack ever had: what a writer that died left under it is never taken for another pack."""
    return f"{_PREFIX}{uuid.uuid4().hex}"


def is_pack(path: str) -> bool:
    """Return whether a bronze object is a pack, by its path."""
    return path.rpartition("/")[2].startswith(_PREFIX)


def name_within(content: str, pack: str) -> str:
    """Return the name of a bronze file that never lay elsewhere than in a new pack."""
    return f"{content}{_WITHIN}{pack[-_NAME_END:]}"


def without_pack(file: str) -> pl.Expr:
    """Return the names of bronze files, in a column, as they were if each had been written by itself."""
    return pl.col(file).str.replace(rf"{_WITHIN}[0-9a-f]+$", "")


def content_of(file: str) -> str:
    """Return the hash of the content whose records a bronze file holds, by its name."""
    return file.partition("-")[0]


def known(store: Store, feed: str, partitions: Iterable[str] | None = None) -> pl.DataFrame:
    """Return which files lie in packs: the columns of `TABLE`.

    Args:
        partitions: Those wanted; None for all.
    """
    log = delta_log.read(store, TABLE.path)
    if log.version < 0:
        return pl.DataFrame(schema=SCHEMA)
    wanted = None if partitions is None else sorted(set(partitions))
    if wanted is None or len(wanted) > _REMEMBERED:
        return _read(store, feed, wanted)
    # An object that is read again asks for its partitions, and the next one mostly for the same.
    place = (store.root, feed)
    identity, found = _KNOWN.get(place, (None, dict[str, pl.DataFrame]()))
    if identity != log.identity or len(found) > _REMEMBERED:
        found = {}
    if missing := [partition for partition in wanted if partition not in found]:
        rows = _read(store, feed, missing)
        found = {**found, **{partition: rows.filter(pl.col("part") == partition) for partition in missing}}
        _KNOWN[place] = log.identity, found
    return pl.concat([pl.DataFrame(schema=SCHEMA), *(found[partition] for partition in wanted)])


def _read(store: Store, feed: str, partitions: list[str] | None) -> pl.DataFrame:
    rows = delta.scan(store, TABLE.path, _STORED).filter(pl.col("feed") == feed)
    if partitions is not None:
        rows = rows.filter(pl.col("part").is_in(partitions))
    try:
        return rows.select(*SCHEMA).collect()
    except delta.UNREADABLE as error:
        raise delta.unreadable(store, TABLE.path, error) from error


def placed(store: Store, feed: str, files: pl.DataFrame) -> pl.DataFrame:
    """Return bronze files with the `pack` that each lies in; null for a file of its own. They keep their order.

    Args:
        files: `part` and `file` of each, and whatever else.
    """
    packed = known(store, feed, files["part"].unique()).select("part", "file", "pack")
    return files.join(packed, on=["part", "file"], how="left", maintain_order="left")


def places(feed: str, partition: str, files: Iterable[str], pack: str) -> pl.DataFrame:
    """Return the rows of `TABLE` which say that some files lie in a pack as of now."""
    said = {"feed": feed, "part": partition, "file": list(files), "pack": pack, "packed_at": dt.datetime.now(dt.UTC)}
    return pl.DataFrame(said, schema=SCHEMA)


def opened(store: Store) -> "DeltaTable":
    """Open the table, creating it when there is none."""
    return open_table(store, TABLE.path, _STORED, TABLE.partitioning, ("feed", "year"))


def add(store: Store, table: "DeltaTable", feed: str, rows: pl.DataFrame) -> None:
    """Say where some more files lie, of which nothing was said before.

    Args:
        table: Opened before the landed objects were read whose records these are.
        rows: The columns of `TABLE`.

    Raises:
        Conflict: Somebody wrote for the feed since the table was opened.
    """
    delta.write_serially(store, table, _as_stored(rows), [feed])


def write(store: Store, table: "DeltaTable", feed: str, partitions: Iterable[str], rows: pl.DataFrame) -> None:
    """Replace what is known of some partitions of a feed; of none, the commit only makes other writers lose.

    Args:
        table: Opened before anything was read that the rows follow from.
        rows: The columns of `TABLE`.

    Raises:
        Conflict: Somebody wrote for the feed since the table was opened.
    """
    frame = _as_stored(rows)
    names = ", ".join(literal(partition) for partition in sorted(set(partitions)))
    if not names:
        delta.write_serially(store, table, frame, [feed])
        return
    predicate = f"feed = {literal(feed)} and part in ({names})"
    delta.write_serially(store, table, frame, [feed], mode="overwrite", predicate=predicate)


def _as_stored(rows: pl.DataFrame) -> pl.DataFrame:
    named = rows.sort("part", "file").with_columns(YEAR.alias("year"))
    return named.select(pl.col(name).cast(dtype) for name, dtype in _STORED.items())


def release(store: Store, feed: str, places: Iterable[tuple[str, str]]) -> None:
    """Have some files looked for under their own names again: their records in a pack are damaged.

    Args:
        places: Partition and name of each file.
    """
    wanted = set(places)
    partitions = {partition for partition, _ in wanted}
    if known(store, feed, partitions).is_empty():
        return
    gone = pl.DataFrame(sorted(wanted), schema={"part": pl.String, "file": pl.String}, orient="row")

    def attempt() -> None:
        table = opened(store)
        before = known(store, feed, partitions)
        after = before.join(gone, on=["part", "file"], how="anti")
        if after.height < before.height:
            write(store, table, feed, partitions, after)

    delta.until_committed(attempt)


def remove(store: Store, feed: str) -> None:
    """Forget the packs of a feed that is declared no more. Raises `Conflict`."""
    if delta.exists(store, TABLE.path):
        table = opened(store)
        delta.write_serially(
            store, table, pl.DataFrame(schema=_STORED), [feed], mode="overwrite", predicate=f"feed = {literal(feed)}"
        )
