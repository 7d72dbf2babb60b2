"""How a gold table is served to programs that ask for some rows by key: declared once, for every place that serves it.

Not here: where rows are served from, and how they are asked for.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import dataframely as dy
import polars as pl

from lakehouse_assets.contracts.columns import TextMap
from lakehouse_assets.contracts.source import ContractError

_PATH = re.compile(r"[a-z][a-z0-9-]{0,62}")


@dataclass(frozen=True)
class Serving:
    """The address of a gold table, and the columns by which its rows are asked for.

    Attributes:
        path: Begins the address: `metrics` for `/metrics/{metric_name}`.
        key: Columns that name one row of each date, never null: texts and maps of texts. The first one is a text; it
            stands in the address.
    """

    path: str
    key: tuple[str, ...]


def check_serving(model: str, serving: Serving, schema: type[dy.Schema], date: str | None) -> None:
    """Raise `ContractError` where a gold table cannot be served as declared.

    Args:
        model: Name of the model, for the message.
        date: The column whose date partitions the table.
    """
    columns = schema.columns()
    if why := _fault(serving, columns, date):
        msg = f"model {model!r}: serving={serving}: {why}."
        raise ContractError(msg)


def _fault(serving: Serving, columns: Mapping[str, dy.Column], date: str | None) -> str | None:
    if not isinstance(serving, Serving) or not _PATH.fullmatch(str(serving.path)):
        return 'its path is lower-case letters, digits and hyphens; write Serving("metrics", key=("metric_name",))'
    if date is None:
        return "only a table by date can be served; name its date="
    if not isinstance(serving.key, tuple) or not serving.key:
        return f"its key is a tuple of columns; write key=({str(serving.key or 'column')!r},)"
    if odd := next((name for name in serving.key if name not in columns), None):
        return f"the schema has no column {odd!r}; name one of {', '.join(columns)}"
    if len(set(serving.key)) < len(serving.key) or date in serving.key:
        return f"each column once, and not the date {date!r}, which is the order of the rows of a key; leave it out"
    if odd := next((name for name in serving.key if columns[name].nullable), None):
        return f"{odd!r} may be null, so it names no row; declare it nullable=False"
    if not isinstance(columns[serving.key[0]].dtype, pl.String):
        return f"{serving.key[0]!r} stands in the address and is no text; put a text column first"
    texts = (pl.String(), TextMap().dtype)
    if odd := next((name for name in serving.key if columns[name].dtype not in texts), None):
        return f"{odd!r} is neither text nor a map of texts; name other columns"
    if odd := next((name for name in columns if name.startswith("_")), None):
        return f"the column {odd!r} begins with an underscore, as the names of what serves it do; rename it"
    return None
