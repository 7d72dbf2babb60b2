"""The default feeds beside sales: what each declares holds for records as its source sends them."""

import json
import re
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Table
from lakehouse_assets.orchestration.extraction_asset import extractions
from lakehouse_assets.storage import delta
from lakehouse_assets_tests.conftest import Cli, lake_at
from lakehouse_assets_tests.retail import gzipped, ingest, land, publish

pytestmark = pytest.mark.usefixtures("every_table")

DOCS = Path(__file__).parents[3] / "docs"
EVENT = {"event_id": "e1", "event_time": "2026-03-01T23:30:00Z", "session_id": "s", "type": "view"}


def lines(*events: dict[str, Any]) -> bytes:
    return "\n".join(json.dumps(event) for event in events).encode()


def rows(lake: Lake, table: Table | None) -> pl.DataFrame:
    assert table is not None
    columns = table.types
    found = delta.scan(lake.store, table.path, columns).collect()
    assert isinstance(found, pl.DataFrame)
    return found


@pytest.mark.slow(covered=True)
def test_an_event_that_is_sent_again_in_another_object_counts_once(lake: Lake) -> None:
    late = {**EVENT, "event_id": "e0", "event_time": "2026-02-28T10:00:00Z", "stock_code": "85123a"}
    land(lake, "b.jsonl", lines({**EVENT, "customer_id": "17850.0"}, late), "web_events")
    land(lake, "a.json.gz", gzipped(lines({**EVENT, "customer_id": "17850"})), "web_events")
    ingest(lake, feed="web_events")
    publish(lake, feed="web_events")
    feed = lake.registry.feed("web_events")
    found = rows(lake, feed.silver).sort("event_id").select("event_id", "dt", "customer_id", "stock_code")
    assert [(row[0], str(row[1]), *row[2:]) for row in found.rows()] == [
        ("e0", "2026-02-28", None, "85123A"),
        ("e1", "2026-03-01", "17850", None),
    ]


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize("page", ["serving.md", "deploy.md"])
def test_the_event_that_a_page_posts_as_an_example_is_published(page: str, lake: Lake) -> None:
    [example] = re.findall(r"curl .*-d '(.*)' http.*/web_events\n", (DOCS / page).read_text())
    land(lake, "a.json", example.encode(), "web_events")
    ingest(lake, feed="web_events")
    publish(lake, feed="web_events")
    assert rows(lake, lake.registry.feed("web_events").silver)["event_id"].to_list() == ["e1"]


def test_a_cost_that_changes_leaves_the_one_before_in_the_history(lake: Lake) -> None:
    before = {"stock_code": "85123a", "updated_at": "2026-01-01T00:00:00Z", "category": "LIGHT", "unit_cost": 1.05}
    page = {"data": [before, {**before, "updated_at": "2026-02-01T00:00:00Z", "unit_cost": "1.15"}], "total": 2}
    land(lake, "1.json", json.dumps(page).encode(), "products")
    ingest(lake, feed="products")
    publish(lake, feed="products")
    feed = lake.registry.feed("products")
    assert [str(cost) for cost in rows(lake, feed.silver)["unit_cost"]] == ["1.1500"]
    history = rows(lake, feed.history).sort("valid_from")
    assert [str(cost) for cost in history["unit_cost"]] == ["1.0500", "1.1500"]
    assert history["is_current"].to_list() == [False, True]


def test_personal_data_is_told_as_such(lake: Lake) -> None:
    personal = {
        name: [column for column, about in lake.registry.feed(name).silver.columns.items() if about.personal]
        for name in ("customers", "products", "web_events")
    }
    assert personal == {
        "customers": ["customer_id", "name", "email", "phone"],
        "products": [],
        "web_events": ["customer_id"],
    }


def test_a_rule_that_only_some_feeds_have_lists_their_records(lake: Lake, cli: Cli) -> None:
    said = cli(lake, "quarantine", "list", "--rule", "quantity_readable")
    assert (said.returncode, said.stderr) == (0, "")
    assert "no rule 'x'" in cli(lake, "quarantine", "list", "--rule", "x").stderr


def test_without_the_address_of_the_api_nothing_is_asked_and_extract_says_what_to_set(lake: Lake, cli: Cli) -> None:
    for url, state in (("", dg.DefaultScheduleStatus.STOPPED), ("http://x.example", dg.DefaultScheduleStatus.RUNNING)):
        found = extractions(lake_at(lake.settings.root, api_url=url))
        schedules = [one for one in found.schedules or [] if isinstance(one, dg.ScheduleDefinition)]
        assert {one.name: one.default_status for one in schedules} == dict.fromkeys(
            ("extract_customers", "extract_products"), state
        )
    said = cli(lake, "extract", "customers")
    assert (said.returncode, said.stderr) == (
        1,
        "lakehouse: the API of the feed 'customers' has no address. Nothing was extracted; set LAKEHOUSE_API_URL.\n",
    )


def test_an_address_with_a_slash_at_its_end_is_told_as_what_it_is(
    lake: Lake, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKEHOUSE_API_URL", "http://x.example/")
    said = cli(lake, "extract", "customers")
    assert said.returncode == 1
    assert "without / at its end" in said.stderr
