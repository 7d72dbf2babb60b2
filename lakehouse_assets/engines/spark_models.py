"""Which models may run on Spark, and their SQL or function there. Not here: the translation, and running it."""

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from lakehouse_assets.contracts.declare import ContractError, Model
from lakehouse_assets.contracts.python_function import Function, imported, source_of
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.dialects.spark_sql import spark_sql, view_name
from lakehouse_assets.dialects.spark_types import NotInSparkError


@dataclass(frozen=True)
class Translatable:
    """Checks that the models that may run on Spark can: their SQL is translated, their functions are shipped.

    Attributes:
        everything: A model may run on Spark that declares no engine, too.
    """

    everything: bool

    def __call__(self, registry: Registry, model: Model) -> None:
        """Raise `ContractError` for a model that may run on Spark and cannot."""
        if may_run(model, everything=self.everything):
            work_of(registry, model)


def may_run(model: Model, *, everything: bool) -> bool:
    """Return whether a model may run on Spark, where there is one."""
    return (
        model.takes_spark or model.engine == "spark" or (everything and model.engine is None and model.function is None)
    )


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


def work_of(registry: Registry, model: Model) -> dict[str, Any]:
    """Return what a job is to do for a model: `sql` or `function`.

    Raises:
        ContractError: It cannot run there; the message names the construct, and what to do.
    """
    other = "take its tables as pl.LazyFrame" if model.takes_spark else "declare engine='duckdb'"
    fix = f"Nothing of it was run; write it in another way, or {other}"
    if bronze := next((name for name in model.upstream if name.startswith("bronze.")), None):
        msg = f"model {model.name!r} may run on Spark, and reads {bronze}, whose files are not all live. {fix}"
        raise ContractError(msg)
    if model.function is not None:
        return {"function": _shipped(model, model.function)}
    try:
        return {"sql": spark_sql(model.query, readable(registry, model))}
    except NotInSparkError as error:
        why = " ".join(str(error).split()).rstrip(".")
        msg = f"model {model.name!r} may run on Spark, which cannot run its SQL: {why}. {fix}"
        raise ContractError(msg) from None


def _shipped(model: Model, function: Function) -> dict[str, Any]:
    """Return a function as a job gets it: by the text of its file, and nothing that this file needs of ours."""
    source, file = source_of(function), Path(inspect.getsourcefile(function) or "").name
    why = ""
    if getattr(function, "__globals__", {}).get(function.__name__) is not function:
        why = f"in which {function.__name__!r} is nested, or something else than the function"
    ours = {name.partition(".")[0] for name in (__name__, function.__module__, ".")}
    for line, module in imported(source):
        if module.partition(".")[0] in ours:
            why = f"and line {line} imports {module}, which is not there"
    if why:
        msg = (
            f"model {model.name!r} runs on Spark, which gets of its function the file {file} alone, {why}. Nothing of "
            "it was run; define the function at the top of a module that imports neither the lakehouse nor its own "
            "package, and declare the model in another one"
        )
        raise ContractError(msg)
    inputs = {name: view_name(table) for name, table in model.inputs.items()}
    return {"name": function.__name__, "file": file, "source": source, "inputs": inputs}
