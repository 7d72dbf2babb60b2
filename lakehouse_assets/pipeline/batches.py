"""How partitions are cut into batches by their live rows, so that memory is bounded. Not here: what a batch is for."""

import polars as pl


def rows_by_partition(live: pl.DataFrame) -> dict[str, int]:
    """Return live bronze rows by partition."""
    return dict(live.group_by("part").agg(pl.col("rows").sum()).iter_rows())


def batches(partitions: list[str], rows: dict[str, int], limit: int) -> list[list[str]]:
    """Cut partitions into consecutive batches of at most `limit` rows; a larger partition stands alone."""
    cut: list[list[str]] = []
    size = 0
    for partition in partitions:
        if not cut or size + rows.get(partition, 0) > limit:
            cut.append([])
            size = 0
        cut[-1].append(partition)
        size += rows.get(partition, 0)
    return cut
