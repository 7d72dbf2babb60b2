"""A lazy frame that an engine reads bit by bit, so that a table larger than memory can be its input.

Not here: which tables are read so, and the session that has them.
"""

import polars as pl


class StreamedFrame:
    """Rows as a stream of Arrow, computed while they are taken; every scan of them is a query of its own.

    DuckDB collects a lazy frame whole, with the columns and rows that its query needs. Of a stream it takes all there
    is, and holds what it works on.
    """

    def __init__(self, frame: pl.LazyFrame) -> None:
        self._frame = frame

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return the rows, by the protocol of Arrow's PyCapsules. Nothing is computed before the first is taken."""
        return self._frame.collect_batches(lazy=True).__arrow_c_stream__(requested_schema)
