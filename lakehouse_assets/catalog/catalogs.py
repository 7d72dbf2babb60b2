"""The catalogs of a lake, and what each of them can do. Not here: how one does it.

A catalog that is not configured is absent. What is configured is refreshed by an asset of its own after every publish.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

from lakehouse_assets.catalog.athena import AthenaCatalog
from lakehouse_assets.catalog.duckdb_views import DuckDbViews
from lakehouse_assets.catalog.glue import GlueCatalog
from lakehouse_assets.catalog.state import CatalogState, Problem, Refreshed
from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Table


class Catalog(Protocol):
    """One place where other tools find the tables of a lake."""

    @property
    def group(self) -> str:
        """The group of its asset: `catalog`, or `serving` where it holds rows of its own."""

    @property
    def name(self) -> str:
        """Its name in its group, and its kind in Dagster."""

    @property
    def description(self) -> str:
        """What it is and who reads it."""

    @property
    def is_shared(self) -> bool:
        """Whether others write to the same place, so that a check compares it after each refresh."""

    @property
    def follows(self) -> Sequence[str]:
        """Names of the catalogs of its group that it reads."""

    def tables(self, lake: Lake) -> Sequence[Table]:
        """Return the tables that it shows of itself, and not by way of another catalog."""

    def state(self, lake: Lake) -> CatalogState:
        """Return what it has to show and what it shows. Asks only the lake's own storage."""

    def refresh(self, lake: Lake) -> Refreshed:
        """Bring it up to date. Raises `StorageError`; what was written stands, and the next refresh goes on."""

    def problems(self, lake: Lake) -> Iterator[Problem]:
        """Yield how it differs from what the last refresh wrote. What is pending is no difference."""

    def remove_undeclared(self, lake: Lake) -> Iterator[str]:
        """Remove what no module declares any more, and yield the name of each."""


def key_of(catalog: Catalog) -> str:
    """Return the name of a catalog's asset, with a slash."""
    return f"{catalog.group}/{catalog.name}"


def catalogs(lake: Lake) -> tuple[Catalog, ...]:
    """Return the catalogs that are configured. Does no I/O."""
    if not lake.settings.glue_prefix:
        return (DuckDbViews(),)
    glue = GlueCatalog(lake.settings.glue_prefix, lake.settings.personal_tag)
    if not lake.settings.athena_workgroup:
        return DuckDbViews(), glue
    return DuckDbViews(), glue, AthenaCatalog(lake.settings.athena_workgroup)
