"""A storage that remembers what it has listed: for one sensor tick or one command.

Not here: reading and writing, which go to the storage itself.
"""

from collections.abc import Iterator
from pathlib import Path

from lakehouse_assets.storage.objects import Store, Stored


class Snapshot:
    """A view of a storage that remembers each look at an object, and the listing of some folders."""

    def __init__(self, store: Store, folders: frozenset[str]) -> None:
        """Remember the listings of some folders: those that are small, and listed whole."""
        self._store, self._folders, self.root = store, folders, store.root
        self._looks: dict[str, Stored | None] = {}
        self._listings: dict[str, list[Stored]] = {}

    def uri(self, path: str) -> str:
        return self._store.uri(path)

    @property
    def options(self) -> dict[str, str]:
        return self._store.options

    def read(self, path: str, token: str | None = None) -> bytes:
        return self._store.read(path, token)

    def create(self, path: str, data: bytes | Path) -> bool:
        return self._store.create(path, data)

    def replace(self, path: str, data: bytes | Path, token: str | None = None) -> bool:
        return self._store.replace(path, data, token)

    def delete(self, path: str, token: str | None = None) -> bool:
        return self._store.delete(path, token)

    def stat(self, path: str) -> Stored | None:
        if path not in self._looks:
            self._looks[path] = self._store.stat(path)
        return self._looks[path]

    def list(self, prefix: str, after: str = "") -> Iterator[Stored]:
        if after or prefix not in self._folders:
            return self._store.list(prefix, after)
        if prefix not in self._listings:
            self._listings[prefix] = list(self._store.list(prefix))
        return iter(self._listings[prefix])

    def folders(self, prefix: str) -> Iterator[str]:
        return self._store.folders(prefix)
