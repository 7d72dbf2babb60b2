"""Drift policies: what happens when the columns of a landed object are not those of the contract.

Set per feed, with exceptions per column (`source(..., on_missing=..., on_retyped=...)`). Not here: detecting drift.
"""

from dataclasses import dataclass, field
from enum import StrEnum

_SHOWN = 8


class Policy(StrEnum):
    """What happens to an object, a column or its rows.

    - `evolve`: go on. A new column is kept in `_extra`, a missing one is null, a retyped one is read as far as can be.
    - `freeze`: the object is rejected.
    - `discard_column`: the column's values are dropped.
    - `quarantine_rows`: the rows concerned are quarantined.
    """

    EVOLVE = "evolve"
    FREEZE = "freeze"
    DISCARD_COLUMN = "discard_column"
    QUARANTINE_ROWS = "quarantine_rows"


@dataclass(frozen=True)
class DriftPolicy:
    """The policies of a contract: for columns it does not know, for its own that are missing, and for retyped ones.

    A column is retyped in an object when none of its values there can be read as the contract's type. A missing column
    that may be null is never a reason to reject, unless its own policy says so.
    """

    new: Policy = Policy.EVOLVE
    missing: Policy = Policy.FREEZE
    retyped: Policy = Policy.QUARANTINE_ROWS


@dataclass
class Drift:
    """What was found in one object: column names, each with the shape of a value where there is one.

    Of `garbled` columns, whose text looks decoded in another encoding than its own, it is words that show it; None
    where the column is personal.
    """

    new: dict[str, str | None] = field(default_factory=dict)
    missing: dict[str, str | None] = field(default_factory=dict)
    retyped: dict[str, str | None] = field(default_factory=dict)
    garbled: dict[str, str | None] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.new or self.missing or self.retyped or self.garbled)

    def then(self, later: "Drift") -> "Drift":
        """Return the drift of an object whose first records show this and whose later ones show that.

        Whether a column is retyped is settled by the first values: then nothing can be read in it, or something.
        """
        new = {name: seen if seen is not None else later.new.get(name) for name, seen in self.new.items()}
        return Drift(new, dict(self.missing), dict(self.retyped), later.garbled | self.garbled)

    @property
    def words(self) -> str:
        """All of it on one line; the shape of a value follows its column's name."""
        parts = []
        for kind, columns in (("new", self.new), ("missing", self.missing), ("retyped", self.retyped)):
            if columns:
                parts.append(f"{kind}: {_named(columns, 'written like {!r}')}")
        if self.garbled:
            parts.append(
                f"implausible characters: {_named(self.garbled, 'such as {}')}: perhaps its encoding is another one; "
                "declare it, such as format=Csv(encoding='mac_roman')"
            )
        return "; ".join(parts)


def _named(columns: dict[str, str | None], words: str) -> str:
    named = [n[:40] if seen is None else f"{n[:40]} ({words.format(seen)})" for n, seen in columns.items()]
    return ", ".join(named[:_SHOWN]) + (f" and {len(named) - _SHOWN:,} more" if len(named) > _SHOWN else "")
