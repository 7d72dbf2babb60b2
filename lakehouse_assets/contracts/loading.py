"""The package that declares the lake, found by its name in the settings and walked module by module.

A new module needs no entry anywhere. Not here: what the objects mean.
"""

import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType

from lakehouse_assets.contracts.declare import ContractError

NO_TABLES = "HOLDS_TABLES"
"""A package that sets this to False declares no table, so that reading the tables does not import its modules."""


def declared(package: str, *, only_tables: bool) -> list[object]:
    """Return the objects of every module of a package, each once. Imports the modules; reads no data.

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
            raise
        msg = (
            f"LAKEHOUSE_DEFINITIONS={package!r}: there is no such Python package, so the lake has no tables. "
            "Correct the name, or put the package's folder on PYTHONPATH."
        )
        raise ContractError(msg) from None
    # By identity: a module may import another module's feed.
    return list({id(v): v for module in _modules(root, only_tables) for v in vars(module).values()}.values())


def _modules(package: ModuleType, only_tables: bool) -> Iterator[ModuleType]:  # noqa: FBT001 - of `declared`
    yield package
    for found in pkgutil.iter_modules(getattr(package, "__path__", ()), f"{package.__name__}."):
        module = importlib.import_module(found.name)
        if found.ispkg and only_tables and not getattr(module, NO_TABLES, True):
            continue
        yield from _modules(module, only_tables)
