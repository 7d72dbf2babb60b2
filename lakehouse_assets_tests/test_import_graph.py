"""The rooms of the package in their order: each imports only from the rooms above it, and from no other below."""

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import lakehouse_assets

_PACKAGE = "lakehouse_assets"
_FOLDER = Path(lakehouse_assets.__file__).parent
ROOMS = (
    "lake_settings",
    "computing_settings",
    "settings",
    "aws",
    "credentials",
    "dialects",
    "contracts",
    "storage",
    "engines",
    "ledger",
    "decisions",
    "context",
    "sources",
    "extraction",
    "parsing",
    "erasure",
    "pipeline",
    "catalog",
    "pages",
    "forecast",
    "serving",
    "maintenance",
    "forgetting",
    "query",
    "operations",
    "orchestration",
    "alerts",
    "defs",
    "definitions",
    "simulation",
    "cli",
)


@cache
def _modules() -> dict[str, ast.Module]:
    """Return the syntax tree of every module of the package by its name, without the package's own."""
    trees = {}
    for path in sorted(_FOLDER.rglob("*.py")):
        parts = path.relative_to(_FOLDER).with_suffix("").parts
        if name := ".".join(part for part in parts if part != "__init__"):
            trees[name] = ast.parse(path.read_text(encoding="utf-8"))
    return trees


def _imported(tree: ast.Module) -> Iterator[str]:
    """Yield each module of the package that a module imports, wherever in it the import stands."""
    prefix = f"{_PACKAGE}."
    for node in ast.walk(tree):
        match node:
            case ast.Import(names):
                yield from (name.name.removeprefix(prefix) for name in names if name.name.startswith(prefix))
            case ast.ImportFrom(module, names, 0) if f"{module}.".startswith(prefix):
                base = f"{module}.".removeprefix(prefix)
                for name in names:
                    yield base + name.name if base + name.name in _modules() else base.rstrip(".")
            case ast.ImportFrom(level=level):
                assert level == 0, "relative imports hide where a module stands: name the package in full"


@cache
def _imports() -> dict[str, set[str]]:
    """Return what each module of the package imports of it."""
    return {module: set(_imported(tree)) for module, tree in _modules().items()}


def _named_definitions(tree: ast.Module) -> Iterator[str]:
    """Yield each module of `defs` that a string names, as an import by its name does."""
    prefix = f"{_PACKAGE}.defs"
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith(prefix):
            yield node.value.removeprefix(f"{_PACKAGE}.")


def _room(module: str) -> str:
    return module.split(".", maxsplit=1)[0]


def _violations() -> Iterator[tuple[str, str]]:
    """Yield what a module takes from a room that is not above its own."""
    for module, tree in _modules().items():
        # One setting holds the name of the package that declares the tables: nobody else names it.
        named = () if module == "lake_settings" else _named_definitions(tree)
        for taken in {*_imports()[module], *named}:
            if ROOMS.index(_room(taken)) > ROOMS.index(_room(module)):
                yield module, taken


def test_every_module_is_in_a_known_room() -> None:
    assert {_room(module) for module in _modules()} <= set(ROOMS)


def test_a_room_imports_only_from_the_rooms_above_it() -> None:
    assert sorted(_violations()) == [], "move what is shared to the room above, or pass it as an argument"


def test_erasure_is_known_by_its_protocol_only() -> None:
    """What forgets a person works inside of it; all others use one module."""
    others = {name: taken for name, taken in _imports().items() if _room(name) not in {"erasure", "forgetting"}}
    used = {(name, one) for name, taken in others.items() for one in taken if _room(one) == "erasure"}
    assert {taken for _, taken in used} == {"erasure.protocol"}, sorted(used)


def test_modules_import_in_no_circle() -> None:
    TopologicalSorter(_imports()).prepare()


def test_every_way_to_import_is_seen() -> None:
    source = """
import lakehouse_assets.cli.main
from lakehouse_assets import context
from lakehouse_assets.storage import delta
from lakehouse_assets.storage.delta import scan
def later():
    from lakehouse_assets.query.sql import run
import os
"""
    assert sorted(_imported(ast.parse(source))) == [
        "cli.main",
        "context",
        "query.sql",
        "storage.delta",
        "storage.delta",
    ]
    assert list(_named_definitions(ast.parse("import_module('lakehouse_assets.defs.silver')"))) == ["defs.silver"]
