"""One model on several engines over the same tables: equal rows, to the last digit, or what differs."""

from collections.abc import Mapping

import polars as pl
from polars.testing import assert_frame_equal

from lakehouse_assets.contracts.declare import Model
from lakehouse_assets.dialects.spark_sql import spark_sql
from lakehouse_assets.engines.duckdb_session import session
from lakehouse_assets.pipeline.gold import _converted
from lakehouse_assets_tests.engines.spark_engine import SparkEngine

Tables = Mapping[str, pl.DataFrame]


def of_duckdb(model: Model, tables: Tables) -> pl.DataFrame:
    """Return what a model makes of some tables, as gold would store it, in one order."""
    connection = session(tables)
    try:
        return _stored(model, pl.DataFrame(connection.sql(model.query).to_arrow_table()))
    finally:
        connection.close()


def of_spark(model: Model, tables: Tables, engine: SparkEngine) -> pl.DataFrame:
    """Return what the model's SQL in Spark's dialect makes of them."""
    text = spark_sql(model.query, {name: frame.schema for name, frame in tables.items()})
    return _stored(model, engine.answer(text, tables))


def assert_equal(model: Model, tables: Tables, engine: SparkEngine) -> int:
    """Check that an engine makes the same rows as DuckDB; return how many."""
    expected = of_duckdb(model, tables)
    try:
        assert_frame_equal(of_spark(model, tables, engine), expected, check_exact=True)
    except AssertionError as difference:
        difference.add_note(f"{model.name} on {engine.engine} over {dict(tables)}")
        raise
    return expected.height


def _stored(model: Model, frame: pl.DataFrame) -> pl.DataFrame:
    declared = {name: column.dtype for name, column in model.schema.columns().items()}
    assert set(frame.columns) == set(declared)
    rows = frame.select(_converted(model, frame[name], dtype) for name, dtype in declared.items())
    nested = [name for name, dtype in rows.schema.items() if dtype.is_nested()]
    order = rows.with_columns(pl.struct(name).struct.json_encode().alias(name) for name in nested)
    return rows[order.with_row_index("_at").sort(rows.columns)["_at"]]
