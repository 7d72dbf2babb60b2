"""What a keyed feed declares: what identifies a row, which version of it counts, and what deletes it.

Here: the checks of the declaration, the identity of the buckets, and the columns of the history. Not here: computing
the versions.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import polars as pl

from lakehouse_assets.contracts.evaluation import is_row_wise
from lakehouse_assets.contracts.partitioning import Partitioning
from lakehouse_assets.contracts.rules import SHAPE, Rule
from lakehouse_assets.contracts.semantics import Duplicates
from lakehouse_assets.contracts.source import (
    Contract,
    ContractError,
    Source,
    columns_of,
    meaning,
    steps,
    version,
)
from lakehouse_assets.contracts.table import Column

LANDING = "landing"
"""The `versioned_by` of a feed whose records have no version of their own: the order in which objects landed."""
LANDED = {"_landed": pl.Int64(), "_landed_at": pl.Datetime("us", "UTC")}
"""Columns that tell a record's place in the order of landing: the number of its object version, and when it came."""
Delivery = Literal["changes", "full"]
"""What a landed object says of the keys that are not in it: nothing, or that they are deleted."""
MAX_BUCKETS = 4096
HISTORY = ("valid_from", "valid_to", "is_current", "is_deleted")


class Declared(Protocol):
    """What is read here of a feed."""

    @property
    def name(self) -> str: ...

    @property
    def contract(self) -> type[Contract]: ...

    @property
    def sources(self) -> Mapping[str, Source]: ...

    @property
    def business_date(self) -> str | None: ...

    @property
    def partitioning(self) -> Partitioning | None: ...

    @property
    def duplicates(self) -> Duplicates: ...

    @property
    def late_data_window(self) -> int | None: ...

    @property
    def key(self) -> tuple[str, ...]: ...

    @property
    def versioned_by(self) -> str | None: ...

    @property
    def deleted_when(self) -> pl.Expr | None: ...

    @property
    def buckets(self) -> int: ...

    @property
    def delivery(self) -> Delivery: ...

    @property
    def delivered_at(self) -> str | None: ...


@dataclass(frozen=True)
class Key:
    """The key of a feed and what follows from it. `columns` are contract columns."""

    columns: tuple[str, ...]
    versioned_by: str
    deleted_when: pl.Expr | None
    buckets: int
    is_full: bool
    delivered_at: str | None
    own_types: Mapping[str, pl.DataType]

    @property
    def is_by_landing(self) -> bool:
        """Whether the order of landing decides which version counts."""
        return self.versioned_by == LANDING

    @property
    def valid_from(self) -> pl.DataType:
        """The type of `valid_from` and `valid_to`."""
        return LANDED["_landed_at"] if self.is_by_landing else self.own_types[self.versioned_by]

    @property
    def needed(self) -> frozenset[str]:
        """The columns that also a record which deletes its key must have right."""
        named = set() if self.deleted_when is None else set(self.deleted_when.meta.root_names())
        return frozenset({*self.columns, *named} | (set() if self.is_by_landing else {self.versioned_by}))


def key_of(feed: Declared) -> Key:
    """Return the key that a feed declares.

    Raises:
        ContractError: It cannot work.
    """
    for problem in _problems(feed):
        msg = f"feed {feed.name!r}: {problem}"
        raise ContractError(msg)
    types = {name: column.dtype for name, column in feed.contract.columns().items()}
    return Key(
        feed.key,
        feed.versioned_by or LANDING,
        feed.deleted_when,
        feed.buckets,
        feed.delivery == "full",
        feed.delivered_at,
        types,
    )


def _problems(feed: Declared) -> Iterator[str]:
    """Yield what is wrong with the declaration of a key: culprit, and what to change."""
    columns, contract = feed.contract.columns(), feed.contract.__name__
    yield from _problems_of_options(feed)
    yield from _problems_of_columns(feed)
    yield from _problems_of_order(feed)
    if feed.deleted_when is not None:
        if strange := sorted(set(feed.deleted_when.meta.root_names()) - columns.keys()):
            yield f"its deleted_when reads {strange[0]!r}, which is no column of {contract}."
        elif not is_row_wise(feed.deleted_when):
            yield "its deleted_when looks at other records; it has to follow from the record alone."
    if taken := next((name for name in HISTORY if name in columns), None):
        yield f"{contract}.{taken} is a name of the history's own; give the column another one."


