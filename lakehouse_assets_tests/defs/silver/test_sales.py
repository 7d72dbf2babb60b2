"""What the contract of sales makes of a record: values, kinds of line, broken rules, which records are the same."""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from lakehouse_assets.pipeline.gate import Outcome
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.retail import ingest, land, line, publish, quarantine_rows, sales_csv, silver_rows

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
    return Published(publish(lake), silver_rows(lake), quarantine_rows(lake))


@pytest.mark.slow(covered=True)
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
