"""The corpus: its registry, and the records that its inputs are made of.

An input says what bytes it is, which of its records must come out valid, and how many do not. Where it ends, and
the reason shown, is told by the table in docs/bad-input.md alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lakehouse_assets_tests.retail import Record, day

DAY = "2011-03-02"
NO_RECORDS: tuple[Record, ...] = ()
CORPUS: "dict[str, BadInput]" = {}


def records(count: int = 3, date: str = DAY, **changes: str | None) -> list[dict[str, str | None]]:
    """Return records that are no other file's: of an invoice of their own, with quantity 1, 2, 3 ..."""
    return day(date, count, **({"InvoiceNo": "550001", "CustomerID": "12345"} | changes))


@dataclass(frozen=True)
class BadInput:
    """One input: its name in the table, how to make it, and what its records must come to.

    Attributes:
        suffix: Suffix of the key under which it is landed; the content decides what it is, never the key.
        valid: Records that must be published, value by value; or how many, where they are too many to tell apart.
        limit: The setting `max_source_bytes` to read it with; the default if None.
    """

    name: str
    make: Callable[[], bytes]
    suffix: str = "csv"
    valid: Sequence[Record] | int = NO_RECORDS
    quarantined: int = 0
    duplicates: int = 0
    limit: int | None = None
    is_huge: bool = False

    @property
    def key(self) -> str:
        """Key under which the input is landed; it sorts before that of the good file."""
        return f"bad/input.{self.suffix}"

    @property
    def landed(self) -> int:
        """Records in the input that can be told apart."""
        return self.valid_count + self.quarantined + self.duplicates

    @property
    def valid_count(self) -> int:
        """How many records must be published."""
        return self.valid if isinstance(self.valid, int) else len(self.valid)


def bad(
    name: str,
    *,
    suffix: str = "csv",
    valid: Sequence[Record] | int = NO_RECORDS,
    quarantined: int = 0,
    duplicates: int = 0,
    limit: int | None = None,
    is_huge: bool = False,
) -> Callable[[Callable[[], bytes]], Callable[[], bytes]]:
    """Register a function that makes an input."""

    def register(make: Callable[[], bytes]) -> Callable[[], bytes]:
        if name in CORPUS:
            message = f"two inputs are called {name!r}"
            raise ValueError(message)
        CORPUS[name] = BadInput(name, make, suffix, valid, quarantined, duplicates, limit, is_huge)
        return make

    return register
