"""The candidate of a date is the same whatever is computed with it: each date alone, all at once, any split between."""

from typing import Any

import dataframely as dy
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse_assets.contracts.declare import Contract, Feed, derived, source
from lakehouse_assets.pipeline.candidate import Candidate, compute

DATES = ["2011-03-01", "2011-03-02", "2011-03-03", "2011-03-04"]


def _repeated(text: pl.Expr) -> pl.Expr:
    """A normaliser that looks at the record before: odd, but nothing forbids it."""
    return text.fill_null(strategy="forward")


class Things(Contract):
    """A column or a rule of every kind that a contract can hold."""

    id = dy.Int64(primary_key=True, metadata=source("Id"))
    on = dy.Date(nullable=False, metadata=source("On"))
    size = dy.Decimal(9, 2, nullable=False, min=0, max=99, metadata=source("Size"))
    code = dy.String(nullable=True, regex="^[a-c]+$", max_length=2, metadata=source("Code", normalise=(_repeated,)))
    kind = dy.String(nullable=True, regex="^[xy]$", metadata=source("Kind"))
    lone = dy.Int64(nullable=True, check=lambda n: n.is_unique(), metadata=source("Lone"))
    many = dy.Int64(nullable=True, check={"below_mean": lambda n: n <= n.mean() * 3}, metadata=source("Many"))
    double = dy.Decimal(38, 2, nullable=False, max=150, metadata=derived(pl.col("size") * 2))
    share = dy.Float64(nullable=True, max=0.75, metadata=derived(pl.col("many") / pl.col("many").sum()))
    place = dy.Int64(nullable=False, metadata=derived(pl.col("many").is_not_null().cum_sum()))

    @dy.rule()
    def row(cls) -> pl.Expr:  # noqa: N805
        return (pl.col("size") > 1) | pl.col("code").is_null()

    @dy.rule()
    def group_of_one(cls) -> pl.Expr:  # noqa: N805
        return pl.len().over("code") <= 1

    @dy.rule()
    def group_total(cls) -> pl.Expr:  # noqa: N805
        return pl.col("size").sum().over("kind") < 150

    @dy.rule()
    def total(cls) -> pl.Expr:  # noqa: N805
        return pl.col("many").sum() > 0

    @dy.rule()
    def rising(cls) -> pl.Expr:  # noqa: N805
        return pl.col("lone") >= pl.col("lone").shift(1)

    @dy.rule()
    def pair(cls) -> pl.Expr:  # noqa: N805
        return pl.struct("code", "kind").is_first_distinct()

    @dy.rule()
    def constant(cls) -> pl.Expr:  # noqa: N805
        return pl.lit(value=True)


FEED = Feed(name="things", contract=Things, description="Things.", owner="team:x", business_date="on")
VALUES: dict[str, list[str | None]] = {
    "Id": ["1", "2", "3", "4", None, "x"],
    "Size": ["1", "2.5", "80", "120", "-1", "1.234", None, "big"],
    "Code": ["a", "ab", "abc", "z", None],
    "Kind": ["x", "y", "z", None],
    "Lone": ["1", "2", "3", None],
    "Many": ["0", "1", "5", "40", "many", None],
}
RECORD = st.fixed_dictionaries({header: st.sampled_from(values) for header, values in VALUES.items()})
LOT = st.lists(st.tuples(st.sampled_from(DATES), RECORD), max_size=24)


def _bronze(records: list[tuple[str, dict[str, str | None]]]) -> pl.DataFrame:
    schema = FEED.bronze.types
    schema |= {"_part": pl.String(), "_waived": pl.List(pl.String()), "_discarded": pl.Boolean()}
    own: dict[str, Any] = {"_source_key": "k", "_source_hash": "h", "_discarded": False, "_waived": None}
    rows = [{**r, **own, "On": date, "_part": date, "_line": at + 1} for at, (date, r) in enumerate(records)]
    frame = pl.DataFrame(rows, schema={name: dtype for name, dtype in schema.items() if name != "dt"})
    return frame.with_columns(pl.col("_part").str.to_date().alias("dt")).select(*schema).sort("_part", "_line")


def _tables(candidates: list[Candidate]) -> list[pl.DataFrame]:
    frames = [[c.valid, c.quarantined, c.accounting, c.broken] for c in candidates]
    return [pl.concat(those).sort("_part", maintain_order=True) for those in zip(*frames, strict=True)]


def _in_batches(bronze: pl.DataFrame, batches: list[list[str]]) -> list[pl.DataFrame]:
    return _tables([compute(FEED, bronze.filter(pl.col("_part").is_in(batch))) for batch in batches])


@pytest.mark.slow
@given(LOT, st.lists(st.integers(0, 2), min_size=len(DATES), max_size=len(DATES)))
@settings(max_examples=15, deadline=None)
def test_the_candidate_of_a_date_does_not_depend_on_its_batch(
    records: list[tuple[str, dict[str, str | None]]], split: list[int]
) -> None:
    bronze = _bronze(records)
    alone = _in_batches(bronze, [[date] for date in DATES])
    batches = [[date for date, at in zip(DATES, split, strict=True) if at == batch] for batch in range(3)]
    for other in (_in_batches(bronze, [DATES]), _in_batches(bronze, batches)):
        assert all(a.equals(b) for a, b in zip(alone, other, strict=True))


def test_rules_that_look_at_other_rows_are_broken_within_a_date_only() -> None:
    base: dict[str, str | None] = {"Size": "2", "Many": "1"}
    twice = {"Id": "1", "Code": "a", "Kind": "x", "Lone": "2", "Many": "9"} | {"Size": "80"}
    first = [(DATES[0], base | twice), (DATES[0], base | twice | {"Lone": "1"})]
    first += [(DATES[0], base | {"Id": str(n), "Code": "a", "Many": None, "Lone": "1"}) for n in (2, 3)]
    second = [(DATES[1], base | {"Id": "1", "Code": "a", "Kind": "x", "Lone": "1"})]
    third = [(DATES[2], base | {"Id": str(n), "Many": "0"}) for n in (1, 2)]
    broken = compute(FEED, _bronze(first + second + third)).broken.select("_part", "rule")
    of_date = {date: set(rules) for date, rules in broken.group_by("_part").agg("rule").iter_rows()}
    assert of_date == {
        DATES[0]: {"primary_key", "group_of_one", "group_total", "rising", "pair", "lone_check"},
        DATES[1]: {"share_max"},
        DATES[2]: {"total", "pair", "group_of_one", "lone_check"},
    }
