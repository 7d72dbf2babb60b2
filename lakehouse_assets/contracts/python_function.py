"""What is read from a model's Python function: its parameters, what its file imports, a version of its source.

Not here: calling it.
"""

import ast
import inspect
import textwrap
import typing
from collections.abc import Callable, Iterator, Mapping
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
SPARK = "pyspark.sql.DataFrame"
"""The type by which a model's function asks for Spark, which this Python need not have."""


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
    names = inspect.signature(function).parameters
    written = inspect.get_annotations(function)
    on_spark = [name for name in names if _is_spark(function, written.get(name))]
    if not on_spark:
        hints = typing.get_type_hints(function)
        return {name: kind_of(hints.get(name)) for name in names}
    if other := [name for name in names if name not in on_spark]:
        msg = f"{function.__name__}() takes {on_spark[0]!r} as {SPARK}, so it runs on Spark; take {other[0]!r} so, too."
        raise ContractError(msg)
    return dict.fromkeys(names, SPARK)


def _is_spark(function: Function, asked: object) -> bool:
    """Return whether an annotation asks for Spark, also one whose text says it and cannot be evaluated without it."""
    if isinstance(asked, str):
        first, dot, rest = asked.strip("'\"").partition(".")
        full = f"{_names_in(source_of(function)).get(first, first)}{dot}{rest}"
    else:
        full = f"{getattr(asked, '__module__', '')}.{getattr(asked, '__name__', '')}"
    return full.startswith("pyspark.sql.") and full.endswith(".DataFrame")


def _names_in(source: str) -> dict[str, str]:
    """Return what the names mean that a file imports."""
    nodes = list(ast.walk(ast.parse(source)))
    taken = {
        n.asname or n.name: f"{i.module}.{n.name}" for i in nodes if isinstance(i, ast.ImportFrom) for n in i.names
    }
    return taken | {n.asname: n.name for i in nodes if isinstance(i, ast.Import) for n in i.names if n.asname}


def source_of(function: Function) -> str:
    """Return the text of the file that a function stands in."""
    return "".join(inspect.findsource(function)[0])


def imported(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and module of each import of a file, wherever in it; what only type checkers read is left out."""
    nodes: list[ast.AST] = [ast.parse(source)]
    while nodes:
        node = nodes.pop()
        match node:
            case ast.If(test=test) if ast.unparse(test).endswith("TYPE_CHECKING"):
                nodes += node.orelse
                continue
            case ast.Import(names):
                yield from ((node.lineno, name.name) for name in names)
            case ast.ImportFrom(module, _, level):
                yield node.lineno, "." * level + (module or "")
        nodes += ast.iter_child_nodes(node)


def check_inputs(model: str, function: Function, inputs: Mapping[str, str]) -> None:
    """Check that a function's parameters are exactly a model's inputs.

    Raises:
        ContractError: A parameter without a table, a table without a parameter, or a type that cannot be had.
    """
    names = inspect.signature(function).parameters
    if odd := sorted(set(names) ^ set(inputs)):
        what = "names no table for it" if odd[0] in names else f"{function.__name__} has no such parameter"
        msg = f"model {model!r}: the input {odd[0]!r}: {what}. Its function takes one parameter per table, no others."
        raise ContractError(msg)
    try:
        kinds(function)
    except ContractError as error:
        msg = f"model {model!r}: {error}"
        raise ContractError(msg) from None


def meaning_of(function: Function) -> str:
    """Return a function's source without layout, comments, docstring and decorators."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    if isinstance(tree, ast.FunctionDef):
        tree.decorator_list = []
        if ast.get_docstring(tree) is not None:
            tree.body = tree.body[1:] or [ast.Pass()]
    return ast.unparse(tree)
