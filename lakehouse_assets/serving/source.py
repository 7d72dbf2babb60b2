"""What answers come from: rows of the served tables by key and date, in pages. Not here: the lake, DynamoDB, HTTP."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from lakehouse_assets.serving.rows import Key, Row, Served


@dataclass(frozen=True)
class Asked:
    """Which rows of a table are asked for.

    Attributes:
        name: Value of the first column of the key.
        first: Date from which on, ISO 8601; empty for the first that there is.
        last: Date up to which; empty for the last that there is.
        after: The place after which the page begins; empty for the first page.
        limit: How many rows at most.
        filters: Texts that the rest of the key has to have, by name.
    """

    name: str
    limit: int
    first: str = ""
    last: str = ""
    after: str = ""
    filters: Mapping[str, str] = field(default_factory=dict)


class Source(Protocol):
    """Where rows are read. Raises `StorageError` where that cannot be reached."""

    def keys(self, table: Served, name: str | None = None) -> Sequence[Key]:
        """Return the keys of which there are rows, by their text; of one name, or of all."""

    def rows(self, table: Served, asked: Asked, keys: Sequence[Key]) -> Sequence[Row]:
        """Return the rows of a page by their places, and one more row if there is another page.

        Args:
            keys: Those that are asked for: all of the name that meet the filters.
        """
