"""Column types that contracts need and dataframely lacks."""

from typing import Any

import dataframely as dy
import polars as pl


class TextMap(dy.Any):
    """A map from text to text, `MAP<STRING, STRING>` in SQL; never null."""

    def __init__(self, *, description: str | None = None, metadata: dict[str, Any] | None = None) -> None:
        super().__init__(description=description, metadata=metadata)
        self.nullable = False

    @property
    def dtype(self) -> pl.DataType:
        """The Polars type."""
        return pl.Map(pl.String(), pl.String())
