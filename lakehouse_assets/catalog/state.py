"""Whether a catalog shows the tables as they are, and what a refresh or a check of one says. Not here: any catalog."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lakehouse_assets.storage.stores import Store


@dataclass(frozen=True)
class CatalogState:
    """What a catalog has to show now, and what it shows, as fingerprints."""

    inputs: Mapping[str, int]
    built: Mapping[str, int]

    @property
    def pending(self) -> dict[str, int]:
        """What has to be refreshed, with the fingerprints of the inputs."""
        return {part: value for part, value in self.inputs.items() if self.built.get(part) != value}


@dataclass(frozen=True)
class Refreshed:
    """What a refresh did.

    Attributes:
        uri: Where the catalog is.
        lists: Names of tables or lines of text, by title.
        counts: Figures, by title.
    """

    uri: str
    lists: Mapping[str, Sequence[str]]
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Problem:
    """How a catalog differs from what the lake says.

    Attributes:
        where: The table or view; empty for the whole catalog.
        what: The difference and what to do.
        is_error: Whether a table of the lake cannot be found, or not as it is, until a person does something.
    """

    where: str
    what: str
    is_error: bool = True

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" if self.where else self.what


def kept(store: Store, path: str) -> dict[str, Any]:
    """Return what the last refresh of a catalog kept; nothing where that is damaged: then all is done anew."""
    try:
        found: dict[str, Any] = json.loads(store.read(path)) if store.stat(path) else {}
    except ValueError:
        return {}
    return found


def keep(store: Store, path: str, **said: Any) -> None:  # noqa: ANN401 - JSON
    """Keep what the next refresh of a catalog has to know."""
    store.replace(path, json.dumps(said).encode())
