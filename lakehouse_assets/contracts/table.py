"""One stored table as everything outside its declaration sees it: place, columns, layout, owner."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from lakehouse_assets.contracts.partitioning import Partitioning

PROVENANCE: dict[str, tuple[pl.DataType, str]] = {
    "_source_key": (pl.String(), "Key of the source object that the record came from."),
    "_line": (pl.Int64(), "Ordinal of the record in its decoded source object, from 1."),
}


_REVISED = re.compile(r"(.*)\.r(\d+)")


def path_of(key: str, revision: int) -> str:
    """Return the folder of a table's revision: one each, so that an old one stays while a new one fills."""
    return key if revision == 1 else f"{key}.r{revision}"


def revision_at(path: str) -> tuple[str, int]:
    """Return the key and the revision of the table that a folder holds."""
    found = _REVISED.fullmatch(path)
    return (found[1], int(found[2])) if found else (path, 1)


@dataclass(frozen=True)
class Column:
    """One column of a table as everything outside the contract sees it."""

    dtype: pl.DataType
    description: str
    nullable: bool = True
    personal: bool = False


@dataclass(frozen=True)
class Table:
    """One stored table: its place, columns, layout and who answers for it."""

    layer: str
    name: str
    columns: Mapping[str, Column]
    partitioning: Partitioning
    description: str
    owner: str
    revision: int = 1

    @property
    def types(self) -> dict[str, pl.DataType]:
        """The type of each column, by name."""
        return {name: column.dtype for name, column in self.columns.items()}

    @property
    def key(self) -> str:
        """The table's name with a slash: its asset key, and its name in run configurations."""
        return f"{self.layer}/{self.name}"

    @property
    def path(self) -> str:
        """The table's folder below the lake root."""
        return path_of(self.key, self.revision)

    @property
    def full_name(self) -> str:
        """The table's name in SQL."""
        return f"{self.layer}.{self.name}"
