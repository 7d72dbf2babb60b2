"""Column types as the Delta protocol, DuckDB and Spark spell them. Not here: tables."""

from typing import Any, cast

import polars as pl

_PLAIN = {
    pl.String: "string",
    pl.Int64: "long",
    pl.Int32: "integer",
    pl.Int16: "short",
    pl.Int8: "byte",
    pl.Float64: "double",
    pl.Float32: "float",
    pl.Boolean: "boolean",
    pl.Date: "date",
}


class SchemaMismatchError(Exception):
    """A declared table and the stored one disagree; nothing was written."""


def delta_type(dtype: pl.DataType) -> Any:  # noqa: ANN401 - JSON of the Delta protocol
    """Return the Delta type of a Polars type, as the protocol's JSON. Raises `SchemaMismatchError` if it has none."""
    if plain := _PLAIN.get(type(dtype)):
        return plain
    match dtype:
        case pl.Decimal():
            return f"decimal({dtype.precision},{dtype.scale})"
        case pl.Datetime(time_zone="UTC"):
            return "timestamp"
        case pl.List():
            return {"type": "array", "elementType": delta_type(cast("pl.DataType", dtype.inner)), "containsNull": True}
        case pl.Map():
            key, value = (delta_type(cast("pl.DataType", part)) for part in (dtype.key, dtype.value))
            return {"type": "map", "keyType": key, "valueType": value, "valueContainsNull": True}
        case pl.Struct():
            return {"type": "struct", "fields": [field(f.name, cast("pl.DataType", f.dtype)) for f in dtype.fields]}
        case _:
            msg = f"type {dtype} has no place in a Delta table; declare a string, integer, decimal, date or UTC time."
            raise SchemaMismatchError(msg)


def field(name: str, dtype: pl.DataType) -> dict[str, Any]:
    """Return a column as the Delta protocol's JSON has it. Every column is nullable there: contracts are stricter."""
    return {"name": name, "type": delta_type(dtype), "nullable": True, "metadata": {}}


def duckdb_type(dtype: pl.DataType) -> str:
    """Return the DuckDB spelling of a column type."""
    return _sql(delta_type(dtype))


def _sql(kind: Any) -> str:  # noqa: ANN401 - JSON of the Delta protocol
    if isinstance(kind, str):
        names = {"string": "VARCHAR", "long": "BIGINT", "integer": "INTEGER", "timestamp": "TIMESTAMPTZ"}
        return names.get(kind, kind.upper())
    if kind["type"] == "array":
        return f"{_sql(kind['elementType'])}[]"
    if kind["type"] == "map":
        return f"MAP({_sql(kind['keyType'])}, {_sql(kind['valueType'])})"
    return "STRUCT(" + ", ".join(f'"{f["name"]}" {_sql(f["type"])}' for f in kind["fields"]) + ")"


def spark_type(dtype: pl.DataType) -> str:
    """Return the SQL spelling of a column type, as Spark, Glue and Athena write it."""
    return hive_type(delta_type(dtype))


def hive_type(kind: Any) -> str:  # noqa: ANN401 - JSON of the Delta protocol
    """Return the same spelling of a type that is the Delta protocol's JSON."""
    if isinstance(kind, str):
        return {"long": "bigint", "integer": "int", "short": "smallint", "byte": "tinyint"}.get(kind, kind)
    if kind["type"] == "array":
        return f"array<{hive_type(kind['elementType'])}>"
    if kind["type"] == "map":
        return f"map<{hive_type(kind['keyType'])},{hive_type(kind['valueType'])}>"
    fields = ",".join(f"{field['name']}:{hive_type(field['type'])}" for field in kind["fields"])
    return f"struct<{fields}>"
