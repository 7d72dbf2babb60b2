"""What a decision about one feed takes from feeds that reference it is told before it is recorded."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import dataframely as dy
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.decisions.recorded import record
from lakehouse_assets.operations import referencing
from lakehouse_assets.operations.decision_commands import Foreseen, discard, foreseen, partitions_of, retract
from lakehouse_assets_tests.conftest import Cli
from lakehouse_assets_tests.pipeline.declared import feed_of, lake_of, put, stored
from lakehouse_assets_tests.pipeline.shop import DAYS, known, products, published, sales, sold
from lakehouse_assets_tests.retail import publish


def shop(root: Path, **options: Any) -> Lake:
    """Return a lake whose sales of two days reference products of two objects, one product being in both."""
    lake = lake_of(root, sales(**options), products())
    put(lake, {"p.json": known("a", "b"), "q.json": known("b", "c", "d")}, "products")
    put(lake, {"s.json": sold("a", "b", "c", None), "t.json": sold("c", "c", on=DAYS[1])}, "sales")
    return lake


def without(lake: Lake, key: str) -> Foreseen:
    feed = lake.registry.feed("products")
    decision = retract(lake, feed, key, "wrong")
    return foreseen(lake, feed, partitions_of(lake, feed, decision), (decision,))


@pytest.mark.slow(covered=True)
def test_sales_that_would_wait_are_counted_by_date_and_do_wait_then(tmp_path: Path) -> None:
    lake = shop(tmp_path)
    [line] = without(lake, "q.json").elsewhere
    assert line == (
        "silver.sales: 3 published records would wait in quarantine, because 1 value of products.product_id would be "
        f"gone: {DAYS[1]} (2), {DAYS[0]} (1)"
    )
    record(lake.store, retract(lake, lake.registry.feed("products"), "q.json", "wrong"))
    publish(lake, feed="products")
    publish(lake, feed="sales")
    assert [row[1] for row in published(lake)] == ["a", "b", None]
    assert len(stored(lake, "quarantine", "rules", feed="sales")) == 3


@pytest.mark.slow(covered=True)
def test_sales_that_stay_with_a_warning_are_counted_too(tmp_path: Path) -> None:
    lake = shop(tmp_path, on_missing_reference="warn")
    [line] = without(lake, "p.json").elsewhere
    assert line == (
        "silver.sales: 1 published record would be counted as missing by the check product_id_referenced, and stay "
        f"published, because 1 value of products.product_id would be gone: {DAYS[0]} (1)"
    )


@pytest.mark.slow
def test_one_record_that_is_discarded_is_such_a_change_and_one_that_nobody_references_is_none(tmp_path: Path) -> None:
    lake = shop(tmp_path)
    feed = lake.registry.feed("products")
    said = []
    for line in (1, 2, 3):  # b, which another object has, too; c; d, which no sale references
        decision = discard(lake, feed, "q.json", line, "wrong")
        said.append(foreseen(lake, feed, partitions_of(lake, feed, decision), (decision,)).elsewhere)
    assert [len(lines) for lines in said] == [0, 1, 0]


@pytest.mark.slow
def test_what_the_index_does_not_know_costs_no_look_at_the_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = shop(tmp_path, personal=True)
    monkeypatch.setattr(referencing, "_counted", lambda *_: pytest.fail("silver was read"))
    decision = discard(lake, feed := lake.registry.feed("products"), "q.json", 3, "wrong")
    assert foreseen(lake, feed, ["whole"], (decision,)).elsewhere == []


@pytest.mark.slow
def test_of_a_long_history_the_newest_dates_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = shop(tmp_path)
    monkeypatch.setattr(referencing, "ROWS", 2)
    [line] = without(lake, "q.json").elsewhere
    assert "silver.sales: at least 2 published records would wait" in line
    assert line.endswith(f"gone: {DAYS[1]} (2) (looked at the newest 1 of 2 dates)")
    [line] = without(lake, "p.json").elsewhere
    assert line == (
        "silver.sales: no record references what would be gone of products.product_id (looked at the newest 1 of 2 "
        "dates)"
    )


@pytest.mark.slow
def test_tables_by_key_and_values_that_are_no_text(tmp_path: Path) -> None:
    number, day = dy.Int64(nullable=False), dy.Date(nullable=False)
    days = feed_of({"day": day, "at": number}, name="products", key=("day",), versioned_by="at")
    visits = feed_of({"id": number, "on": dy.Date(nullable=True)}, name="sales", key=("id",), versioned_by="landing")
    visits = replace(visits, references=(("on", "products.day"),), on_missing_reference="quarantine")
    lake = lake_of(tmp_path, days, visits)
    put(lake, {"p.json": [{"day": DAYS[0], "at": 1}], "q.json": [{"day": DAYS[1], "at": 1}]}, "products")
    put(lake, {"s.json": [{"id": 1, "on": DAYS[0]}, {"id": 2, "on": DAYS[1]}]}, "sales")
    [line] = without(lake, "q.json").elsewhere
    assert "1 published record would wait in quarantine, because 1 value of products.day would be gone: bucket=" in line


@pytest.mark.slow
def test_the_command_says_it(tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = shop(tmp_path)
    monkeypatch.setattr("lakehouse_assets.cli.decide.current", lambda: lake)
    shown = cli(lake, "retract", "products", "q.json", "--why", "wrong", "--dry-run")
    assert "silver.sales: 3 published records would wait in quarantine" in shown.stdout
    assert len(published(lake)) == 6
