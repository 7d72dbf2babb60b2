"""What a stricter contract would take away is told by the plan, before it is applied, and with what was looked at."""

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import dataframely as dy
import polars as pl
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import source
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.query import foreseen
from lakehouse_assets.query.overview import status
from lakehouse_assets.query.plan import Step, plan, seconds
from lakehouse_assets_tests.contracts.orders import orders
from lakehouse_assets_tests.pipeline.declared import feed_of, lake_of, put
from lakehouse_assets_tests.retail import ingest, land, publish

LINES = {
    "1.csv": ["1,a,2,01/03/2011,1.50", "2,,3,01/03/2011,1.50"],
    "2.csv": ["3,a,500,02/03/2011,1.50", "4,b,1,02/03/2011,1.50", "5,c,1,03/03/2011,1.50"],
}


def _with(lake: Lake, rule: pl.Expr | None = None, columns: Mapping[str, Any] | None = None, **options: Any) -> Lake:
    feed = orders(rule, dict(columns or {}), **{"gate": 0.1, **options})
    return replace(lake, registry=Registry([feed], []))


def _silver(lake: Lake) -> Step | None:
    return next((step for step in plan(lake) if step.table == "silver.orders"), None)


def _notes(lake: Lake) -> list[str]:
    step = _silver(lake)
    return step.notes if step else []


@pytest.fixture
def published(lake: Lake) -> Lake:
    """A lake with five published orders of three days, in two files."""
    lake = _with(lake)
    for key, lines in LINES.items():
        land(lake, key, "\n".join(["Number,Code,Units,At,Price", *lines, ""]).encode(), "orders")
    ingest(lake, feed="orders")
    publish(lake, feed="orders")
    assert plan(lake) == []
    return lake


@pytest.mark.slow(covered=True)
def test_a_rule_that_published_records_break(published: Lake) -> None:
    stricter = _with(published, pl.col("units") < 100)
    assert _notes(stricter) == ["1 published record would leave silver for quarantine"]
    publish(stricter, feed="orders")
    assert _notes(stricter) == []


def test_a_first_date_after_published_ones(published: Lake) -> None:
    assert _notes(_with(published, start_date=dt.date(2011, 3, 3))) == [
        "4 published records would leave silver for quarantine"
    ]


def test_dates_that_the_gate_would_hold_stay_as_they_are(published: Lake) -> None:
    assert _notes(_with(published, pl.col("units") < 100, gate=0.9)) == [
        "1 published date would be held, and stay as before"
    ]


@pytest.mark.slow(covered=True)
def test_a_column_that_becomes_required(published: Lake) -> None:
    notes = _notes(_with(published, columns={"code": dy.String(nullable=False, metadata=source("Code"))}))
    assert notes == ["1 published record would leave silver for quarantine"]


@pytest.mark.slow(covered=True)
def test_a_required_column_that_no_file_has(published: Lake) -> None:
    lake = _with(published, columns={"extra": dy.Int64(nullable=False, metadata=source("Extra"))})
    step = _silver(lake)
    assert step is not None
    assert (step.objects, step.anew_rows, step.new) == (2, 5, 0)
    assert step.bytes == sum(stored.size for stored in lake.store.list("landing/orders"))
    known, refused = step.notes
    assert known == "which published records would stay is known when 5 rows are read anew"
    assert refused.startswith(
        "2 landed objects would be refused, and stay as read before (looked at 2 of 2); the first: "
    )
    assert "Extra" in refused


@pytest.mark.slow(covered=True)
def test_of_much_a_part_is_looked_at_and_named(published: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreseen, "ROWS", 3)
    monkeypatch.setattr(foreseen, "OBJECTS", 1)
    assert _notes(_with(published, pl.col("units") < 100)) == [
        "at least 1 published record would leave silver for quarantine (looked at 2 of 3 published dates)"
    ]
    assert _notes(_with(published, pl.col("number") != "2")) == [
        "no published record would leave silver, as far as was looked (looked at 2 of 3 published dates)"
    ]
    _, refused = _notes(_with(published, columns={"extra": dy.Int64(nullable=False, metadata=source("Extra"))}))
    assert refused.startswith("at least 1 landed object would be refused")
    assert "(looked at 1 of 2)" in refused


@pytest.mark.slow(covered=True)
def test_a_late_file_takes_nothing_away(published: Lake) -> None:
    land(published, "3.csv", b"Number,Code,Units,At,Price\n9,a,2,01/03/2011,1.50\n", "orders")
    step = _silver(published)
    assert step is not None
    assert (step.new, step.objects, step.notes) == (1, 0, [])
    ingest(published, feed="orders")
    assert _notes(published) == []


KINDS: dict[str, dict[str, Any]] = {
    "by month": {"business_date": "day", "partition_by": "month"},
    "the latest delivery": {"snapshot": "latest"},
    "all deliveries": {},
    "keyed": {"key": ("id",), "versioned_by": "version"},
}


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS.keys())
def test_every_kind_of_feed_is_planned(options: dict[str, Any], tmp_path: Path) -> None:
    columns = {"id": dy.Int64(nullable=False), "day": dy.Date(nullable=False), "version": dy.Int64(nullable=False)}
    records = [{"id": at, "day": "2026-03-01", "version": at, "price": at * 10} for at in range(4)]
    lake = lake_of(tmp_path, feed_of(columns | {"price": dy.Int64(nullable=False)}, gate=0.0, **options))
    land(lake, "a.json", json.dumps(records).encode(), "things")
    assert seconds(plan(lake)) > 0
    put(lake, {})
    assert plan(lake) == []
    stricter = lake_of(tmp_path, feed_of(columns | {"price": dy.Int64(nullable=False, max=20)}, gate=0.0, **options))
    [step] = plan(stricter)
    assert step.notes == ["1 published record would leave silver for quarantine"]
    put(stricter, {})
    assert plan(stricter) == []
    assert [line.split(": ")[1].split(",")[0] for line in status(stricter).vanished] == [
        "1 record that had been published"
    ]
    renamed = lake_of(
        tmp_path, feed_of(columns | {"cost": dy.Int64(nullable=True, metadata=source("price"))}, **options)
    )
    assert "write `revision=2`" in (plan(renamed)[0].refusal or "")
