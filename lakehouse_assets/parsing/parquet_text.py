"""Parquet as a frame of strings, each value written so that reading it back gives the same value.

Read by Arrow, batch by batch: a damaged page ends in an error there, where it would end the process in Polars.
"""

from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from lakehouse_assets.parsing.archives import Rejection
from lakehouse_assets.parsing.records import Raw

_BYTES_PER_VALUE = 8
_BATCH = 16_384
_FEW = 64
_LONG_ROW = 4_096


def read_parquet(data: bytes, limit: int) -> Raw:
    """Read a Parquet file, every column as text; nested values as JSON.

    Raises:
        Rejection: The file is damaged, too large, or holds a type that has no text.
    """
    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        rows, width = file.metadata.num_rows, len(file.schema_arrow.names)
        if rows * max(width, 1) * _BYTES_PER_VALUE > limit:
            msg = f"it holds {rows:,} rows of {width} columns, more than memory is set aside for; land it in parts."
            raise Rejection(msg)
        for field in file.schema_arrow:
            _refuse_textless(field.name, field.type)
        frames, size = [], 0
        for batch in file.iter_batches(batch_size=_batch_rows(file)):
            frames.append(_text_frame(pa.Table.from_batches([batch])))
            size += sum(int(frames[-1][name].str.len_bytes().sum() or 0) for name in frames[-1].columns)
            if size > limit:
                msg = f"it has more than {limit:,} bytes of text; land it in parts."
                raise Rejection(msg)
        return Raw(pl.concat(frames) if frames else _text_frame(file.schema_arrow.empty_table()))
    except (pa.ArrowException, pl.exceptions.PolarsError, OSError, ValueError) as error:
        raise Rejection(_unreadable(error)) from None


def read_beginning(data: bytes | Path, rows: int) -> Raw:
    """Read the first rows of a Parquet file, without the rest of it. Raises `Rejection`."""
    try:
        file = pq.ParquetFile(pa.BufferReader(data) if isinstance(data, bytes) else data)
        for field in file.schema_arrow:
            _refuse_textless(field.name, field.type)
        frames, count = [_text_frame(file.schema_arrow.empty_table())], 0
        for batch in file.iter_batches(batch_size=min(_batch_rows(file), rows)):
            frames.append(_text_frame(pa.Table.from_batches([batch])))
            count += batch.num_rows
            if count >= rows:
                break
        return Raw(pl.concat(frames))
    except (pa.ArrowException, pl.exceptions.PolarsError, OSError, ValueError) as error:
        raise Rejection(_unreadable(error)) from None


def _unreadable(error: Exception) -> str:
    reason = (str(error).splitlines() or ["no reason given"])[0][:200]
    return f"the Parquet file cannot be read ({reason}); land it again, whole."


def _batch_rows(file: pq.ParquetFile) -> int:
    """Return how many rows to take at once: few where the first ones are long, as in a bomb."""
    first = next(file.iter_batches(batch_size=_FEW), None)
    if first is None or not first.num_rows:
        return _BATCH
    frame = _text_frame(pa.Table.from_batches([first]))
    size = sum(int(frame[name].str.len_bytes().sum() or 0) for name in frame.columns)
    return _BATCH if size / first.num_rows < _LONG_ROW else _FEW


def _text_frame(table: pa.Table) -> pl.DataFrame:
    table.validate(full=True)  # Arrow reads text that is no UTF-8, Polars stores it, and then nothing can read it
    frame = pl.DataFrame(table)
    for name, dtype in frame.schema.items():
        if dtype == pl.Binary:
            try:
                frame = frame.with_columns(pl.col(name).cast(pl.String))
            except pl.exceptions.PolarsError:
                msg = f"the column {name!r} holds bytes that are no UTF-8 text; land it as text."
                raise Rejection(msg) from None
    return frame.select(_as_text(name, dtype).alias(name) for name, dtype in frame.schema.items())


def _refuse_textless(name: str, kind: pa.DataType, inner: pa.DataType | None = None) -> None:
    """Raise `Rejection` for a type that has no text, wherever it is nested."""
    dtype = kind if inner is None else inner
    if (
        pa.types.is_map(dtype)
        or pa.types.is_duration(dtype)
        or pa.types.is_interval(dtype)
        or (inner and _is_binary(dtype))
    ):
        msg = f"the column {name!r} has the type {str(kind)[:60]}, which has no text; land it as another type."
        raise Rejection(msg)
    if pa.types.is_decimal256(dtype):
        msg = f"the column {name!r} has the type {str(kind)[:60]}, a precision of more than 38 digits; land it as text."
        raise Rejection(msg)
    for at in range(dtype.num_fields):
        _refuse_textless(name, kind, dtype.field(at).type)


def _is_binary(dtype: pa.DataType) -> bool:
    return pa.types.is_binary(dtype) or pa.types.is_large_binary(dtype) or pa.types.is_fixed_size_binary(dtype)


def _as_text(name: str, dtype: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    match dtype:
        case pl.Datetime(time_zone=None):
            return column.dt.strftime("%Y-%m-%d %H:%M:%S%.f").str.replace(r"\.0+$", "")
        case pl.Datetime():
            return column.dt.convert_time_zone("UTC").dt.strftime("%Y-%m-%d %H:%M:%S%.f+00:00")
        case pl.Struct():
            return pl.when(column.is_not_null()).then(column.struct.json_encode())
        case pl.List() | pl.Array():
            text = pl.struct(column.alias("v")).struct.json_encode().str.strip_prefix('{"v":').str.strip_suffix("}")
            return pl.when(column.is_not_null()).then(text)
        case _ if dtype.is_float():
            # Data frames write what is missing as NaN.
            return column.fill_nan(None).cast(pl.String).str.strip_suffix(".0")
        case _:
            return column.cast(pl.String)
