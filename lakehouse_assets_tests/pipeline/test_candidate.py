"""A candidate follows from the live records alone: distinct ones, cast strictly, each broken rule named."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed, Table
from lakehouse_assets.pipeline.gate import Outcome
from lakehouse_assets.storage import delta
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.retail import DAY, Record, day, ingest, land, line, publish, sales, sales_csv


def _rows(lake: Lake, table: Table) -> pl.DataFrame:
    columns = {name: column.dtype for name, column in table.columns.items()}
    return delta.scan(lake.store, table.path, columns).collect()


def _silver(lake: Lake) -> pl.DataFrame:
    return _rows(lake, sales(lake).silver).sort("_source_key", "_line")


def _quarantine(lake: Lake) -> pl.DataFrame:
    return _rows(lake, sales(lake).quarantine).sort("_source_key", "_line")


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
    [found] = _silver(lake).rows(named=True)
    assert found == {
        "invoice_no": "536365", "stock_code": "85123A", "description": "WHITE HEART", "quantity": 6,
        "invoiced_at": dt.datetime(2011, 6, 30, 23, 30, tzinfo=dt.UTC), "unit_price": Decimal("2.5500"),
        "customer_id": "17850", "country": "France", "line_type": "sale", "line_amount": Decimal("15.3000"),
        "dt": dt.date(2011, 7, 1), "_source_key": "x.csv", "_line": 1,
    }  # fmt: skip


Changes = dict[str, str | None]
NORMALISED: dict[str, tuple[Changes, str, object]] = {
    "blank description": ({"Description": "   "}, "description", None),
    "absent description": ({"Description": None}, "description", None),
    "absent customer": ({"CustomerID": None}, "customer_id", None),
    "whole customer": ({"CustomerID": "17850"}, "customer_id", "17850"),
    "customer with .0": ({"CustomerID": " 17850.0 "}, "customer_id", "17850"),
    "code in lower case": ({"StockCode": "post"}, "stock_code", "POST"),
    "price of nothing": ({"UnitPrice": "0"}, "unit_price", Decimal(0)),
}
LINE_TYPES: dict[str, tuple[Changes, str]] = {
    "merchandise": ({}, "sale"),
    "code of digits": ({"StockCode": "85123"}, "sale"),
    "code of two letters": ({"StockCode": "15056bl"}, "sale"),
    "cancellation": ({"InvoiceNo": "C536365", "Quantity": "-6"}, "return"),
    "cancelled service": ({"InvoiceNo": "C536365", "Quantity": "-6", "StockCode": "POST"}, "return"),
    "cancellation of nothing": ({"InvoiceNo": "C536365", "Quantity": "0"}, "return"),
    "bad debt": ({"InvoiceNo": "A536365"}, "adjustment"),
    "service": ({"StockCode": "POST"}, "adjustment"),
    "code of three letters": ({"StockCode": "85123ABC"}, "adjustment"),
    "code of four digits": ({"StockCode": "8512A"}, "adjustment"),
    "write-off": ({"Quantity": "-6"}, "adjustment"),
    "no units": ({"Quantity": "0"}, "adjustment"),
    "gift": ({"UnitPrice": "0"}, "adjustment"),
}
RULES: dict[str, tuple[Changes, list[str]]] = {
    "quantity with a fraction": ({"Quantity": "1.5"}, ["quantity_readable"]),
    "quantity in words": ({"Quantity": "six"}, ["quantity_readable"]),
    "quantity beyond int64": ({"Quantity": "9223372036854775808"}, ["quantity_readable"]),
    "no quantity": ({"Quantity": None}, ["quantity_required"]),
    "price in words": ({"UnitPrice": "free"}, ["unit_price_readable"]),
    "price with an exponent": ({"UnitPrice": "1e3"}, ["unit_price_readable"]),
    "price beyond its digits": ({"UnitPrice": "100000000000000"}, ["unit_price_readable"]),
    "no price": ({"UnitPrice": None}, ["unit_price_required"]),
    "negative price": ({"UnitPrice": "-2.50"}, ["unit_price_min"]),
    "price of five decimals": ({"UnitPrice": "2.50001"}, ["unit_price_scale"]),
    "negative price of five decimals": ({"UnitPrice": "-2.50001"}, ["unit_price_scale", "unit_price_min"]),
    "invoice of five digits": ({"InvoiceNo": "53636"}, ["invoice_no_regex"]),
    "invoice in lower case": ({"InvoiceNo": "c536365", "Quantity": "-1"}, ["invoice_no_regex"]),
    "no invoice": ({"InvoiceNo": None}, ["invoice_no_required"]),
    "no stock code": ({"StockCode": "  "}, ["stock_code_required"]),
    "no country": ({"Country": None}, ["country_required"]),
    "cancellation that gives": ({"InvoiceNo": "C536365"}, ["cancellation_not_positive"]),
    "all at once": (
        {"InvoiceNo": "C5", "StockCode": None, "Quantity": "6", "UnitPrice": "-1.23456", "Country": " "},
        [
            "unit_price_scale", "cancellation_not_positive", "invoice_no_regex", "stock_code_required",
            "unit_price_min", "country_required",
        ],
    ),
    "nothing": ({}, []),
    "trailing zeros": ({"UnitPrice": "2.5500000"}, []),
    "no customer and no description": ({"CustomerID": None, "Description": None}, []),
}  # fmt: skip
SAME: dict[str, tuple[Changes, Changes]] = {
    "price with and without its zero": ({"UnitPrice": "1.50"}, {"UnitPrice": "1.5"}),
    "customer with and without .0": ({"CustomerID": "17850.0"}, {"CustomerID": "17850"}),
    "code in another case": ({"StockCode": "85123a"}, {"StockCode": "85123A"}),
    "outer spaces": ({"Description": " HEART"}, {"Description": "HEART  "}),
    "blank and absent": ({"Description": "  "}, {"Description": None}),
    "quantity with a sign": ({"Quantity": "+6"}, {"Quantity": "06"}),
    "the same instant, two ways": (
        {"InvoiceDate": "2011-07-01 00:30:00"},
        {"InvoiceDate": "2011-06-30T23:30:00Z"},
    ),
    "the same unreadable text": ({"Quantity": " six"}, {"Quantity": "six "}),
    "the same excess decimals": ({"UnitPrice": "2.12345"}, {"UnitPrice": " 2.12345 "}),
}
OTHER: dict[str, tuple[Changes, Changes]] = {
    "price": ({"UnitPrice": "1.50"}, {"UnitPrice": "1.51"}),
    "excess decimals that round alike": ({"UnitPrice": "2.12345"}, {"UnitPrice": "2.123451"}),
    "excess decimals beside what they round to": ({"UnitPrice": "2.12345"}, {"UnitPrice": "2.1235"}),
    "unreadable texts": ({"Quantity": "six"}, {"Quantity": "seven"}),
    "unreadable beside absent": ({"Quantity": "six"}, {"Quantity": None}),
    "unreadable text in another case": ({"Quantity": "six"}, {"Quantity": "Six"}),
    "description in another case": ({"Description": "heart"}, {"Description": "HEART"}),
    "customer beside none": ({"CustomerID": "17850"}, {"CustomerID": None}),
    "instants of one second": ({"InvoiceDate": "2011-03-01 08:26:00"}, {"InvoiceDate": "2011-03-01 08:26:00.1"}),
}


@dataclass(frozen=True)
class Published:
    """What one lake holds of all the cases above, each landed as an object of its name on a date of its own."""

    outcomes: dict[str, Outcome]
    silver: pl.DataFrame
    quarantine: pl.DataFrame

    def valid(self, case: str) -> list[dict[str, Any]]:
        """The published records of a case."""
        return self.silver.filter(_source_key=case).rows(named=True)

    def quarantined(self, case: str) -> list[dict[str, Any]]:
        """The records of a case that are in quarantine."""
        return self.quarantine.filter(_source_key=case).rows(named=True)

    def outcome(self, case: str) -> Outcome:
        """What became of the date of a case."""
        return self.outcomes[_date(case)]


def _cases() -> dict[str, list[Changes]]:
    found = {name: [changes] for name, (changes, _, _) in NORMALISED.items()}
    found |= {name: [changes] for name, (changes, _) in [*LINE_TYPES.items(), *RULES.items()]}
    return found | {name: list(pair) for name, pair in [*SAME.items(), *OTHER.items()]}


def _date(case: str) -> str:
    explicit = [changes["InvoiceDate"] for changes in _cases()[case] if "InvoiceDate" in changes]
    if explicit:
        return str(explicit[0])[:10]
    return str(dt.date(2010, 1, 1) + dt.timedelta(days=list(_cases()).index(case)))


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Published:
    """All cases, published in one lake."""
    lake = lake_at(str(tmp_path_factory.mktemp("cases")))
    for case, records in _cases().items():
        when = {"InvoiceDate": f"{_date(case)} 08:26:00"}
        land(lake, case, sales_csv([line(**when | changes) for changes in records]))
    ingest(lake)
    return Published(publish(lake), _silver(lake), _quarantine(lake))


@pytest.mark.parametrize("case", NORMALISED)
def test_values_are_normalised(published: Published, case: str) -> None:
    _, column, expected = NORMALISED[case]
    [found] = published.valid(case)
    assert found[column] == expected


@pytest.mark.parametrize("case", LINE_TYPES)
def test_a_line_is_a_sale_a_return_or_an_adjustment(published: Published, case: str) -> None:
    [found] = published.valid(case)
    assert found["line_type"] == LINE_TYPES[case][1]


@pytest.mark.parametrize("case", RULES)
def test_quarantine_names_every_broken_rule_for(published: Published, case: str) -> None:
    rules = RULES[case][1]
    held = published.quarantined(case)
    assert [sorted(row["rules"]) for row in held] == ([sorted(rules)] if rules else [])
    assert len(published.valid(case)) == 1 - len(held)


@pytest.mark.parametrize("case", SAME)
def test_records_of_equal_values_are_one(published: Published, case: str) -> None:
    outcome = published.outcome(case)
    assert (outcome.valid + outcome.quarantined, outcome.duplicates) == (1, 1)
    assert [row["_line"] for row in [*published.valid(case), *published.quarantined(case)]] == [1]


@pytest.mark.parametrize("case", OTHER)
def test_records_that_differ_in_one_value_are_two(published: Published, case: str) -> None:
    outcome = published.outcome(case)
    assert (outcome.valid + outcome.quarantined, outcome.duplicates) == (2, 0)


def test_amounts_are_exact_at_the_ends_of_what_fits(lake: Lake) -> None:
    _run(lake, [line(Quantity=str(2**63 - 1), UnitPrice="99999999999999.9999")])
    [found] = _silver(lake).rows(named=True)
    assert Fraction(found["line_amount"]) == (2**63 - 1) * Fraction("99999999999999.9999")


@pytest.mark.parametrize(
    "when", ["yesterday", "2011-02-29 08:00:00", "2011-03-27 01:30:00", "2011-03-01 25:00:00", "1.3.2011"]
)
def test_a_record_without_a_readable_date_is_quarantined_without_one(lake: Lake, when: str) -> None:
    outcomes = _run(lake, [line(InvoiceDate=when)])
    [row] = _quarantine(lake).rows(named=True)
    assert (row["rules"], row["dt"], row["InvoiceDate"]) == (["invoiced_at_readable"], None, when)
    assert outcomes["undated"].verdict == "outside"
    assert _silver(lake).height == 0


def test_a_record_with_no_date_at_all_is_quarantined_without_one(lake: Lake) -> None:
    _run(lake, [line(InvoiceDate=None)])
    [row] = _quarantine(lake).rows(named=True)
    assert (row["rules"], row["dt"]) == (["invoiced_at_required"], None)


def test_an_undated_record_names_its_other_faults_too(lake: Lake) -> None:
    _run(lake, [line(InvoiceDate="?", Quantity="x", Country=None)])
    [row] = _quarantine(lake).rows(named=True)
    assert sorted(row["rules"]) == ["country_required", "invoiced_at_readable", "quantity_readable"]


def test_a_date_before_the_first_or_after_today_is_quarantined_under_its_date(lake: Lake) -> None:
    tomorrow = lake.today(sales(lake)) + dt.timedelta(days=1)
    outcomes = _run(lake, [*day("2008-12-31", 1), *day("2009-01-01", 1), *day(tomorrow, 1), *day(DAY, 1)])
    assert {partition: outcome.verdict for partition, outcome in outcomes.items()} == {
        "2008-12-31": "outside", "2009-01-01": "published", DAY: "published", str(tomorrow): "outside",
    }  # fmt: skip
    rows = _quarantine(lake).select("dt", "rules").rows()
    assert rows == [(dt.date(2008, 12, 31), ["invoiced_at_in_range"]), (tomorrow, ["invoiced_at_in_range"])]
    assert _silver(lake)["dt"].to_list() == [dt.date(2009, 1, 1), dt.date(2011, 3, 1)]


def test_today_is_a_business_date(lake: Lake) -> None:
    outcomes = _run(lake, day(lake.today(sales(lake)), 1))
    assert [outcome.verdict for outcome in outcomes.values()] == ["published"]


def test_quarantine_shows_the_raw_values_the_source_and_the_line(lake: Lake) -> None:
    record = line(Quantity=" 1.5 ", StockCode=" a ", CustomerID="17850.0", UnitPrice="2.550")
    _run(lake, [*day(count=2, InvoiceNo="999999"), record])
    [row] = _quarantine(lake).rows(named=True)
    assert {name: row[name] for name in record} == record
    assert (row["_source_key"], row["_line"], row["dt"]) == ("x.csv", 3, dt.date(2011, 3, 1))
    assert row["_source_hash"] == lake.ledger_of(sales(lake)).live["source_hash"][0]


def test_a_record_of_the_wrong_shape_is_quarantined_with_the_reason(lake: Lake) -> None:
    good = sales_csv(day(count=30))
    land(lake, "x.csv", good + sales_csv([line()]).split(b"\n")[1] + b",surplus\n")
    ingest(lake)
    publish(lake)
    [row] = _quarantine(lake).rows(named=True)
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
    assert _silver(lake).select("_source_key", "_line").rows() == [("a.csv", 1), ("a.csv", 2), ("a.csv", 3)]


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
    assert set(_quarantine(lake).select("_source_key", "_line").iter_rows()) == bad
    published = set(_silver(lake).select("_source_key", "_line").iter_rows())
    score = 1 - len(bad) / len(first)
    assert published == (set(first.values()) - bad if score >= 0.95 else set())


def test_the_feed_is_cast_as_declared(lake: Lake) -> None:
    feed: Feed = sales(lake)
    _run(lake, day())
    assert _silver(lake).schema == pl.Schema({name: column.dtype for name, column in feed.silver.columns.items()})
