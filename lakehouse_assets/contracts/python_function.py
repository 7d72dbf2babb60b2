"""What is read from a model's Python function: its parameters, and a version of its source.

Not here: calling it.
"""

import ast
import inspect
import textwrap
import typing
from collections.abc import Callable, Mapping
from typing import Any

import polars as pl

from lakehouse_assets.contracts.source import ContractError

Function = Callable[..., Any]

KINDS = {
    ("polars", "LazyFrame"): "pl.LazyFrame",
    ("polars", "DataFrame"): "pl.DataFrame",
    ("pyarrow", "Table"): "pa.Table",
    ("_duckdb", "DuckDBPyRelation"): "duckdb.DuckDBPyRelation",
    ("duckdb", "DuckDBPyRelation"): "duckdb.DuckDBPyRelation",
}
"""Module and name of the types in which code may ask for a table, and how a person writes them."""


def kind_of(asked: object) -> str:
    """Return the kind of table that an annotation asks for; a lazy frame where there is none.

    Raises:
        ContractError: It is none of `KINDS`.
    """
    if asked in (inspect.Parameter.empty, None, Any):
        return kind_of(pl.LazyFrame)
    place = (getattr(asked, "__module__", "").split(".", 1)[0], getattr(asked, "__name__", ""))
    if place not in KINDS:
        msg = f"{asked} is no type in which a table can be read; use one of {', '.join(sorted(set(KINDS.values())))}."
        raise ContractError(msg)
    return KINDS[place]


def kinds(function: Function) -> dict[str, str]:
    """Return each parameter's kind of table, by name. Raises `ContractError`."""
    hints = typing.get_type_hints(function)
    names = inspect.signature(function).parameters
    return {name: kind_of(hints.get(name)) for name in names}


def check_inputs(model: str, function: Function, inputs: Mapping[str, str]) -> None:
    """Check that a function's parameters are exactly a model's inputs.

    Raises:
        ContractError: A parameter without a table, or a table without a parameter.
    """
    names = inspect.signature(function).parameters
    if odd := sorted(set(names) ^ set(inputs)):
        what = "names no table for it" if odd[0] in names else f"{function.__name__} has no such parameter"
        msg = f"model {model!r}: the input {odd[0]!r}: {what}. Its function takes one parameter per table, no others."
        raise ContractError(msg)
    kinds(function)


def meaning_of(function: Function) -> str:
    """Return a function's source without layout, comments, docstring and decorators."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    if isinstance(tree, ast.FunctionDef):
        tree.decorator_list = []
        if ast.get_docstring(tree) is not None:
            tree.body = tree.body[1:] or [ast.Pass()]
    return ast.unparse(tree)
