"""The page in Chromium: its numbers are those of gold, its filters work, and people who cannot see it can use it."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page, expect, sync_playwright

from lakehouse_assets.context import Lake
from lakehouse_assets.pages import figures
from lakehouse_assets.pages.report import PATH, Report, page
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.orchestration.test_browser import CHROMIUM, QUIET, SHOTS
from lakehouse_assets_tests.pages.test_report import expected_sales
from lakehouse_assets_tests.pipeline.totals import stored
from lakehouse_assets_tests.retail import land, line, run, sales_csv

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("every_table")]
ODD = 'Côte d\'Ivoire "<i>"'
_MOST_BYTES = 2_000_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("there is no command chromium")
    SHOTS.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts of the charts, put together once."""
    lake = lake_at(str(tmp_path_factory.mktemp("libraries") / "lake"))
    Report().refresh(lake)
    return Path(lake.settings.root, "pages")


def opened(browser: Browser, lake: Lake, libraries: Path, **look: Any) -> tuple[Page, list[str]]:
    """Return the lake's page in a browser without network, and what its scripts complained of."""
    folder = Path(lake.settings.root, "pages")
    folder.mkdir(parents=True, exist_ok=True)
    for script in libraries.glob("*.js"):
        shutil.copy(script, folder)
    Report().refresh(lake)
    return looked_at(browser, Path(lake.settings.root, PATH), **look)


def looked_at(browser: Browser, file: Path, **look: Any) -> tuple[Page, list[str]]:
    assert file.stat().st_size < _MOST_BYTES
    context = browser.new_context(offline=True, **look)
    found, said = context.new_page(), []
    found.on("pageerror", lambda error: said.append(str(error)))
    found.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    found.goto(file.as_uri())
    found.wait_for_function("document.documentElement.dataset.drawn")
    return found, said


def totals(found: Page) -> dict[str, int]:
    return {
        cell.get_attribute("data-total") or "": int(cell.get_attribute("data-value") or "")
        for cell in found.locator("#totals dd").all()
    }


def year(lake: Lake) -> None:
    """Land and run days of a year, of two countries."""
    dates = [f"2011-{month:02}-{day:02}" for month in range(1, 13) for day in (3, 17)]
    records = [
        line(InvoiceDate=f"{date} 10:00:00", InvoiceNo=str(500000 + at), Quantity=str(at + 1), Country=country)
        for at, date in enumerate(dates)
        for country in ("France", ODD)
    ]
    land(lake, "x.csv", sales_csv([*records, line(InvoiceDate="2011-03-03 10:00:00", Quantity="many")]))
    run(lake)


def test_the_numbers_are_golds_for_each_choice(lake: Lake, browser: Browser, libraries: Path) -> None:
    year(lake)
    found, said = opened(browser, lake, libraries)
    rows = stored(lake, "daily_sales")

    def expected(chosen: list[dict[str, Any]]) -> dict[str, int]:
        amounts = {name: int(sum(row[name] for row in chosen) * 10_000) for name in ("sales", "returns", "net")}
        return amounts | {name: int(sum(row[name] for row in chosen)) for name in ("units", "invoices")}

    assert totals(found) == expected(rows)
    found.locator("[name=country]").select_option(label=ODD)
    assert totals(found) == expected([row for row in rows if row["country"] == ODD])
    found.get_by_label("From", exact=True).fill("2011-06-01")
    found.get_by_label("To", exact=True).fill("2011-07-31")
    assert totals(found) == expected([row for row in rows if row["country"] == ODD and row["dt"].month in (6, 7)])
    found.get_by_text("Sales and net by day: the figures").click()
    cells = found.locator("#daily_sales tbody td[data-value]")
    assert cells.count() == 4 * 5
    found.get_by_role("button", name="Reset").click()
    found.wait_for_function("document.querySelector('[name=country]').value === ''")
    found.wait_for_timeout(100)
    assert totals(found) == expected(rows)
    expect(found.locator("#daily_sales svg")).to_have_count(1)
    assert said == []


def test_the_forecast_continues_the_sales_of_all_countries(lake: Lake, browser: Browser, libraries: Path) -> None:
    year(lake)
    opened(browser, lake, libraries)[0].close()
    file = Path(lake.settings.root, PATH)
    file.write_text(page(lake, figures.read(lake) | {"sales_forecast": figures._forecast(expected_sales([9.5] * 28))}))
    found, said = looked_at(browser, file)

    bands, line_of = found.locator("#daily_sales .mark-area path"), found.locator("#daily_sales .mark-line path")
    assert (bands.count(), line_of.count()) == (2, 3)
    assert found.locator("#sales_forecast tbody tr").first.text_content() == "2012-01-02£200.50£60.00£60.00£60.00£60.00"
    found.get_by_label("From", exact=True).fill("2011-12-10")
    expect(bands).to_have_count(2)
    found.get_by_label("To", exact=True).fill("2012-01-20")
    assert found.locator("#sales_forecast tbody tr").count() == 19
    found.locator("[name=country]").select_option(label=ODD)
    expect(bands).to_have_count(0)
    assert found.get_by_text("There is no forecast for what is chosen.").is_visible()
    assert said == []


def test_the_figures_are_there_before_any_chart(lake: Lake, browser: Browser, libraries: Path) -> None:
    land(lake, "x.csv", sales_csv([line()]))
    run(lake)
    opened(browser, lake, libraries)[0].close()
    context = browser.new_context(offline=True)
    context.add_init_script("window.setTimeout = () => 0;")  # later tasks never come
    found = context.new_page()
    found.goto(Path(lake.settings.root, PATH).as_uri())
    found.wait_for_function("document.documentElement.dataset.ready")
    assert totals(found)["sales"] == 153000
    assert found.locator(".chart svg").count() == 0


@pytest.mark.parametrize("days", ["none", "one", "year"])
def test_it_can_be_used_on_a_phone_and_by_those_who_cannot_see_it(
    days: str, lake: Lake, browser: Browser, libraries: Path
) -> None:
    if days == "one":
        land(lake, "x.csv", sales_csv([line()]))
        run(lake)
    elif days == "year":
        year(lake)
    for name, width, scheme in (("desktop", 1280, "light"), ("phone", 360, "dark")):
        look = {"viewport": {"width": width, "height": 800}, "color_scheme": scheme}
        found, said = opened(browser, lake, libraries, **look)
        found.screenshot(path=str(SHOTS / f"report-{days}-{name}.png"), full_page=True)
        assert found.evaluate("document.documentElement.scrollWidth") <= width
        assert found.locator("#filter").is_visible() == found.locator("#totals").is_visible() == (days != "none")
        for summary in found.locator("summary:visible").all():
            summary.click()
        found_by_axe = Axe().run(found).response["violations"]
        assert [
            (one["id"], one["nodes"][0]["html"]) for one in found_by_axe if one["impact"] in ("serious", "critical")
        ] == []
        assert said == []
