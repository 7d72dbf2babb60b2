"""A source object as its format's reader gives it, before any contract. Here only the form, for all readers."""

from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True)
class Raw:
    """Records of a source object.

    Attributes:
        frame: One string column per field, one row per record.
        problems: What is wrong with the shape of each record, null where nothing is; None when nothing is anywhere.
        extras: What of a record did not fit its fields, as text; None like `problems`.
        is_plain: Whether it is known that all text is ASCII without NUL, so that no value needs to be looked at for it.
    """

    frame: pl.DataFrame
    problems: pl.Series | None = None
    extras: pl.Series | None = None
    is_plain: bool = False
