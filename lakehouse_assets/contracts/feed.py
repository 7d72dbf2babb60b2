"""A feed: a named stream of raw records, from whose contract its bronze, silver and quarantine tables follow."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import dataframely as dy
import polars as pl

from lakehouse_assets.contracts import arriving, feed_tables, identity, reference_rules, semantics
from lakehouse_assets.contracts.arguments import check_arguments
from lakehouse_assets.contracts.drift import DriftPolicy, Policy
from lakehouse_assets.contracts.file_format import Format
from lakehouse_assets.contracts.keys import Delivery, Key, key_of
from lakehouse_assets.contracts.kinesis import KinesisStream
from lakehouse_assets.contracts.own_names import check_names
from lakehouse_assets.contracts.partitioning import Partitioning
from lakehouse_assets.contracts.periods import Period
from lakehouse_assets.contracts.reading_rules import reading_rules
from lakehouse_assets.contracts.rest_api import RestApi
from lakehouse_assets.contracts.rules import Rule, rules_of
from lakehouse_assets.contracts.source import Contract, ContractError, Derived, Source, origin_of
from lakehouse_assets.contracts.storable import check_storable
from lakehouse_assets.contracts.table import Table
from lakehouse_assets.contracts.usual_rows import UsualRows

FIRST_DATE = dt.date(2009, 1, 1)


@dataclass(frozen=True)
class Feed:
    """A named stream of raw records, its contract, and how its dates are published.

    Attributes:
        business_date: The contract column whose day partitions the feed; None for a feed without dates.
        time_zone: The feed's business time zone: the business date is the day in it.
        source_zone: The zone of times without an offset; by default the business time zone.
        duplicates: `"drop"`: equal records count once; `"keep"`: each counts; columns: one for each id in them.
        prefer: With an id in `duplicates`: the column whose largest value says which record of an id counts.
        snapshot: For a feed without dates: `"union"` of all deliveries, or `"latest"`: each replaces the one before.
        delivered_at: Where the keys of deliveries say which one is the latest, such as `"products-%Y-%m-%d"`.
        references: Columns whose values are those of another feed: `(("product_id", "products.product_id"),)`.
        on_missing_reference: `"warn"`, or `"quarantine"`: a record waits until what it references is there.
        partition_by: Whether a partition holds a `"day"`, a `"month"` or a `"year"`; it is named by its first day.
        revision: Raised by one for a change that the stored tables cannot follow: new tables are filled beside them.
        drift: What happens when the columns of an object are not those of the contract.
        late_data_window: Days after which records of a date need a person's acceptance; None takes them always.
        daily_close: The time of day, in the business time zone, at which the day before is declared complete.
        rest_days: Days of the week of which nothing comes, such as `("Saturday",)`.
        inventory: Whether a check lists the partitions that are held, or whose runs failed.
        gate: A date whose share of valid among distinct records is below this is held.
        start_date: The first business date; records of earlier ones are quarantined.
        format: How the feed's objects are written; None where the content of each says it.
        key: The contract columns that identify a row, for a keyed feed: its silver table is the current state per key.
        versioned_by: The column by which the latest version of a key is known, or `"landing"` for the order of landing.
        deleted_when: True for a record that deletes its key.
        delivery: `"changes"`, or `"full"`: a key that a landed object lacks is deleted with it.
        buckets: How many hash buckets the keys are sorted into; a change costs the buckets that it touches.
        usual_rows: How many rows a date usually has; a check then reports dates with other numbers.
        extract: The API or the stream that has its records; None for a feed whose files are landed by others.
        posted: Whether `lakehouse serve` takes its records over HTTP.
    """

    name: str
    contract: type[Contract]
    description: str
    owner: str
    business_date: str | None = None
    time_zone: str = "UTC"
    gate: float = 0.95
    drift: DriftPolicy = field(default_factory=DriftPolicy)
    late_data_window: int | None = None
    revision: int = 1
    partitioning: Partitioning | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    start_date: dt.date = FIRST_DATE
    source_zone: str | None = None
    duplicates: semantics.Duplicates = "drop"
    format: Format | None = None
    snapshot: semantics.Snapshot = "union"
    delivered_at: str | None = None
    key: tuple[str, ...] = ()
    versioned_by: str | None = None
    deleted_when: pl.Expr | None = field(default=None, compare=False)
    delivery: Delivery = "changes"
    buckets: int = 16
    references: reference_rules.References = ()
    partition_by: Period = "day"
    prefer: str | None = None
    on_missing_reference: reference_rules.OnMissing = "warn"
    daily_close: dt.time | None = None
    rest_days: tuple[str, ...] = ()
    inventory: bool = False
    extract: RestApi | KinesisStream | None = None
    usual_rows: UsualRows | None = None
    posted: bool = False

    def __post_init__(self) -> None:
        check_arguments(f"feed {self.name!r}", self)
        if self.business_date is not None and self.business_date not in self.sources:
            msg = f"feed {self.name!r}: its business date {self.business_date!r} is no source column of its contract."
            raise ContractError(msg)
        if self.keyed is None and (self.versioned_by or self.deleted_when is not None or self.delivery != "changes"):
            msg = f"feed {self.name!r}: versioned_by, deleted_when, delivery are of feeds with a key; name it with key."
            raise ContractError(msg)
        columns = self.columns
        check_storable(self.contract.__name__, {name: column.dtype for name, column in columns.items()})
        check_names(self.name, self.contract, self.sources, self.raw_layout.columns, self.layout.columns)
        for name, origin in self.sources.items():
            origin.check(columns[name].dtype, f"{self.contract.__name__}.{name}")
        if refusal := semantics.refusal(self) or reference_rules.refusal(self) or arriving.refusal(self):
            msg = f"feed {self.name!r}: {refusal}"
            raise ContractError(msg)

    @cached_property
    def columns(self) -> dict[str, dy.Column]:
        """Columns of the contract, by name; dataframely computes them anew by each call."""
        return self.contract.columns()

    @cached_property
    def sources(self) -> dict[str, Source]:
        """Contract columns that are read, by name."""
        columns = self.columns.items()
        return {name: origin for name, c in columns if isinstance(origin := origin_of(name, c), Source)}

    @cached_property
    def derivations(self) -> dict[str, pl.Expr]:
        """Contract columns that are computed, by name."""
        columns = self.columns.items()
        return {name: o.expression for name, c in columns if isinstance(o := origin_of(name, c), Derived)}

    @cached_property
    def keyed(self) -> Key | None:
        """The key and what follows from it; None for a feed without one."""
        return key_of(self) if self.key else None

    @cached_property
    def awaited(self) -> dict[str, reference_rules.Reference]:
        """The references for whose counterpart a record waits in quarantine, by the id of their rule."""
        return reference_rules.awaited(self)

    @property
    def layout(self) -> Partitioning:
        """The partitioning of the feed's silver table."""
        if self.key:
            return Partitioning.BY_BUCKET
        if self.business_date is None:
            return Partitioning.SNAPSHOT
        return self.partitioning or Partitioning.BY_DATE

    @property
    def naive_zone(self) -> str:
        """The zone of source times without an offset."""
        return self.source_zone or self.time_zone

    @property
    def landing(self) -> str:
        """The folder where the feed's original objects arrive."""
        return f"landing/{self.name}"

    @cached_property
    def version(self) -> str:
        """Identity of the contract's meaning: it changes when a replay could give another candidate."""
        return identity.of_contract(self)

    def missing_policy(self, name: str) -> Policy | None:
        """What happens where a column is missing; None if it may be."""
        origin = self.sources[name]
        if self.columns[name].nullable and origin.on_missing is None:
            return None
        return origin.on_missing or self.drift.missing

    def retyped_policy(self, name: str) -> Policy:
        """What happens where a column is retyped."""
        return self.sources[name].on_retyped or self.drift.retyped

    @cached_property
    def reading_version(self) -> str:
        """Identity of how landed objects are read into bronze: when it changes, they are read anew."""
        return identity.of_reading(self)

    @cached_property
    def normalisations(self) -> dict[str, str]:
        """Identity of how each source column's text is brought to the form in which values are compared."""
        return identity.of_values(self)

    @cached_property
    def bronze(self) -> Table:
        """The records as they came: every value text, under its first header name."""
        return feed_tables.bronze(self)

    @cached_property
    def silver(self) -> Table:
        """The published records: typed, validated, deduplicated."""
        return feed_tables.silver(self)

    @cached_property
    def history(self) -> Table | None:
        """Every version of every key; None for a feed without a key."""
        return None if self.keyed is None else feed_tables.history(self, self.keyed)

    @cached_property
    def quarantine(self) -> Table:
        """The distinct records that fail the contract now, with the reasons and the raw values."""
        return feed_tables.quarantine(self)

    @cached_property
    def by_rule(self) -> Table:
        """How many distinct records break each rule now, by partition; it outlives the records themselves."""
        return feed_tables.by_rule(self)

    @property
    def typed(self) -> tuple[Table, ...]:
        """The tables of its published records: silver, and the history of a keyed feed."""
        return (self.silver,) if self.history is None else (self.silver, self.history)

    @property
    def tables(self) -> tuple[Table, ...]:
        """All its tables."""
        return (self.bronze, *self.typed, self.quarantine, self.by_rule)

    @cached_property
    def rules(self) -> dict[str, Rule]:
        """Every rule that a record can break, by id: those of reading it, then those of the contract."""
        return reading_rules(self) | {rule.id: rule for rule in rules_of(self.contract)}

    @property
    def shown_headers(self) -> frozenset[str]:
        """Fields whose values may stand in messages, in Dagster's run configuration and metadata: no personal data."""
        return frozenset(origin.headers[0] for origin in self.sources.values() if not origin.personal)

    @property
    def range_rule(self) -> str:
        """Id of the rule that the business date is one."""
        return f"{self.business_date}_in_range"

    @property
    def raw_layout(self) -> Partitioning:
        """The partitioning of what also holds records without a date: bronze, quarantine."""
        if self.key:
            return Partitioning.BY_BUCKET
        return Partitioning.BY_DATE if self.business_date else Partitioning.SNAPSHOT

    @property
    def headers(self) -> list[str]:
        """The columns of bronze that hold fields of the landed records."""
        return list(dict.fromkeys(origin.headers[0] for origin in self.sources.values()))
