"""The rows of a served gold table: which columns, and the texts by which a row is found and ordered.

`place` orders the rows of a name: the date, then the rest of the key. Not here: where rows come from.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import ContractError, Model, Serving
from lakehouse_assets.contracts.lineage import personal_of_model
from lakehouse_assets.contracts.partitioning import as_date
from lakehouse_assets.pipeline.inputs import fingerprint
from lakehouse_assets.serving.attributes import Attribute, attribute
from lakehouse_assets.storage import delta

RESERVED = ("from", "to", "limit", "after")
"""Parameters that are no filters."""
_SEPARATORS = str.maketrans({"%": "%25", "/": "%2F", ",": "%2C", "=": "%3D"})


def escaped(text: str) -> str:
    """Return a text without the characters that separate the parts of a key."""
    return text.translate(_SEPARATORS)


@dataclass(frozen=True)
class Key:
    """What a row of each date is found by.

    Attributes:
        name: Value of the first column of the key.
        rest: The values of the other columns as one text; empty for none.
        values: The columns of the key.
    """

    name: str
    rest: str
    values: Mapping[str, Attribute]

    @property
    def text(self) -> str:
        """The key as one text, with another one for each key."""
        return f"{escaped(self.name)}/{self.rest}"

    def has(self, filters: Mapping[str, str]) -> bool:
        """Return whether every filter holds: of a column of text by its name, of an entry of a map by that one's."""
        found = self.parts
        return all(found.get(name) == value for name, value in filters.items())

    @cached_property
    def parts(self) -> dict[str, str]:
        """The texts that a filter may be about, by name: `dimensions.limit` where `limit` is another parameter."""
        found = {name: value["S"] for name, value in self.values.items() if "S" in value}
        taken = {*RESERVED, *self.values}
        for column, value in self.values.items():
            entries = {name: part["S"] for name, part in value.get("M", {}).items() if "S" in part}
            found |= {f"{column}.{name}" if name in taken else name: text for name, text in entries.items()}
        return found


@dataclass(frozen=True)
class Row:
    """One row: its key, its date in ISO 8601, all its served columns."""

    key: Key
    date: str
    values: Mapping[str, Attribute]

    @property
    def place(self) -> str:
        """Where the row stands among those of its name."""
        return f"{self.date}/{self.key.rest}"


@dataclass(frozen=True)
class Served:
    """A gold table that is served.

    Attributes:
        columns: Those that are served, in order: not those that may hold personal data.
    """

    model: Model
    serving: Serving
    date: str
    columns: tuple[str, ...]

    @property
    def path(self) -> str:
        """What its address begins with."""
        return self.serving.path

    @cached_property
    def shape(self) -> int:
        """What a served row follows from beside the gold table, as a fingerprint."""
        types = {name: str(self.model.table.columns[name].dtype) for name in self.columns}
        return fingerprint([self.path, self.serving.key, self.date, types])

    def fingerprints(self, lake: Lake) -> dict[str, int]:
        """Return the fingerprint of each date that the gold table was ever built for."""
        built = delta.fingerprints(lake.store, self.model.table.path)
        return {date: fingerprint([value, self.shape]) for date, value in built.items() if as_date(date)}

    def key(self, values: Mapping[str, Attribute]) -> Key:
        """Return the key that stands in the columns of a row."""
        name, *others = ({column: values[column]} for column in self.serving.key)
        parts = [_text(value) for other in others for value in other.values()]
        return Key(name[self.serving.key[0]]["S"], "/".join(parts), {c: values[c] for c in self.serving.key})

    def row(self, values: Mapping[str, object]) -> Row:
        """Return a row from its columns as Python has them."""
        found = {column: attribute(values[column]) for column in self.columns}
        return Row(self.key(found), found[self.date]["S"], found)

    def rows(self, frame: pl.DataFrame) -> list[Row]:
        """Return the rows of a part of the gold table.

        Raises:
            ContractError: Two rows of a date have one key.
        """
        found: dict[tuple[str, str], Row] = {}
        for values in frame.select(self.columns).iter_rows(named=True):
            row = self.row(values)
            if found.setdefault((row.date, row.key.text), row) is not row:
                msg = (
                    f"{self.model.table.full_name} has two rows of {row.date} with one key ({row.key.text}), and it is "
                    f"served by {', '.join(self.serving.key)}. Nothing of this date was served; correct its query, or "
                    "the key of its serving=."
                )
                raise ContractError(msg)
        return list(found.values())


def served(lake: Lake) -> list[Served]:
    """Return the gold tables that are served. A key that may hold personal data is not: see `refused`."""
    return [found for found in _declared(lake) if set(found.serving.key) <= set(found.columns)]


def refused(lake: Lake) -> Iterator[tuple[str, str]]:
    """Yield each gold table that is declared as served and is not, with the reason."""
    for found in _declared(lake):
        if odd := [name for name in found.serving.key if name not in found.columns]:
            why = f"its key {odd[0]!r} may hold personal data, so it is not served; choose another key"
            yield found.model.table.full_name, why


def _declared(lake: Lake) -> Iterator[Served]:
    for model in lake.registry.models.values():
        if model.serving is not None and model.date is not None:
            personal = personal_of_model(model, lake.registry)
            columns: Sequence[str] = [name for name in model.schema.columns() if name not in personal]
            yield Served(model, model.serving, model.date, tuple(columns))


def _text(value: Attribute) -> str:
    match value:
        case {"M": parts}:
            texts = {name: part.get("S", "") for name, part in parts.items()}
            return ",".join(f"{escaped(n)}={escaped(texts[n])}" for n in sorted(texts))
        case _:
            return escaped(value["S"])
