"""A published date that lacks values of a required column is named, until it is published anew."""

from dataclasses import replace

import dataframely as dy
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed, source
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.orchestration.feed_checks import results
from lakehouse_assets.query.overview import status
from lakehouse_assets_tests.contracts.orders import orders
from lakehouse_assets_tests.decisions.person import restore
from lakehouse_assets_tests.retail import ingest, land, publish

HEADER = b"Number,Code,Units,At,Price,Till\n"
COLUMNS = {"till": dy.Int64(nullable=False, metadata=source("Till"))}


def _with(lake: Lake, feed: Feed) -> Lake:
    return replace(lake, registry=Registry([feed], []))


def _check(lake: Lake) -> tuple[bool, str]:
    [found] = [r for r in results(lake, lake.registry.feed("orders"), []) if r.check_name == "required_columns"]
    return found.passed, str(found.description)


@pytest.fixture
def required(lake: Lake) -> Lake:
    """A lake in which a column became required that the older of two dates has no values for."""
    before = _with(lake, orders())
    land(lake, "one.csv", HEADER + b"1,a,2,01/03/2011,1.50,\n2,a,2,01/03/2011,1.50,\n", "orders")
    ingest(before, feed="orders")
    publish(before, feed="orders")
    assert status(before).unfilled == []
    after = _with(lake, orders(columns=COLUMNS))
    land(lake, "two.csv", HEADER + b"3,a,2,02/03/2011,1.50,7\n", "orders")
    ingest(after, feed="orders")
    assert {name: outcome.verdict for name, outcome in publish(after, feed="orders").items()} == {
        "2011-03-01": "held",
        "2011-03-02": "published",
    }
    return after


@pytest.mark.slow(covered=True)
def test_a_date_that_is_held_without_values_is_named_by_status_and_a_check(required: Lake) -> None:
    [line] = status(required).unfilled
    assert line.startswith("silver.orders 2011-03-01: 2 of 2 published rows have no value in `till`, and sums leave")
    assert "held at a version from before" in line
    assert _check(required) == (False, line)


@pytest.mark.slow(covered=True)
def test_a_date_that_is_published_anew_is_named_no_more_until_it_is_pinned(required: Lake) -> None:
    land(required, "one.csv", HEADER + b"1,a,2,01/03/2011,1.50,8\n", "orders")
    ingest(required, feed="orders")
    publish(required, feed="orders")
    assert status(required).unfilled == []
    assert _check(required)[0]
    restore(required, "silver.orders", 1)
    publish(required, feed="orders")
    [line] = status(required).unfilled
    assert line.startswith("silver.orders 2011-03-01: 2 of 2 published rows have no value in `till`")
    assert "Revoke the pin" in line
