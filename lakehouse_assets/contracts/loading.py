"""The package that declares the lake, found by its name in the settings and walked module by module.

A new module needs no entry anywhere, and a folder no `__init__.py`. A module that cannot be loaded stops its own tables
only. Not here: what the objects mean.
"""

import importlib
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from lakehouse_assets.contracts.broken import Broken, merged, of_module
from lakehouse_assets.contracts.declare import ContractError

HOLDS_TABLES = "HOLDS_TABLES"
"""A package that sets this to False declares no table, so that reading the tables does not import its modules."""


def declared(package: str, *, only_tables: bool) -> list[object]:
    """Return the objects of every module of a package, each once; for one that cannot be loaded, a `Broken`.

    Imports the modules; reads no data.

    Args:
        package: Name of the Python package that declares the lake.
        only_tables: Leave out packages that say `HOLDS_TABLES = False`.

    Raises:
        ContractError: There is no such package.
    """
    try:
        root = importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{package}.".startswith(f"{error.name}."):
            return [of_module(package, error, _folders_of(package))]
        msg = (
            f"LAKEHOUSE_DEFINITIONS={package!r}: there is no such Python package, so the lake has no tables. "
            "Correct the name, or put the package's folder on PYTHONPATH."
        )
        raise ContractError(msg) from None
    except Exception as error:  # noqa: BLE001 - whatever a module does when it is imported
        return [of_module(package, error, _folders_of(package))]
    found = list(_modules(root, only_tables, list(getattr(root, "__path__", ()))))
    # By identity: a module may import another module's feed.
    objects = {id(v): v for module in found if isinstance(module, ModuleType) for v in vars(module).values()}
    return [*objects.values(), *merged(module for module in found if isinstance(module, Broken))]


def _folders_of(package: str) -> list[str]:
    return [str(Path(folder, *package.split("."))) for folder in sys.path]


def _modules(
    package: ModuleType,
    only_tables: bool,  # noqa: FBT001 - of `declared`
    folders: list[str],
) -> Iterator[ModuleType | Broken]:
    yield package
    for name in _below(package):
        try:
            module = importlib.import_module(name)
        except Exception as error:  # noqa: BLE001 - whatever a module does when it is imported
            yield of_module(name, error, folders)
            continue
        if hasattr(module, "__path__") and only_tables and not getattr(module, HOLDS_TABLES, True):
            continue
        yield from _modules(module, only_tables, folders)


def _below(package: ModuleType) -> list[str]:
    """Return the names of the modules and packages in a package's folders; a folder with modules is a package."""
    paths = list(getattr(package, "__path__", ()))
    names = {found.name for found in pkgutil.iter_modules(paths)}
    folders = (folder for path in paths if Path(path).is_dir() for folder in Path(path).iterdir() if folder.is_dir())
    names |= {f.name for f in folders if f.name.isidentifier() and f.name != "__pycache__" and any(f.rglob("*.py"))}
    return [f"{package.__name__}.{name}" for name in sorted(names)]
