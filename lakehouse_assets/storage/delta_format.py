"""Whether this version understands a stored table: a newer one says in the table what is needed to read it.

Not here: columns, which the declaration and the table say themselves (`schema_evolution`), and Delta's own versions.
"""

from typing import TYPE_CHECKING

from lakehouse_assets.storage.objects import StorageError

if TYPE_CHECKING:
    from deltalake import DeltaTable

FORMAT = 1
"""Raise it with a change that this version would misread, and write it into each table that has the change."""
PROPERTY = "lakehouse.format"
"""Of the table; without it a table is of format 1."""


def refuse_newer(table: "DeltaTable", uri: str) -> None:
    """Raise `StorageError` where a newer version wrote what this one would misread."""
    stored = int(table.metadata().configuration.get(PROPERTY) or 1)
    if stored > FORMAT:
        msg = (
            f"{uri}: the table has format {stored}, and this version reads formats up to {FORMAT}: a newer version "
            "wrote it. It was not read and not written; use that version again (docs/image.md says what a rollback may "
            "do)."
        )
        raise StorageError(msg)
