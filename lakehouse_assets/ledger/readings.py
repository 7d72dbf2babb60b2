"""In which ways contents were read before, from a feed's entries."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import polars as pl

from lakehouse_assets.ledger.entries import REJECTED, is_read_as


@dataclass(frozen=True)
class Reading:
    """One way in which a content was read.

    Attributes:
        file: Name of its bronze files, without the ending.
        rows: Records by partition.
    """

    version: str | None
    contract: str
    file: str
    rows: Mapping[str, int]

    def is_read_as(self, reading_version: str, contract: str) -> bool:
        """Return whether the content was read as a contract now says."""
        return is_read_as(self.version, self.contract, reading_version, contract)


class Readings:
    """The readings of a feed's contents, found without going through all entries for each."""

    def __init__(self, entries: pl.DataFrame) -> None:
        self._entries = entries
        hashes = entries.select(pl.col("source_hash").hash().alias("hash")).with_row_index("row").sort("hash")
        self._hashes, self._rows = hashes["hash"], hashes["row"]

    def of(self, source_hash: str) -> list[Reading]:
        """Return the ways in which a content was ever read without being refused, the last one first."""
        entries = self._of_content(source_hash)
        readings: list[Reading] = []
        if not entries.height:  # mostly: what lands is new
            return readings
        found = entries.filter(pl.col("state") != REJECTED).sort("version", descending=True)
        for (_, reading, contract), rows in found.group_by("version", "dating", "contract", maintain_order=True):
            file = rows["file"].fill_null(source_hash)[0]
            partitions = dict(rows.select("part", "rows").drop_nulls("part").iter_rows())
            readings.append(Reading(cast("str | None", reading), str(contract), file, partitions))
        return readings

    def _of_content(self, source_hash: str) -> pl.DataFrame:
        wanted = pl.Series([source_hash]).hash()[0]
        first, last = bisect_left(self._hashes, wanted), bisect_right(self._hashes, wanted)
        if first == last:
            return self._entries.clear()
        return self._entries[self._rows.slice(first, last - first)].filter(pl.col("source_hash") == source_hash)
