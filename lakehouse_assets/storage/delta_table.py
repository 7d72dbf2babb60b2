"""The class of an open Delta table. Not here: opening one, which is `delta.opened`; loaded late, deltalake is large."""

from typing import Any
from urllib.parse import unquote

from deltalake import DeltaTable


class OpenTable(DeltaTable):
    """A Delta table whose files have the names that they have on disk.

    delta-rs percent-encodes the folder of a local table, and Polars looks for files under the encoded name.
    """

    def file_uris(self, *arguments: Any, **options: Any) -> list[str]:  # noqa: ANN401 - as its parent's
        return [unquote(uri) for uri in super().file_uris(*arguments, **options)]
