"""What an object of the lake is, and what every storage offers: bytes in, bytes out, listings in key order."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Stored:
    """One object: its path below the root, its size in bytes, and a token that changes when it is written again."""

    path: str
    size: int
    token: str


class StorageError(Exception):
    """The lake's storage refused; the message names the object, the consequence and the fix."""


class AnotherVersionError(StorageError):
    """An object was replaced since it was listed; the next listing has the new version."""


class Store(Protocol):
    """What the lake needs of a storage. Paths are relative to the root, with `/` between their parts."""

    root: str

    def uri(self, path: str) -> str:
        """Return the address of a path as the Delta and Parquet readers want it."""
        ...

    @property
    def options(self) -> dict[str, str]:
        """Options for the Delta and Parquet readers."""
        ...

    def read(self, path: str, token: str | None = None) -> bytes:
        """Return an object's bytes, of the given version if a token is given.

        Raises `StorageError` when there is none, `AnotherVersionError` when there is another version.
        """
        ...

    def create(self, path: str, data: bytes | Path) -> bool:
        """Write an object unless the path is taken; return whether this call wrote it. Readers see all or nothing.

        Args:
            data: Its bytes, or the file of this machine that holds them.
        """
        ...

    def replace(self, path: str, data: bytes | Path, token: str | None = None) -> bool:
        """Write an object, over an older one if need be, or only over one version of it; return whether it was written.

        Readers see the old or the new one, whole.
        """
        ...

    def stat(self, path: str) -> Stored | None:
        """Return an object's size and token, or None when there is none."""
        ...

    def delete(self, path: str, token: str | None = None) -> bool:
        """Remove an object, or one version of it if a token is given; return whether this call removed it."""
        ...

    def list(self, prefix: str, after: str = "") -> Iterator[Stored]:
        """Yield the objects below a folder in key order, from the first path greater than `after`."""
        ...

    def folders(self, prefix: str) -> Iterator[str]:
        """Yield the folders right below a folder, without looking into them; one in a local lake may be empty."""
        ...
