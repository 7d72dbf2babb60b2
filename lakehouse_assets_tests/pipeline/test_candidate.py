"""A candidate follows from the live records alone: distinct ones, cast strictly, each broken rule named."""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.pipeline.gate import Outcome
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.retail import (
    DAY,
    Record,
    day,
    ingest,
    land,
    line,
    publish,
    quarantine_rows,
    sales,
    sales_csv,
    silver_rows,
)


def _run(lake: Lake, records: Sequence[Record], key: str = "x.csv") -> dict[str, Outcome]:
    land(lake, key, sales_csv(records))
    ingest(lake)
    return publish(lake)


def test_a_record_becomes_typed_values(lake: Lake) -> None:
    record = line(
        StockCode=" 85123a ",
        Description="  WHITE HEART ",
        InvoiceDate="2011-07-01T00:30:00",
        Quantity="+006",
        UnitPrice="2.5500",
        Country=" France ",
    )
    _run(lake, [record])
    [found] = silver_rows(lake).rows(named=True)
    assert found == {
        "invoice_no": "536365", "stock_code": "85123A", "description": "WHITE HEART", "quantity": 6,
        "invoiced_at": dt.datetime(2011, 6, 30, 23, 30, tzinfo=dt.UTC), "unit_price": Decimal("2.5500"),
        "customer_id": "17850", "country": "France", "line_type": "sale", "line_amount": Decimal("15.3000"),
        "dt": dt.date(2011, 7, 1), "_source_key": "x.csv", "_line": 1,
    }  # fmt: skip


@pytest.mark.slow(covered=True)
def test_amounts_are_exact_at_the_ends_of_what_fits(lake: Lake) -> None:
    _run(lake, [line(Quantity=str(2**63 - 1), UnitPrice="99999999999999.9999")])
    [found] = silver_rows(lake).rows(named=True)
    assert Fraction(found["line_amount"]) == (2**63 - 1) * Fraction("99999999999999.9999")


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize(
    "when", ["yesterday", "2011-02-29 08:00:00", "2011-03-27 01:30:00", "2011-03-01 25:00:00", "1.3.2011"]
)
def test_a_record_without_a_readable_date_is_quarantined_without_one(lake: Lake, when: str) -> None:
    outcomes = _run(lake, [line(InvoiceDate=when)])
    [row] = quarantine_rows(lake).rows(named=True)
    assert (row["rules"], row["dt"], row["InvoiceDate"]) == (["invoiced_at_readable"], None, when)
    assert outcomes["undated"].verdict == "outside"
    assert silver_rows(lake).height == 0


def test_a_record_with_no_date_at_all_is_quarantined_without_one(lake: Lake) -> None:
    _run(lake, [line(InvoiceDate=None)])
    [row] = quarantine_rows(lake).rows(named=True)
    assert (row["rules"], row["dt"]) == (["invoiced_at_required"], None)


def test_an_undated_record_names_its_other_faults_too(lake: Lake) -> None:
    _run(lake, [line(InvoiceDate="?", Quantity="x", Country=None)])
    [row] = quarantine_rows(lake).rows(named=True)
    assert sorted(row["rules"]) == ["country_required", "invoiced_at_readable", "quantity_readable"]


@pytest.mark.slow(covered=True)
def test_a_date_before_the_first_or_after_today_is_quarantined_under_its_date(lake: Lake) -> None:
    tomorrow = lake.today(sales(lake)) + dt.timedelta(days=1)
    outcomes = _run(lake, [*day("2008-12-31", 1), *day("2009-01-01", 1), *day(tomorrow, 1), *day(DAY, 1)])
    assert {partition: outcome.verdict for partition, outcome in outcomes.items()} == {
        "2008-12-31": "outside", "2009-01-01": "published", DAY: "published", str(tomorrow): "outside",
    }  # fmt: skip
    rows = quarantine_rows(lake).select("dt", "rules").rows()
    assert rows == [(dt.date(2008, 12, 31), ["invoiced_at_in_range"]), (tomorrow, ["invoiced_at_in_range"])]
    assert silver_rows(lake)["dt"].to_list() == [dt.date(2009, 1, 1), dt.date(2011, 3, 1)]


def test_today_is_a_business_date(lake: Lake) -> None:
    outcomes = _run(lake, day(lake.today(sales(lake)), 1))
    assert [outcome.verdict for outcome in outcomes.values()] == ["published"]


def test_quarantine_shows_the_raw_values_the_source_and_the_line(lake: Lake) -> None:
    record = line(Quantity=" 1.5 ", StockCode=" a ", CustomerID="17850.0", UnitPrice="2.550")
    _run(lake, [*day(count=2, InvoiceNo="999999"), record])
    [row] = quarantine_rows(lake).rows(named=True)
    assert {name: row[name] for name in record} == record
    assert (row["_source_key"], row["_line"], row["dt"]) == ("x.csv", 3, dt.date(2011, 3, 1))
    assert row["_source_hash"] == lake.ledger_of(sales(lake)).live["source_hash"][0]


