"""Gold on Spark: which builds go there, and their rows. Not here: what becomes of the rows, which is as for DuckDB."""

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Model
from lakehouse_assets.contracts.partitioning import Partitioning
from lakehouse_assets.dialects.spark_sql import view_name
from lakehouse_assets.engines.spark import Start, files_of, input_of, staged
from lakehouse_assets.engines.spark_models import may_run, readable, work_of
from lakehouse_assets.pipeline.model_inputs import upstream_tables

BATCHES = 10
"""How many batches of DuckDB one job computes: its memory bounds what is read there, and here only the result."""


def is_for_spark(lake: Lake, model: Model, partitions: list[str]) -> bool:
    """Return whether some partitions of a model are computed by Spark: as declared, or by the bytes to read."""
    limit = lake.settings.spark_above_bytes
    if not lake.settings.spark or not may_run(model, everything=limit > 0):
        return False
    return model.takes_spark or model.engine == "spark" or bytes_read(lake, model, partitions) > limit


def lacks_spark(lake: Lake, model: Model) -> str | None:
    """Return why a model cannot be computed at all in a lake without Spark, and what to do; None where it can."""
    if lake.settings.spark or not model.takes_spark:
        return None
    return "it takes Spark DataFrames, and LAKEHOUSE_SPARK is empty; set it to sail, local or emr-serverless"


def is_only_elsewhere(lake: Lake, model: Model) -> bool:
    """Return whether a model can be computed by Dagster runs only, which reach the Spark of the account."""
    return model.takes_spark and lake.settings.spark == "emr-serverless"


def bytes_read(lake: Lake, model: Model, partitions: list[str]) -> int:
    """Return how many stored bytes are read to build some partitions, as the tables' logs say it."""
    asked = None if model.layout is Partitioning.SNAPSHOT else partitions
    return sum(int(files_of(lake.store, t, asked)[1]["size_bytes"].sum()) for t in upstream_tables(lake, model))


def rows(lake: Lake, model: Model, partitions: list[str], start: Start) -> pl.DataFrame:
    """Return what Spark makes of the tables that a model reads.

    Raises:
        SparkError: It fails.
    """
    asked = None if model.layout is Partitioning.SNAPSHOT else partitions
    columns = readable(lake.registry, model)
    inputs = []
    for table in upstream_tables(lake, model):
        name = table.full_name
        inputs.append(input_of(lake.store, table, asked, view_name(name), list(columns[name])))
    work = work_of(lake.registry, model)
    with staged(lake.store, lake.settings, model.table.full_name, work, inputs, start) as found:
        if found is None:  # Sail writes no file for no rows
            return pl.DataFrame(schema={name: column.dtype for name, column in model.schema.columns().items()})
        return found
