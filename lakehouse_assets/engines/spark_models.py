"""Which models may run on Spark, and their SQL there. Not here: the translation, and running it."""

from dataclasses import dataclass

import polars as pl

from lakehouse_assets.contracts.declare import ContractError, Model
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.dialects.spark_sql import spark_sql
from lakehouse_assets.dialects.spark_types import NotInSparkError


@dataclass(frozen=True)
class Translatable:
    """Checks that the SQL of the models that may run on Spark can be translated.

    Attributes:
        everything: A model may run on Spark that declares no engine, too.
    """

    everything: bool

    def __call__(self, registry: Registry, model: Model) -> None:
        """Raise `ContractError` for a model that may run on Spark and cannot."""
        if may_run(model, everything=self.everything):
            translated(registry, model)


def may_run(model: Model, *, everything: bool) -> bool:
    """Return whether a model may run on Spark, where there is one."""
    return model.engine == "spark" or (everything and model.engine is None and model.function is None)


def readable(registry: Registry, model: Model) -> dict[str, dict[str, pl.DataType]]:
    """Return the columns that a model's SQL may read, by SQL name of the table."""
    tables = {name: registry.table(name).columns for name in model.upstream}
    found = {name: {n: column.dtype for n, column in columns.items()} for name, columns in tables.items()}
    for history in {join.history for join in registry.as_of(model)}:
        joins = [join for join in registry.as_of(model) if join.history == history]
        # Of any other column a change would not be noticed.
        read = {
            *(theirs for _, theirs in joins[0].keys),
            "valid_from",
            "valid_to",
            *(n for j in joins for n in j.reads),
        }
        found[history] = {name: dtype for name, dtype in found[history].items() if name in read}
    return found


def translated(registry: Registry, model: Model) -> str:
    """Return a model's SQL for Spark.

    Raises:
        ContractError: It cannot run there; the message names the construct, and what to do.
    """
    fix = "Nothing of it was run; write it in another way, or declare engine='duckdb'"
    if bronze := next((name for name in model.upstream if name.startswith("bronze.")), None):
        msg = f"model {model.name!r} may run on Spark, and reads {bronze}, whose files are not all live. {fix}"
        raise ContractError(msg)
    try:
        return spark_sql(model.query, readable(registry, model))
    except NotInSparkError as error:
        why = " ".join(str(error).split()).rstrip(".")
        msg = f"model {model.name!r} may run on Spark, which cannot run its SQL: {why}. {fix}"
        raise ContractError(msg) from None