def test_a_record_of_the_wrong_shape_is_quarantined_with_the_reason(lake: Lake) -> None:
    good = sales_csv(day(count=30))
    land(lake, "x.csv", good + sales_csv([line()]).split(b"\n")[1] + b",surplus\n")
    ingest(lake)
    publish(lake)
    [row] = quarantine_rows(lake).rows(named=True)
    assert (row["rules"], row["_problem"], row["_extra"]) == (["record_shape"], "9 fields, 8 expected", "surplus")


def test_a_field_outside_the_contract_makes_no_difference(lake: Lake) -> None:
    columns = ["Till", *line()]
    land(lake, "x.csv", sales_csv([line() | {"Till": "1"}, line() | {"Till": "2"}], columns=columns))
    ingest(lake)
    assert publish(lake)[DAY].duplicates == 1


def test_of_equal_records_the_one_of_the_smallest_key_and_line_stays(lake: Lake) -> None:
    land(lake, "b.csv", sales_csv([line(), line()]))
    land(lake, "a.csv", sales_csv([*day(count=2), line(Description=" WHITE HANGING HEART T-LIGHT HOLDER")]))
    ingest(lake)
    outcome = publish(lake)[DAY]
    assert (outcome.landed, outcome.valid, outcome.duplicates, outcome.sources) == (5, 3, 2, 2)
    assert silver_rows(lake).select("_source_key", "_line").rows() == [("a.csv", 1), ("a.csv", 2), ("a.csv", 3)]


def test_equal_records_of_two_dates_are_two(lake: Lake) -> None:
    outcomes = _run(lake, [*day(DAY, 1), *day("2011-03-02", 1)])
    assert [outcome.duplicates for outcome in outcomes.values()] == [0, 0]


def test_counts_and_broken_rules_are_told_by_date(lake: Lake) -> None:
    records = [*day(DAY, 20), *day(DAY, 2), line(Quantity="x"), line(Quantity="y", UnitPrice="z"), *day("2011-03-02")]
    outcomes = _run(lake, records)
    first, second = outcomes[DAY], outcomes["2011-03-02"]
    assert (first.landed, first.valid, first.quarantined, first.duplicates) == (24, 20, 2, 2)
    assert first.score == 20 / 22
    assert first.broken == {"quantity_readable": 2, "unit_price_readable": 1}
    assert (second.valid, second.quarantined, second.score, second.broken) == (3, 0, 1.0, {})


# A small world in which values collide: what stays, and why, by the book.

VALUES: dict[str, list[str | None]] = {
    "Quantity": ["1", "01", "x", " x", None],
    "UnitPrice": ["2.5", "2.50", "2.123456", "2.1234567"],
    "CustomerID": ["7", "7.0", None],
}


def _identity(record: Record) -> tuple[str | None, ...]:
    quantity, price, customer = (record[name] for name in VALUES)
    return (
        {"01": "1", " x": "x"}.get(quantity or "", quantity),
        {"2.50": "2.5"}.get(price or "", price),
        {"7.0": "7"}.get(customer or "", customer),
    )


RECORD = st.builds(
    lambda quantity, price, customer: line(Quantity=quantity, UnitPrice=price, CustomerID=customer),
    *(st.sampled_from(values) for values in VALUES.values()),
)


@pytest.mark.slow
@given(objects=st.dictionaries(st.sampled_from(["a", "b", "c"]), st.lists(RECORD, min_size=1, max_size=6), min_size=1))
@settings(max_examples=15, deadline=None)
def test_distinct_records_and_counts_follow_from_the_values(
    objects: dict[str, list[Record]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    lake = lake_at(str(tmp_path_factory.mktemp("lake")))
    for key, records in objects.items():
        land(lake, key, sales_csv(records))
    ingest(lake)
    outcome = publish(lake)[DAY]
    live = lake.ledger_of(sales(lake)).live["source_key"].to_list()  # equal objects count once
    first: dict[tuple[str | None, ...], tuple[str, int]] = {}
    for key in sorted(live):
        for at, record in enumerate(objects[key], start=1):
            first.setdefault(_identity(record), (key, at))
    bad = {place for values, place in first.items() if values[0] != "1" or values[1] != "2.5"}
    assert outcome.landed == sum(len(objects[key]) for key in live)
    assert outcome.duplicates == outcome.landed - len(first)
    assert set(quarantine_rows(lake).select("_source_key", "_line").iter_rows()) == bad
    published = set(silver_rows(lake).select("_source_key", "_line").iter_rows())
    score = 1 - len(bad) / len(first)
    assert published == (set(first.values()) - bad if score >= 0.95 else set())


def test_the_feed_is_cast_as_declared(lake: Lake) -> None:
    feed: Feed = sales(lake)
    _run(lake, day())
    assert silver_rows(lake).schema == pl.Schema(feed.silver.types)
