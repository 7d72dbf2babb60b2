"""Objects of the lake by path, in a local folder or an S3 bucket, behind one interface.

Here: which storage a lake root means. Not here: what the objects mean, and Delta tables, whose client talks to the
same root through `Store.uri`.
"""

import os

from lakehouse_assets.storage.local import LocalStore
from lakehouse_assets.storage.objects import AnotherVersionError, StorageError, Store, Stored
from lakehouse_assets.storage.s3 import S3Store

__all__ = ["AnotherVersionError", "LocalStore", "S3Store", "StorageError", "Store", "Stored", "settle", "store_for"]


def store_for(root: str) -> Store:
    """Return the storage of a lake root: a folder, or `s3://bucket/prefix`. Opens no connection."""
    return S3Store(root) if root.startswith("s3://") else LocalStore(root)


def settle(store: Store, path: str) -> None:
    """Return when an object that was written outlives a power failure; one in S3 does as soon as it is there.

    Raises:
        OSError: It may not.
    """
    if isinstance(store, LocalStore):
        address = store.uri(path)
        while len(address) >= len(store.root):  # the folders may be new, too
            handle = os.open(address, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
            address = os.path.dirname(address)  # noqa: PTH120 - the address is a text
