"""What a person sees: pages of the UI in headless Chromium, by their texts.

`PICTURES=1`: a picture of each is left to look at.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest
from playwright.sync_api import Page, expect, sync_playwright

from lakehouse_assets.context import Lake
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.orchestration.dev_server import DevServer, lakehouse
from lakehouse_assets_tests.orchestration.event_log import instance_of
from lakehouse_assets_tests.retail import day, line, sales_csv

pytestmark = pytest.mark.slow
CHROMIUM = shutil.which("chromium")
SHOTS = Path(tempfile.gettempdir()) / "lakehouse-shots"
"""Pictures to look at."""
PICTURES = os.environ.get("PICTURES") == "1"
QUIET = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
]  # fmt: skip
GROUPS = ("landing", "bronze", "silver", "quarantine", "gold", "catalog")
GOOD, HELD = "2012-01-04", "2012-01-05"
PERSON = "87654321"
_PATIENCE_MS = 60_000


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Twelve days of the simulated retailer, then a day of one customer, then one below the gate."""
    root = tmp_path_factory.mktemp("browser") / "lake"
    assert lakehouse(str(root), "demo", "--days", "12").returncode == 0
    landing = root / "landing/sales"
    bad = [*day(HELD, 3), line(InvoiceDate=f"{HELD} 09:00:00", Quantity="1.5")]
    (landing / "good.csv").write_bytes(sales_csv(day(GOOD, 6, CustomerID=PERSON)))
    (landing / "held.csv").write_bytes(sales_csv(bad))
    assert lakehouse(str(root), "run").returncode == 1
    return lake_at(str(root))


@pytest.fixture(scope="module")
def server(lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    with DevServer(lake.settings.root, tmp_path_factory.mktemp("browser_log") / "dev.log") as running:
        yield running


@pytest.fixture(scope="module")
def browser_page() -> Iterator[Page]:
    if CHROMIUM is None:
        pytest.skip("there is no command chromium")
    SHOTS.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        page = browser.new_page()
        page.set_default_timeout(_PATIENCE_MS)
        yield page
        browser.close()


@pytest.fixture
def visit(browser_page: Page, server: DevServer) -> Callable[..., Page]:
    """Open a page of the UI, wait for a text on it, and take its picture if pictures are wanted."""

    def open_page(path: str, until: str, shot: str, width: int = 1600, height: int = 1200) -> Page:
        browser_page.set_viewport_size({"width": width, "height": height})
        browser_page.goto(server.url + path)
        expect(browser_page.get_by_text(until).first).to_be_visible(timeout=_PATIENCE_MS)
        return take(browser_page, shot)

    return open_page


def take(page: Page, shot: str) -> Page:
    if PICTURES:
        # The texts come first, what is drawn around them a moment later.
        page.wait_for_timeout(1_500)
        page.screenshot(path=SHOTS / f"{shot}.png")
    return page


def reads(page: Page, *expected: str | re.Pattern[str]) -> None:
    """Assert that a page comes to show each of some texts."""
    for text in expected:
        expect(page.locator("body")).to_contain_text(text, use_inner_text=True, timeout=_PATIENCE_MS)


def test_the_lineage_goes_from_landing_to_gold_by_layer(visit: Callable[..., Page]) -> None:
    expanded = "%2C".join(f"global%40global%3A{group}" for group in GROUPS)
    page = visit(f"/asset-groups?expanded={expanded}", "product_performance", "lineage", width=2600)
    reads(page, *GROUPS, "daily_sales", "daily_metrics", "daily_product_sales", "Delta Lake", "Polars", "DuckDB")
    reads(page, re.compile(r"(\nsales\n.*){4}", re.DOTALL))  # landing, bronze, silver, quarantine


def test_silver_shows_its_schema_row_count_lineage_and_a_preview_without_persons(
    visit: Callable[..., Page], lake: Lake
) -> None:
    until = "Invoice number; C marks a cancellation"
    page = visit("/assets/silver/sales?view=overview", until, "silver_sales", height=2800)
    for name, column in lake.registry.feed("sales").silver.columns.items():
        reads(page, name, column.description.replace("`", ""))
    reads(page, "decimal(18,4)", "bigint", "timestamp", "retail-data", "Row count", "computed from", "non-nullable")
    reads(page, "preview", "bronze.sales.UnitPrice")  # column lineage
    assert page.locator("body").inner_text().count("(personal data)") == 5
    assert PERSON not in page.content()


def test_gold_shows_its_plot_its_sql_and_its_schema(visit: Callable[..., Page], lake: Lake) -> None:
    until = "Sales, returns, adjustments and net"
    page = visit("/assets/gold/daily_sales?view=overview", until, "gold_daily_sales", height=2400)
    plot = page.locator('img[src^="data:image/svg+xml"]').first
    expect(plot).to_be_visible(timeout=_PATIENCE_MS)
    box = plot.bounding_box()
    assert box is not None
    assert box["width"] >= 200
    assert box["height"] >= 60
    for name, column in lake.registry.models["daily_sales"].table.columns.items():
        reads(page, name, column.description)
    reads(page, "retail-analytics", "DuckDB", "Row count", "silver.sales.line_amount", "FROM silver.sales")


def test_checks_are_green_or_red_and_say_why(visit: Callable[..., Page]) -> None:
    page = visit("/assets/silver/sales?view=checks&checkDetail=gate", "is below the gate", "silver_sales_checks")
    reads(page, f"{HELD}: quality score 0.7500", "quantity_readable", "cancellation_not_positive")
    reads(page, re.compile(r"gate\s+Failed"), re.compile(r"accounting\s+Succeeded"))


def test_partitions_are_business_dates(visit: Callable[..., Page]) -> None:
    page = visit(f"/assets/gold/daily_sales?view=partitions&partition={GOOD}", "Latest materialization", "partitions")
    reads(page, re.compile(rf"{GOOD}\s+Materialized"))
    held = f"/assets/silver/sales?view=partitions&partition={HELD}"
    page = visit(held, "did not materialize this asset", "partition_held")
    reads(page, re.compile(rf"{HELD}\s+Run \w+ failed"))


def test_a_failed_run_says_which_date_is_held_and_why(visit: Callable[..., Page], lake: Lake) -> None:
    with instance_of(lake) as instance:
        [failed] = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]))
    page = visit(f"/runs/{failed.run_id}", f"{HELD}: quality score 0.7500 is below the gate", "failed_run")
    reads(page, "Failure")

    page.locator('input[placeholder^="Filter"]').first.fill("below the gate")
    expect(page.get_by_text(f"{HELD}: quality score 0.7500 is below the gate").first).to_be_visible()
    take(page, "failed_run_reason")


def test_no_log_shows_a_person(lake: Lake) -> None:
    with instance_of(lake) as instance:
        for record in instance.get_run_records():
            for entry in instance.all_logs(record.dagster_run.run_id):
                assert PERSON not in str(entry), entry.message
