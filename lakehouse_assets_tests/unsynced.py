"""Dagster's SQLite databases without waiting for the disk: a fresh instance waits for it some two hundred times.

A process that is killed loses nothing by that, only a power cut would; the system has what was written. Servers of
their own (`DevServer`) have Dagster's way.
"""

import sqlite3

from sqlalchemy import event
from sqlalchemy.pool import ConnectionPoolEntry, Pool

_DONE = "unsynced"


def begin() -> None:
    """Have no connection of this process wait."""
    event.listen(Pool, "checkout", _let_go)


def end() -> None:
    """Have them wait again."""
    event.remove(Pool, "checkout", _let_go)


# When a connection is first handed out, not when it is made: some are told to wait after that. Not within a
# transaction either, in which SQLite refuses it: threads share a connection.
def _let_go(connection: object, record: ConnectionPoolEntry, _: object) -> None:
    if isinstance(connection, sqlite3.Connection) and not connection.in_transaction and _DONE not in record.info:
        connection.execute("PRAGMA synchronous = OFF")
        record.info[_DONE] = True
