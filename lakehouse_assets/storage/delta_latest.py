"""The latest versions of tables that this process has opened, which its readers share while nobody commits.

Not here: opening a table, and the tables of writers: each commits to the version at which it opened its own.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from lakehouse_assets.storage import delta_log
from lakehouse_assets.storage.stores import Store

if TYPE_CHECKING:
    from deltalake import DeltaTable


class _Latest(NamedTuple):
    identity: tuple[int, str, str]
    options: dict[str, str]
    table: "DeltaTable"


_LATEST: OrderedDict[tuple[str, str], _Latest] = OrderedDict()
_KEPT = 16
"""Tables, those read last: the log of ten years of dates takes 3 MB."""
_LOCK = threading.Lock()


def shared(store: Store, path: str, opened: Callable[[Store, str], "DeltaTable"]) -> "DeltaTable":
    """Return the latest version of a table, to be read only; opened anew if the log says another one."""
    place = store.root, path
    # Before the table is opened, which is so never older than what it is kept under.
    log = delta_log.read(store, path)
    with _LOCK:
        known = _LATEST.pop(place, None)
    if known is None or known.identity != log.identity or known.options != store.options:
        known = _Latest(log.identity, store.options, opened(store, path))
    if log.version >= 0:
        with _LOCK:
            _LATEST[place] = known
            if len(_LATEST) > _KEPT:
                _LATEST.popitem(last=False)
    return known.table
