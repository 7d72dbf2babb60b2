"""The declaration of a table: what a module in `defs/` writes once and everything else derives from.

A feed declares its contract, from which its bronze, silver and quarantine tables follow; a model declares a gold
table, whose content is a SQL file. Not here: how contracts are evaluated, stored or shown.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import dataframely as dy
import polars as pl
import sqlglot
from sqlglot import exp

from lakehouse_assets.contracts.drift import DriftPolicy, Policy
from lakehouse_assets.contracts.partitioning import Partitioning
from lakehouse_assets.contracts.rules import SHAPE, Rule, rules_of, type_name

# Raised when the code that turns records into candidates changes its meaning: every published date becomes pending.
SEMANTICS = 1

_KEY = "lakehouse"
_OWN_HEADERS = frozenset({"dt", "rules"})
PROVENANCE: dict[str, tuple[pl.DataType, str]] = {
    "_source_key": (pl.String(), "Key of the source object that the record came from."),
    "_line": (pl.Int64(), "Ordinal of the record in its decoded source object, from 1."),
}


class Contract(dy.Schema):
    """Columns and rules of a feed's records, as a dataframely schema.

    Each column's metadata says where it comes from, with `source` or `derived`. Rules are dataframely rules.
    """


class ContractError(Exception):
    """A declaration that cannot work; the message names the module's object and what to change."""


Normaliser = Callable[[pl.Expr], pl.Expr]


def upper(text: pl.Expr) -> pl.Expr:
    """Upper-case a text."""
    return text.str.to_uppercase()


def drop_point_zero(text: pl.Expr) -> pl.Expr:
    """Drop the `.0` that a spreadsheet or data frame adds to a whole number: `17850.0` is `17850`."""
    return text.str.strip_suffix(".0")


@dataclass(frozen=True)
class Source:
    """Where a contract column is read from: the header names it may have, and how its text is normalised."""

    headers: tuple[str, ...]
    normalise: tuple[Normaliser, ...] = ()
    formats: tuple[str, ...] = ()
    personal: bool = False
    on_missing: Policy | None = None
    on_retyped: Policy | None = None


@dataclass(frozen=True)
class Derived:
    """A contract column computed from the others."""

    expression: pl.Expr


def source(
    header: str,
    *others: str,
    normalise: tuple[Normaliser, ...] = (),
    formats: tuple[str, ...] = (),
    personal: bool = False,
    on_missing: Policy | None = None,
    on_retyped: Policy | None = None,
) -> dict[str, Any]:
    """Metadata of a column that is read from the feed.

    Args:
        header: Name of the field in the landed records.
        others: Alternative names; the first one present in an object counts.
        normalise: Applied in order after trimming; blank text is null.
        formats: For times without offset and for dates: the chrono formats to try, instead of the ISO ones.
        personal: Personal data, which previews and logs never show.
        on_missing: What happens where the column is missing, if not what the feed's drift policy says.
        on_retyped: What happens where none of its values can be read, if not what the feed's drift policy says.
    """
    return {_KEY: Source((header, *others), normalise, formats, personal, on_missing, on_retyped)}


def derived(expression: pl.Expr) -> dict[str, Any]:
    """Metadata of a column that is computed from other columns of the contract."""
    return {_KEY: Derived(expression)}


@dataclass(frozen=True)
class Column:
    """One column of a table as everything outside the contract sees it."""

    dtype: pl.DataType
    description: str
    nullable: bool = True
    personal: bool = False


@dataclass(frozen=True)
class Table:
    """One stored table: its place, columns, layout and who answers for it."""

    layer: str
    name: str
    columns: Mapping[str, Column]
    partitioning: Partitioning
    description: str
    owner: str
    revision: int = 1

    @property
    def key(self) -> str:
        """The table's name with a slash: its asset key, and how runs speak of it."""
        return f"{self.layer}/{self.name}"

    @property
    def path(self) -> str:
        """The table's folder below the lake root: one per revision, so that an old one stays while a new one fills."""
        return self.key if self.revision == 1 else f"{self.key}.r{self.revision}"

    @property
    def full_name(self) -> str:
        """The table's name in SQL."""
        return f"{self.layer}.{self.name}"


def _columns_of(schema: type[dy.Schema]) -> dict[str, Column]:
    columns = {}
    for name, column in schema.columns().items():
        origin = (column.metadata or {}).get(_KEY)
        columns[name] = Column(
            dtype=column.dtype,
            description=column.description or "",
            nullable=column.nullable,
            personal=isinstance(origin, Source) and origin.personal,
        )
    return columns


def _rule_text(schema: type[dy.Schema]) -> list[str]:
    return [f"{rule.id}: {_meaning(rule.expression)}" for rule in rules_of(schema)]


def _meaning(expression: pl.Expr) -> str:
    """Return all of an expression, its arguments included: what is printed of it leaves some out."""
    return str(expression.meta.serialize(format="json"))


