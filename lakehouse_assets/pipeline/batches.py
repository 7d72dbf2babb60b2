"""How partitions are cut into batches by their live rows, so that memory is bounded. Not here: what a batch is for."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import polars as pl

_Place = TypeVar("_Place")


def rows_by_partition(live: pl.DataFrame) -> dict[str, int]:
    """Return live bronze rows by partition."""
    return dict(live.group_by("part").agg(pl.col("rows").sum()).iter_rows())


def batches(partitions: Sequence[_Place], rows: Mapping[_Place, int], limit: int) -> list[list[_Place]]:
    """Cut partitions into consecutive batches of at most `limit` rows; a larger partition stands alone."""
    cut: list[list[_Place]] = []
    size = 0
    for partition in partitions:
        if not cut or size + rows.get(partition, 0) > limit:
            cut.append([])
            size = 0
        cut[-1].append(partition)
        size += rows.get(partition, 0)
    return cut
