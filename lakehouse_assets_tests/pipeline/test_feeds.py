"""What holds for sales holds for any feed that can be declared: without dates, by day, with columns of any name."""

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import dataframely as dy
import polars as pl
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Contract, ContractError, Feed, derived, source
from lakehouse_assets.contracts.partitioning import Partitioning
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.pipeline.accounting import scan_accounting
from lakehouse_assets.pipeline.gate import Outcome
from lakehouse_assets.query.verify import verify
from lakehouse_assets.settings import Settings
from lakehouse_assets.storage import delta
from lakehouse_assets.storage.stores import store_for
from lakehouse_assets_tests.contracts.orders import orders
from lakehouse_assets_tests.retail import ingest, land, publish


def _lake(folder: Path, feed: Feed, **settings: Any) -> Lake:
    chosen = Settings(root=str(folder / "lake"), **settings)
    return Lake(store_for(chosen.root), chosen, Registry([feed], []))


def _put(lake: Lake, records: list[dict[str, Any]], key: str = "x.json") -> dict[str, Outcome]:
    [name] = lake.registry.feeds
    land(lake, key, json.dumps(records).encode(), name)
    ingest(lake, feed=name)
    return publish(lake, feed=name)


def _rows(lake: Lake, layer: str) -> list[dict[str, Any]]:
    [name] = lake.registry.feeds
    found = delta.scan(lake.store, f"{layer}/{name}", {}).collect()
    return found.sort("_source_key", "_line").rows(named=True)


def _feed(columns: dict[str, Any], **options: Any) -> Feed:
    contract = type("Things", (Contract,), columns)
    declared: dict[str, Any] = {"name": "things", "contract": contract, "description": "Things.", "owner": "team:x"}
    return Feed(**declared | options)


def test_a_feed_without_dates_is_published_whole(tmp_path: Path) -> None:
    lake = _lake(tmp_path, orders(business_date=None))
    record = {"Number": "1", "Units": 2, "At": "01/03/2011", "Price": 1.5, "Code": "a"}
    outcomes = _put(lake, [record, record | {"Number": "2"}, record | {"Number": 2}])
    assert {partition: (o.verdict, o.valid, o.duplicates) for partition, o in outcomes.items()} == {
        "whole": ("published", 2, 1)
    }
    silver = _rows(lake, "silver")
    assert [row["amount"] for row in silver] == [Decimal("3.0000")] * 2
    assert "dt" not in silver[0]
    assert publish(lake, feed="orders") == {}


@pytest.mark.slow(covered=True)
def test_the_gate_holds_a_feed_without_dates_too(tmp_path: Path) -> None:
    lake = _lake(tmp_path, orders(business_date=None))
    record = {"Number": "1", "Units": 2, "At": "01/03/2011", "Price": 1.5, "Code": "a"}
    _put(lake, [record])
    assert _put(lake, [record, record | {"Number": "x"}])["whole"].verdict == "held"
    assert len(_rows(lake, "silver")) == 1
    assert [row["rules"] for row in _rows(lake, "quarantine")] == [["number_regex"]]
    assert _put(lake, [record | {"Number": "3"}])["whole"].verdict == "published"
    assert [row["number"] for row in _rows(lake, "silver")] == ["3"]
    assert _rows(lake, "quarantine") == []


@pytest.mark.slow(covered=True)
def test_a_feed_by_year_month_day_is_published_by_date(tmp_path: Path) -> None:
    lake = _lake(tmp_path, orders(partitioning=Partitioning.BY_YEAR_MONTH_DAY))
    record = {"Number": "1", "Units": 2, "At": "01/03/2011", "Price": 1.5, "Code": "a"}
    outcomes = _put(lake, [record, record | {"At": "29/02/2012"}, record | {"At": "30/02/2012"}])
    assert {partition: outcome.verdict for partition, outcome in outcomes.items()} == {
        "2011-03-01": "published", "2012-02-29": "published", "undated": "outside",
    }  # fmt: skip
    assert [(row["year"], row["month"], row["day"]) for row in _rows(lake, "silver")] == [(2011, 3, 1), (2012, 2, 29)]
    _put(lake, [record])
    assert [(row["year"], row["month"], row["day"]) for row in _rows(lake, "silver")] == [(2011, 3, 1)]


def test_the_business_date_may_be_a_date(tmp_path: Path) -> None:
    columns = {"day": dy.Date(nullable=False, metadata=source("Day"))}
    lake = _lake(tmp_path, _feed(columns, business_date="day", time_zone="Europe/London"))
    assert list(_put(lake, [{"Day": "2011-07-01"}, {"Day": "2011-07-32"}])) == ["2011-07-01", "undated"]
    [row] = _rows(lake, "silver")
    assert row["day"] == row["dt"] == dt.date(2011, 7, 1)


