"""Dagster's SQLite databases without waiting for the disk: a fresh instance waits for it some two hundred times.

A process that is killed loses nothing by that, only a power cut would; the system has what was written. Servers of
their own (`DevServer`) have Dagster's way.
"""

import sqlite3
from typing import Any

from sqlalchemy import event
from sqlalchemy.pool import Pool


def begin() -> None:
    """Have no connection of this process wait."""
    event.listen(Pool, "checkout", _let_go)


def end() -> None:
    """Have them wait again."""
    event.remove(Pool, "checkout", _let_go)


# When a connection is handed out, not when it is made: some are told to wait after that.
def _let_go(connection: object, *_: Any) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous = OFF")
