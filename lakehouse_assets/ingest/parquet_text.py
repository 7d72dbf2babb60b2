"""Parquet as a frame of strings, each value written so that reading it back gives the same value."""

import io

import polars as pl

from lakehouse_assets.ingest.raw import Raw
from lakehouse_assets.ingest.unpack import Rejection

_MAGIC = b"PAR1"
_BYTES_PER_VALUE = 8


def is_parquet(data: bytes) -> bool:
    """Return whether some bytes begin as a Parquet file does."""
    return data.startswith(_MAGIC)


def read_parquet(data: bytes, limit: int) -> Raw:
    """Read a Parquet file, every column as text; nested values as JSON.

    Raises:
        Rejection: The file is damaged, too large, or holds a type that has no text.
    """
    try:
        lazy = pl.scan_parquet(io.BytesIO(data))
        schema = lazy.collect_schema()
        rows = lazy.select(pl.len()).collect().item()
        if rows * max(len(schema), 1) * _BYTES_PER_VALUE > limit:
            msg = (
                f"it holds {rows:,} rows of {len(schema)} columns, more than memory is set aside for; land it in parts."
            )
            raise Rejection(msg)
        return Raw(lazy.select(_as_text(name, dtype).alias(name) for name, dtype in schema.items()).collect())
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        msg = f"the Parquet file cannot be read ({str(error).splitlines()[0]}); land it again, whole."
        raise Rejection(msg) from None


def _as_text(name: str, dtype: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    match dtype:
        case pl.Datetime(time_zone=None):
            return column.dt.strftime("%Y-%m-%d %H:%M:%S%.f").str.replace(r"\.0+$", "")
        case pl.Datetime():
            return column.dt.convert_time_zone("UTC").dt.strftime("%Y-%m-%d %H:%M:%S%.f+00:00")
        case pl.Struct():
            return column.struct.json_encode()
        case pl.List() | pl.Array():
            return pl.struct(column.alias("v")).struct.json_encode().str.strip_prefix('{"v":').str.strip_suffix("}")
        case _ if dtype.is_float():
            return column.cast(pl.String).str.strip_suffix(".0")
        case _:
            return column.cast(pl.String)