def _problems_of_options(feed: Declared) -> Iterator[str]:
    if feed.business_date is not None or feed.partitioning is not None:
        yield "it has a key, so it is partitioned by buckets of keys; leave out business_date and partitioning."
    if not 1 <= feed.buckets <= MAX_BUCKETS:
        yield f"buckets={feed.buckets}: a feed has 1 to {MAX_BUCKETS:,} buckets."
    if feed.duplicates != "drop":
        yield "it has a key, so a record that comes again counts once; leave out duplicates."
    if feed.late_data_window is not None:
        yield "it has a key and no business dates, so nothing in it is late; leave out late_data_window."
    if feed.delivery not in {"changes", "full"}:
        yield f'delivery={feed.delivery!r} says nothing; it is "changes" or "full".'
    if feed.delivery == "full" and feed.versioned_by != LANDING:
        yield f'with delivery="full" the order of deliveries decides; say versioned_by={LANDING!r}.'


def _problems_of_columns(feed: Declared) -> Iterator[str]:
    columns, contract = feed.contract.columns(), feed.contract.__name__
    for name in feed.key:
        if name not in feed.sources:
            yield f"its key {name!r} is no source column of {contract}."
        elif not _can_be_key(columns[name].dtype):
            yield f"its key {name!r} is no text, whole number or date; a key has to be one."
        elif columns[name].nullable:
            yield f"its key {name!r} may be missing; declare {contract}.{name} with nullable=False."


def _problems_of_order(feed: Declared) -> Iterator[str]:
    columns, contract, name = feed.contract.columns(), feed.contract.__name__, feed.versioned_by
    if name is None:
        yield (
            "it has a key, and does not say which version counts: name a column with versioned_by, or say "
            f"versioned_by={LANDING!r} for the order in which its objects land."
        )
    elif name != LANDING:
        if name not in feed.sources or not _can_be_version(columns[name].dtype):
            yield f"its versioned_by {name!r} is no source column that is a time, a date or a number."
        elif columns[name].nullable:
            yield f"its versioned_by {name!r} may be missing; declare {contract}.{name} with nullable=False."


def _can_be_key(dtype: pl.DataType) -> bool:
    return isinstance(dtype, pl.String | pl.Date) or dtype.is_integer()


def _can_be_version(dtype: pl.DataType) -> bool:
    return isinstance(dtype, pl.Date | pl.Datetime | pl.Decimal) or dtype.is_integer()


def bucketing(feed: Declared) -> str:
    """Return the identity of how records are sorted into buckets: when it changes, all of them are sorted anew."""
    read = []
    for name in feed.key:
        origin, dtype = feed.sources[name], str(feed.contract.columns()[name].dtype)
        read.append([origin.headers, dtype, steps(origin), origin.formats])
    return version([read, feed.buckets])


def identity(key: Key) -> list[object]:
    """Return what of a key the candidate follows from, for the contract's version."""
    deleted = None if key.deleted_when is None else meaning(key.deleted_when)
    return [
        key.columns,
        key.versioned_by,
        deleted,
        key.buckets,
        *(["full"] if key.is_full else []),
        *([key.delivered_at] if key.delivered_at else []),
    ]


def needed_rules(key: Key, rules: Mapping[str, Rule]) -> frozenset[str]:
    """Return the rules, by id, that also a record which deletes its key has to keep: those of what says so."""
    reading = {f"{name}_{kind}" for name in key.needed for kind in ("readable", "scale", "unambiguous")}
    return (
        frozenset({SHAPE, *reading} | {rule.id for rule in rules.values() if rule.column in key.needed}) & rules.keys()
    )


def history_columns(feed: Declared, key: Key) -> dict[str, Column]:
    """Return the columns of the history but those that every silver table has."""
    landed = "was delivered" if key.delivered_at else "landed"
    told = f"when the record's object {landed}, UTC" if key.is_by_landing else f"the record's `{key.versioned_by}`"
    columns = {}
    for name, column in columns_of(feed.contract).items():
        # A record that deletes its key need not say anything else.
        nullable = name not in (key.columns if key.is_full else key.needed)
        columns[name] = Column(column.dtype, column.description, nullable or column.nullable, column.personal)
    return columns | {
        "valid_from": Column(key.valid_from, f"Since when the version holds: {told}.", nullable=False),
        "valid_to": Column(key.valid_from, "`valid_from` of the next version of the key; null for the latest."),
        "is_current": Column(pl.Boolean(), "Whether it is the latest version, and no delete.", nullable=False),
        "is_deleted": Column(pl.Boolean(), "Whether the key is deleted from `valid_from` on.", nullable=False),
    }


def bucket_column(key: Key) -> dict[str, Column]:
    """Return the partition column of a keyed feed's tables."""
    text = f"Hash bucket of the key ({', '.join(key.columns)}), partition."
    return {name: Column(dtype, text, nullable=False) for name, dtype in Partitioning.BY_BUCKET.columns.items()}
