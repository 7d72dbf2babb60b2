"""The SQL that puts rows of a gold table into Redshift, and the file that it loads. Not here: calls, what is pending.

Text goes into a staging table as it is; what is nested becomes SUPER by `JSON_PARSE`.
"""

import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from lakehouse_assets.contracts.sql_text import identifier, literal
from lakehouse_assets.serving.attributes import as_json, attribute
from lakehouse_assets.storage.stores import StorageError

LONGEST_TEXT = 65_535
"""Bytes that a VARCHAR holds at most."""
_NULL = "@NULL@"
_PLAIN = {
    pl.String(): f"VARCHAR({LONGEST_TEXT})",
    pl.Int64(): "BIGINT",
    pl.Int32(): "INTEGER",
    pl.Int16(): "SMALLINT",
    pl.Int8(): "SMALLINT",
    pl.Float64(): "DOUBLE PRECISION",
    pl.Float32(): "REAL",
    pl.Boolean(): "BOOLEAN",
    pl.Date(): "DATE",
}
_NESTED = "SUPER"


def type_of(dtype: pl.DataType) -> str:
    """Return the type in Redshift of a stored column."""
    match dtype:
        case pl.Decimal():
            return f"DECIMAL({dtype.precision}, {dtype.scale})"
        case pl.Datetime():
            return "TIMESTAMPTZ"
        case pl.List() | pl.Map() | pl.Struct():
            return _NESTED
        case _:
            return _PLAIN[dtype]


@dataclass(frozen=True)
class Target:
    """A table in Redshift: its place, and the types of its columns there by name."""

    schema: str
    name: str
    types: Mapping[str, str]

    @property
    def full_name(self) -> str:
        """The quoted name with the schema."""
        return f"{identifier(self.schema)}.{identifier(self.name)}"

    def statements(self, file: str, role: str, dates: tuple[str, Sequence[str]] | None, *, anew: bool) -> list[str]:
        """Return the statements of one transaction that puts the rows of a file in place of others.

        Args:
            file: The file in S3.
            role: ARN of the role with which Redshift reads it; empty for its default one.
            dates: The date column and the dates that are replaced; None for the whole table.
            anew: Make the table anew before.
        """
        staging = identifier(f"staging_{self.name}")
        staged = {name: _staged(dtype) for name, dtype in self.types.items()}
        columns = ", ".join(map(identifier, self.types))
        values = ", ".join(
            f"JSON_PARSE({name})" if dtype == _NESTED else name
            for name, dtype in zip(map(identifier, self.types), self.types.values(), strict=True)
        )
        made = [f"DROP TABLE IF EXISTS {self.full_name}"] if anew else []
        deleted = f"DELETE FROM {self.full_name}"  # noqa: S608 - names are quoted
        if dates is not None:
            deleted += f" WHERE {identifier(dates[0])} IN ({', '.join(map(literal, dates[1]))})"
        by = literal(role) if role else "default"
        how = f"FORMAT CSV GZIP IGNOREHEADER 1 NULL AS {literal(_NULL)} TIMEFORMAT 'auto' DATEFORMAT 'auto'"
        return [
            f"CREATE SCHEMA IF NOT EXISTS {identifier(self.schema)}",
            *made,
            f"CREATE TABLE IF NOT EXISTS {self.full_name} ({_columns(self.types)})",
            f"CREATE TEMP TABLE {staging} ({_columns(staged)})",
            f"COPY {staging} FROM {literal(file)} IAM_ROLE {by} {how}",
            deleted,
            f"INSERT INTO {self.full_name} ({columns}) SELECT {values} FROM {staging}",  # noqa: S608 - names are quoted
            f"DROP TABLE {staging}",
        ]


def target(schema: str, name: str, columns: Mapping[str, pl.DataType]) -> Target:
    """Return the table in Redshift of a gold table with some stored columns."""
    return Target(schema, name, {column: type_of(dtype) for column, dtype in columns.items()})


def file_of(frame: pl.DataFrame) -> bytes:
    """Return rows as the compressed CSV file that the statements load.

    Raises:
        StorageError: A text is longer than Redshift takes, or would be read as null.
    """
    for name, dtype in frame.schema.items():
        text = frame[name]
        if dtype == pl.String() and (text.str.len_bytes().max() or 0) > LONGEST_TEXT:  # type: ignore[operator]
            msg = f"a text in the column {name!r} has more than {LONGEST_TEXT:,} bytes, which Redshift cannot hold"
            raise StorageError(msg)
        if dtype == pl.String() and (text == _NULL).any():
            msg = f"the column {name!r} has the text {_NULL}, which Redshift reads as null"
            raise StorageError(msg)
    told = frame.select(_for_copy(frame[name]) for name in frame.columns)
    return gzip.compress(told.write_csv(null_value=_NULL).encode(), mtime=0)


def _for_copy(column: pl.Series) -> pl.Series:
    """Return a column as COPY reads it."""
    match column.dtype:
        case pl.List() | pl.Map() | pl.Struct():
            texts = [None if value is None else as_json(attribute(value)) for value in _values(column)]
            return pl.Series(column.name, texts, pl.String)
        case pl.Datetime():
            return column.dt.strftime("%Y-%m-%d %H:%M:%S%.6f+00:00")
        case pl.Float64() | pl.Float32():
            texts = [None if value is None else _float(value) for value in column]
            return pl.Series(column.name, texts, pl.String)
        case _:
            return column


def _values(column: pl.Series) -> list[object]:
    # `iter_rows` gives maps as Python has them.
    return [value for (value,) in column.to_frame().iter_rows()]


def _float(value: float) -> str:
    return {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}.get(repr(value), repr(value))


def _staged(dtype: str) -> str:
    return f"VARCHAR({LONGEST_TEXT})" if dtype == _NESTED else dtype


def _columns(types: Mapping[str, str]) -> str:
    return ", ".join(f"{identifier(name)} {dtype}" for name, dtype in types.items())