def _steps(origin: Source) -> list[str]:
    return [_meaning(step(pl.col(origin.headers[0]))) for step in origin.normalise]


def _version(parts: object) -> str:
    return hashlib.sha256(json.dumps([SEMANTICS, parts], default=str, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Feed:
    """A named stream of raw records, its contract, and how its dates are published.

    Attributes:
        business_date: The contract column whose day partitions the feed; None for a feed without dates.
        time_zone: The feed's business time zone: times without offset are local to it.
        revision: Raised by one for a change that the stored tables cannot follow: new tables are filled beside them.
        drift: What happens when the columns of an object are not those of the contract.
        late_data_window: Days after which records of a date need a person's acceptance; None takes them always.
        gate: A date whose share of valid among distinct records is below this is held.
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

    def __post_init__(self) -> None:
        undeclared = [name for name, column in self.contract.columns().items() if _KEY not in (column.metadata or {})]
        if undeclared:
            msg = f"{self.contract.__name__}.{undeclared[0]} has no metadata=source(...) or derived(...); give it one."
            raise ContractError(msg)
        if self.business_date is not None and self.business_date not in self.sources:
            msg = f"feed {self.name!r}: its business date {self.business_date!r} is no source column of its contract."
            raise ContractError(msg)
        for name, origin in self.sources.items():
            if (taken := origin.headers[0]) in _OWN_HEADERS or taken.startswith("_"):
                msg = (
                    f"{self.contract.__name__}.{name}: the header {taken!r} is a name of the lake's own; put another "
                    f"name before it: source('{name}', {taken!r})."
                )
                raise ContractError(msg)
        if odd := next((n for n in self.contract.columns() if n.startswith("_") or n in self._own_columns), None):
            msg = f"{self.contract.__name__}.{odd}: the name is of the lake's own; give the column another one."
            raise ContractError(msg)
        if not re.fullmatch(r"[a-z][a-z0-9_]*", self.name):
            msg = f"feed {self.name!r}: a name is lower-case letters, digits and underscores."
            raise ContractError(msg)

    @property
    def _own_columns(self) -> set[str]:
        return {"dt", *self.layout.columns}

    @cached_property
    def sources(self) -> dict[str, Source]:
        """Contract columns that are read, by name."""
        columns = self.contract.columns().items()
        return {name: o for name, c in columns if isinstance(o := (c.metadata or {})[_KEY], Source)}

    @cached_property
    def derivations(self) -> dict[str, pl.Expr]:
        """Contract columns that are computed, by name."""
        columns = self.contract.columns().items()
        return {name: o.expression for name, c in columns if isinstance(o := (c.metadata or {})[_KEY], Derived)}

    @property
    def layout(self) -> Partitioning:
        """The partitioning of the feed's silver table."""
        if self.business_date is None:
            return Partitioning.SNAPSHOT
        return self.partitioning or Partitioning.BY_DATE

    @property
    def landing(self) -> str:
        """The folder where the feed's original objects arrive."""
        return f"landing/{self.name}"

    @cached_property
    def version(self) -> str:
        """Identity of the contract's meaning: it changes when a replay could give another candidate."""
        columns = {name: str(column.dtype) for name, column in self.contract.columns().items()}
        sources = {
            name: [o.headers, _steps(o), o.formats, o.on_missing, o.on_retyped] for name, o in self.sources.items()
        }
        derivations = {name: _meaning(expression) for name, expression in self.derivations.items()}
        rules = _rule_text(self.contract)
        return _version(
            [columns, sources, derivations, rules, self.business_date, self.time_zone, self.gate, self.drift]
        )

    @cached_property
    def bronze(self) -> Table:
        """The records as they came: every value text, under its first header name."""
        columns = {
            origin.headers[0]: Column(pl.String(), f"As landed; becomes `{name}`.", personal=origin.personal)
            for name, origin in self.sources.items()
        }
        columns["_extra"] = Column(pl.String(), "Fields that the contract does not know, as JSON.", personal=True)
        columns["_problem"] = Column(pl.String(), "What was wrong with the record's shape, if anything.")
        columns |= {name: Column(dtype, text) for name, (dtype, text) in PROVENANCE.items()}
        columns["_source_hash"] = Column(pl.String(), "SHA-256 of the source object's bytes.")
        columns["_ingested_at"] = Column(pl.Datetime("us", "UTC"), "When the record was first ingested.")
        return self._table("bronze", columns, f"{self.description} As it came, with provenance.")

    @cached_property
    def silver(self) -> Table:
        """The published records: typed, validated, deduplicated."""
        columns = _columns_of(self.contract)
        for name, dtype in self.layout.columns.items():
            columns[name] = Column(dtype, f"Business date ({self.time_zone}), partition.", nullable=False)
        columns |= {name: Column(dtype, text, nullable=False) for name, (dtype, text) in PROVENANCE.items()}
        return self._table("silver", columns, f"{self.description} Typed, validated, deduplicated.")

    @cached_property
    def quarantine(self) -> Table:
        """The distinct records that fail the contract now, with the reasons and the raw values."""
        columns = {
            "rules": Column(pl.List(pl.String()), "Ids of all the rules that the record breaks.", nullable=False),
            **{name: column for name, column in self.bronze.columns.items() if not name.startswith("_")},
            "_problem": self.bronze.columns["_problem"],
            "_extra": self.bronze.columns["_extra"],
            **{name: Column(dtype, text, nullable=False) for name, (dtype, text) in PROVENANCE.items()},
            "_source_hash": self.bronze.columns["_source_hash"],
        }
        if self.business_date:
            columns["dt"] = Column(pl.Date(), "Business date; null when it cannot be read.")
        text = f"{self.description} Records that fail the contract, with the rules they break."
        layout = Partitioning.BY_DATE if self.business_date else Partitioning.SNAPSHOT
        return Table("quarantine", self.name, columns, layout, text, self.owner, self.revision)

    @cached_property
    def rules(self) -> dict[str, Rule]:
        """Every rule that a record can break, by id: those of reading it, then those of the contract.

        The reading rules carry no expression: casting the record is what evaluates them.
        """
        reading = {SHAPE: "the record has the shape of its object (as many fields as headers)"}
        for name in self.sources:
            dtype = self.contract.columns()[name].dtype
            if not isinstance(dtype, pl.String):
                reading[f"{name}_readable"] = f"`{name}` can be read as {type_name(dtype)}"
            if isinstance(dtype, pl.Decimal):
                reading[f"{name}_scale"] = f"`{name}` has at most {dtype.scale} decimals"
        if self.business_date:
            reading[self.range_rule] = f"`{self.business_date}` lies between the first business date and today"
        rules = {rule_id: Rule(rule_id, text, pl.lit(value=True)) for rule_id, text in reading.items()}
        return rules | {rule.id: rule for rule in rules_of(self.contract)}

    @property
    def range_rule(self) -> str:
        """Id of the rule that the business date is one."""
        return f"{self.business_date}_in_range"

    def _table(self, layer: str, columns: Mapping[str, Column], description: str) -> Table:
        layout = self.layout
        if layer == "bronze" and self.business_date:
            layout = Partitioning.BY_DATE
            columns = {**columns, "dt": Column(pl.Date(), "Business date; null when it cannot be read.")}
        revision = self.revision if layer == "silver" else 1
        return Table(layer, self.name, columns, layout, description, self.owner, revision)


@dataclass(frozen=True)
class Model:
    """A gold table: the schema that its SQL must return, and how it is cut into dates.

    Attributes:
        sql: The file with one DuckDB query over other tables by their SQL names. For a table by date the tables
            read hold the dates being built and no others; for a snapshot, all of them.
        date: The column whose date partitions the table; None for a snapshot.
        plot: Column over the date to draw in the UI, if any.
        revision: As for a feed.
    """

    name: str
    schema: type[dy.Schema]
    sql: Path
    description: str
    owner: str
    date: str | None = None
    partitioning: Partitioning | None = None
    plot: str | None = None
    revision: int = 1

    def __post_init__(self) -> None:
        if self.date is not None and self.date not in self.schema.columns():
            msg = f"model {self.name!r}: its date column {self.date!r} is not in {self.schema.__name__}."
            raise ContractError(msg)

    @property
    def layout(self) -> Partitioning:
        """The partitioning of the table."""
        if self.date is None:
            return Partitioning.SNAPSHOT
        return self.partitioning or Partitioning.BY_DATE

    @cached_property
    def query(self) -> str:
        """The text of the SQL file."""
        return self.sql.read_text(encoding="utf-8")

    @cached_property
    def upstream(self) -> tuple[str, ...]:
        """SQL names of the tables that the query reads, sorted."""
        tables = sqlglot.parse_one(self.query, dialect="duckdb").find_all(exp.Table)
        return tuple(sorted({f"{table.db}.{table.name}" for table in tables if table.db}))

    @cached_property
    def version(self) -> str:
        """Identity of the model's meaning: its SQL without layout and comments, its schema and rules."""
        statement = sqlglot.parse_one(self.query, dialect="duckdb").sql(dialect="duckdb", comments=False)
        columns = {name: str(column.dtype) for name, column in self.schema.columns().items()}
        return _version([statement, columns, _rule_text(self.schema), self.layout.value, self.date])

    @cached_property
    def table(self) -> Table:
        """The gold table."""
        columns = _columns_of(self.schema)
        for name, dtype in self.layout.columns.items():
            columns.setdefault(name, Column(dtype, f"Partition, derived from `{self.date}`.", nullable=False))
        return Table("gold", self.name, columns, self.layout, self.description, self.owner, self.revision)
