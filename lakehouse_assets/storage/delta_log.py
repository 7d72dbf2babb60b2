"""Following the log of a Delta table: its version, and the transactions in its commits.

For an unchanged table it reads two or three small objects and lists nothing. Not here: what the transactions mean,
and the data files.
"""

import json
from dataclasses import dataclass

import polars as pl

from lakehouse_assets.storage.stores import Store, Stored


@dataclass(frozen=True)
class Log:
    """A table's log as it was read: -1 is the version of a table that is not there.

    Attributes:
        transactions: Version of the last transaction of each application.
        checkpoint: Token of `_last_checkpoint`; "" without one.
        commit: Token of the last commit's file; "" if the checkpoint has taken its place.
    """

    version: int
    transactions: dict[str, int]
    checkpoint: str
    commit: str

    @property
    def identity(self) -> tuple[int, str, str]:
        """What changes whenever the table does, even if it is made anew."""
        return self.version, self.checkpoint, self.commit


_READ: dict[tuple[str, str], Log] = {}
_ENTRIES: dict[tuple[str, str, str], dict[str, int]] = {}
_REMEMBERED = 20_000


def read(store: Store, path: str) -> Log:
    """Return the log of a table as it stands.

    Reads the last checkpoint's transactions and the commits after it: `DeltaTable.transaction_version` answers for
    one application at a time, in time that grows with the number of partitions squared.
    """
    last = store.stat(f"{_folder(path)}/_last_checkpoint")
    known = _READ.get((store.root, path))
    if known is None or not _is_unchanged(store, path, known, last):
        known = _read(store, path, last)
        _READ[store.root, path] = known
    return known


def _folder(path: str) -> str:
    return f"{path}/_delta_log"


def _entry(path: str, version: int) -> str:
    return f"{_folder(path)}/{version:020}.json"


def _is_unchanged(store: Store, path: str, known: Log, last: Stored | None) -> bool:
    if known.checkpoint != (last.token if last else ""):
        return False
    if known.commit and ((commit := store.stat(_entry(path, known.version))) is None or commit.token != known.commit):
        return False  # the table was removed, or made anew
    return store.stat(_entry(path, known.version + 1)) is None


def _read(store: Store, path: str, last: Stored | None) -> Log:
    found: dict[str, int] = {}
    version, commit = -1, ""
    if last is not None:
        version = int(json.loads(store.read(last.path))["version"])
        checkpoint = store.stat(f"{_folder(path)}/{version:020}.checkpoint.parquet")
        if checkpoint is None:  # replaced and removed between the two looks
            return read(store, path)
        found |= _read_once(store, checkpoint)
    for entry in store.list(_folder(path), after=_entry(path, version)):
        name = entry.path.rsplit("/", 1)[-1]
        if name.endswith(".json") and name[:-5].isdigit():
            found |= _read_once(store, entry)
            version, commit = int(name[:-5]), entry.token
    return Log(version, found, last.token if last else "", commit)


def _read_once(store: Store, entry: Stored) -> dict[str, int]:
    """Return the transactions of one log entry. Entries never change, so a process reads each of them once."""
    place = (store.root, entry.path, entry.token)
    if place not in _ENTRIES:
        if len(_ENTRIES) > _REMEMBERED:
            _ENTRIES.clear()
        _ENTRIES[place] = _transactions(store, entry.path)
    return _ENTRIES[place]


def _transactions(store: Store, path: str) -> dict[str, int]:
    if path.endswith(".parquet"):
        scan = pl.scan_parquet(store.uri(path), storage_options=store.options or None, glob=False)
        rows = scan.select(pl.col("txn").struct.field("appId", "version"))
        return dict(rows.drop_nulls().collect().iter_rows())
    lines = (json.loads(line).get("txn") for line in store.read(path).splitlines() if b'"txn"' in line)
    return {txn["appId"]: txn["version"] for txn in lines if txn}
