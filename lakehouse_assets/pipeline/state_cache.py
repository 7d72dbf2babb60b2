"""What this process last computed of a table, kept while what it follows from stays the same."""

from collections.abc import Callable
from typing import TypeVar, cast

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Table

T = TypeVar("T")
_LAST: dict[tuple[str, str], tuple[tuple[object, ...], object]] = {}


def cached(lake: Lake, table: Table, basis: tuple[object, ...], compute: Callable[[], T]) -> T:
    """Return what follows from a basis; it is computed again only if the basis has changed since the last call.

    So a look at a lake in which nothing happened does not go through all of its dates.
    """
    place = (lake.store.root, table.full_name)
    before, state = _LAST.get(place, ((), None))
    if before != basis:
        state = compute()
        _LAST[place] = basis, state
    return cast("T", state)