def test_the_date_of_a_time_is_that_of_the_feeds_time_zone(tmp_path: Path) -> None:
    columns = {"at": dy.Datetime(time_zone="UTC", nullable=False, metadata=source("At"))}
    lake = _lake(tmp_path, _feed(columns, business_date="at", time_zone="Pacific/Auckland"))
    assert list(_put(lake, [{"At": "2011-06-30T13:00:00Z"}])) == ["2011-07-01"]


NAMES = ["text", "dt", "rules", "part", "day", "value", "fate", "len", "literal", "_id", "_part", "_line", "_problem"]


def _named(name: str, header: str) -> Feed:
    """A feed with a text that must begin with `x`, an integer, and a date."""
    return _feed(
        {
            name: dy.String(nullable=False, regex="^x", metadata=source(header)),
            "n": dy.Int64(nullable=True, metadata=source("N")),
            "on": dy.Date(nullable=False, metadata=source("On")),
        },
        business_date="on",
        gate=0.0,
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("where", ["column", "header"])
def test_a_feed_may_name_its_columns_as_it_likes_or_is_refused_at_once(tmp_path: Path, name: str, where: str) -> None:
    column, header = (name, "Text") if where == "column" else ("words", name)
    try:
        feed = _named(column, header)
        lake = _lake(tmp_path, feed)
    except ContractError:
        return
    good, bad = {header: "xa", "N": "1", "On": "2011-03-01"}, {header: "ya", "N": "two", "On": "2011-03-01"}
    outcome = _put(lake, [good, bad, good, good | {"N": "three"}])["2011-03-01"]
    assert (outcome.landed, outcome.valid, outcome.quarantined, outcome.duplicates) == (4, 1, 2, 1)
    [silver] = _rows(lake, "silver")
    assert (silver[column], silver["n"], silver["dt"], silver["_line"]) == ("xa", 1, dt.date(2011, 3, 1), 1)
    held = _rows(lake, "quarantine")
    assert [set(row["rules"]) for row in held] == [{"n_readable", f"{column}_regex"}, {"n_readable"}]
    assert [(row[header], row["N"]) for row in held] == [("ya", "two"), ("xa", "three")]


def test_a_computed_column_may_use_another_computed_one(tmp_path: Path) -> None:
    feed = _feed(
        {
            "n": dy.Int64(nullable=False, metadata=source("N")),
            "double": dy.Int64(nullable=False, metadata=derived(pl.col("n") * 2)),
            "more": dy.Int64(nullable=False, metadata=derived(pl.col("double") + 1)),
        }
    )
    try:
        lake = _lake(tmp_path, feed)
    except ContractError:
        return  # refused is fine too, as long as it is said at once
    _put(lake, [{"N": "3"}])
    assert [(row["double"], row["more"]) for row in _rows(lake, "silver")] == [(6, 7)]


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize("batch", [1, 1_000], ids=["a date at a time", "all dates at once"])
def test_a_key_of_a_feed_is_one_within_its_date_whatever_the_batch(tmp_path: Path, batch: int) -> None:
    try:
        feed = _feed(
            {
                "id": dy.Int64(primary_key=True, metadata=source("Id")),
                "on": dy.Date(nullable=False, metadata=source("On")),
                "text": dy.String(nullable=True, metadata=source("Text")),
            },
            business_date="on",
            gate=0.0,
        )
    except ContractError:
        return  # refused at its declaration: then nothing depends on the batch
    lake = _lake(tmp_path, feed, publish_batch_rows=batch)
    records = [{"Id": 1, "On": "2011-03-01"}, {"Id": 1, "On": "2011-03-02"}, {"Id": 2, "On": "2011-03-02", "Text": "a"},
               {"Id": 2, "On": "2011-03-02", "Text": "b"}]  # fmt: skip
    outcomes = _put(lake, records)
    assert {partition: (o.valid, o.quarantined) for partition, o in outcomes.items()} == {
        "2011-03-01": (1, 0), "2011-03-02": (1, 2),
    }  # fmt: skip


def _redeclared(lake: Lake, feed: Feed) -> Lake:
    """The same lake after the contract was changed in code, with all that is pending done."""
    changed = Lake(lake.store, lake.settings, Registry([feed], []))
    ingest(changed, feed=feed.name)
    publish(changed, feed=feed.name)
    return changed


def _at(*formats: str) -> dict[str, Any]:
    return {"ordered_at": dy.Datetime(time_zone="UTC", nullable=False, metadata=source("At", formats=formats))}


ORDER = {"Number": "1", "Units": 2, "Price": 1.5, "Code": "a"}


@pytest.mark.slow(covered=True)
def test_a_date_format_added_to_the_contract_publishes_the_records_that_had_no_date(tmp_path: Path) -> None:
    lake = _lake(tmp_path, orders(columns=_at("%d/%m/%Y")))
    _put(lake, [ORDER | {"At": "01/03/2011"}, ORDER | {"At": "2011-03-02"}, ORDER | {"At": "?"}])
    assert [row["dt"] for row in _rows(lake, "silver")] == [dt.date(2011, 3, 1)]
    changed = _redeclared(lake, orders(columns=_at("%d/%m/%Y", "%Y-%m-%d")))
    assert [row["dt"] for row in _rows(changed, "silver")] == [dt.date(2011, 3, 1), dt.date(2011, 3, 2)]
    assert [(row["At"], row["dt"]) for row in _rows(changed, "quarantine")] == [("?", None)]


@pytest.mark.slow(covered=True)
def test_no_record_is_ever_counted_as_published_that_is_not(tmp_path: Path) -> None:
    lake = _lake(tmp_path, orders(columns=_at("%d/%m/%Y")))
    _put(lake, [ORDER | {"At": "2011-03-02"}])
    changed = _redeclared(lake, orders(columns=_at("%d/%m/%Y", "%Y-%m-%d")))
    counts = scan_accounting(changed.store).select(pl.sum("published"), pl.sum("quarantined")).collect().row(0)
    assert counts == (len(_rows(changed, "silver")), len(_rows(changed, "quarantine")))
    assert sum(counts) == 1


@pytest.mark.slow
def test_another_time_zone_moves_the_records_to_their_new_dates(tmp_path: Path) -> None:
    lake = _lake(tmp_path, orders(columns=_at()))
    _put(lake, [ORDER | {"At": "2011-03-01T20:00:00Z"}, ORDER | {"At": "2011-03-01T02:00:00Z"}])
    changed = _redeclared(lake, orders(columns=_at(), time_zone="Pacific/Auckland"))
    assert [row["dt"] for row in _rows(changed, "silver")] == [dt.date(2011, 3, 2), dt.date(2011, 3, 1)]


@pytest.mark.slow
def test_a_business_date_is_added_with_a_new_revision(tmp_path: Path) -> None:
    lake = _lake(tmp_path, orders(business_date=None))
    record = {"Number": "1", "Units": 2, "At": "01/03/2011", "Price": 1.5, "Code": "a"}
    _put(lake, [record, record | {"Number": "2", "At": "02/03/2011"}, *(record | {"Number": str(n)} for n in range(30)),
                record | {"Number": "x"}])  # fmt: skip
    lake = _redeclared(lake, orders(revision=2))
    [feed] = lake.registry.feeds.values()
    assert {table.path for table in (feed.silver, feed.quarantine, feed.by_rule)} == {
        "silver/orders.r2", "quarantine/orders.r2", "quarantine/orders_by_rule.r2",
    }  # fmt: skip
    counts = delta.scan(lake.store, feed.by_rule.path, {}).collect()
    assert counts.select("dt", "rule", "records").rows() == [(dt.date(2011, 3, 1), "number_regex", 1)]
    assert delta.scan(lake.store, feed.silver.path, {}).collect()["dt"].unique().len() == 2
    assert publish(lake, feed="orders") == {}
    assert list(verify(lake)) == []


@pytest.mark.slow(covered=True)
def test_what_two_formats_read_differently_is_quarantined_under_a_rule_of_its_own(tmp_path: Path) -> None:
    on = dy.Date(nullable=False, metadata=source("on", formats=("%d/%m/%Y", "%m/%d/%Y")))
    price = dy.Decimal(18, 2, nullable=False, metadata=source("price", rounded=True))
    lake = _lake(tmp_path, _feed({"on": on, "price": price}, business_date="on"))
    texts = ["13/02/2011", "02/13/2011", "01/02/2011", "32/01/2011"]
    _put(lake, [{"on": text, "price": f"{at}.5500000000000003"} for at, text in enumerate(texts)])
    assert [(row["dt"], row["price"]) for row in _rows(lake, "silver")] == [
        (dt.date(2011, 2, 13), Decimal("0.55")), (dt.date(2011, 2, 13), Decimal("1.55")),
    ]  # fmt: skip
    assert [(row["on"], row["rules"]) for row in _rows(lake, "quarantine")] == [
        ("01/02/2011", ["on_unambiguous"]), ("32/01/2011", ["on_readable"]),
    ]  # fmt: skip
    assert list(verify(lake)) == []
