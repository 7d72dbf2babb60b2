"""Packs that an ingest makes of small objects that it reads together, in place of a bronze file for each of them.

Each attempt gives the files in its pack new names, so what a dead ingest left behind is never taken for the records of
another one. Not here: the packs that maintenance makes of small files, and which files lie in packs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.pipeline import packs
from lakehouse_assets.pipeline.bronze import bronze_path, stored_columns
from lakehouse_assets.pipeline.rows import Rows
from lakehouse_assets.storage.stores import StorageError

FEWEST = 12
"""How many files packs have to save: fewer cost less than the commit that says where they lie."""


@dataclass(frozen=True)
class Packed:
    """Contents whose records lie in packs.

    Attributes:
        files: Names of their bronze files, by content.
        places: What `ops.packs` is to say of these, before the ledger names any of them.
    """

    files: Mapping[str, str] = field(default_factory=dict)
    places: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=packs.SCHEMA))


def pack_new(lake: Lake, feed: Feed, new: Mapping[str, Mapping[str, Rows]]) -> Packed:
    """Write the records of new contents into one pack for each partition; nothing where that saves few files.

    Args:
        new: Records by content and partition, in memory.
    """
    frames: dict[str, list[pl.DataFrame]] = {}
    contents: dict[str, list[str]] = {}
    for content, parts in new.items():
        for partition, rows in parts.items():
            frames.setdefault(partition, []).extend(rows)
            contents.setdefault(partition, []).append(content)
    if sum(map(len, contents.values())) - len(contents) < FEWEST:
        return Packed()
    name = packs.new_name()
    files = {content: packs.name_within(content, name) for content in new}
    places = [
        packs.places(feed.name, part, [files[content] for content in those], name) for part, those in contents.items()
    ]
    wholes = {partition: Rows(pl.concat(those, rechunk=True)) for partition, those in frames.items()}
    if max(rows.height for rows in wholes.values()) > lake.settings.publish_batch_rows:
        return Packed()
    try:
        for partition, rows in wholes.items():
            lake.store.create(bronze_path(feed, partition, name), rows.as_parquet(stored_columns(feed)))
    except StorageError:
        return Packed()  # each has a file of its own then, and what cannot be written is told of its object alone
    return Packed(files, pl.concat(places))
