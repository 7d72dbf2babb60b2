"""The page holds the figures of gold, whatever is in them, and is made again when gold changes."""

import datetime as dt
import json
import re
from dataclasses import replace
from typing import Any
from unittest.mock import Mock
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.pages import charts, figures
from lakehouse_assets.pages.report import PATH, Report, can_be_made, page
from lakehouse_assets_tests.conftest import Lakehouse
from lakehouse_assets_tests.retail import land, line, run, sales_csv

pytestmark = pytest.mark.usefixtures("every_table")
ODD = 'Côte d\'Ivoire </script><b>"Lac"'


@pytest.fixture
def libraries(lake: Lake) -> None:
    """The scripts of the charts are there, so that no second is spent on them."""
    from importlib.metadata import version

    lake.store.replace(f"pages/charts-{version('vl-convert-python')}.js", b"const vegaEmbed = null;")


def embedded(text: str) -> dict[str, Any]:
    found = re.search(r'id="data">(.*?)</script>', text, re.DOTALL)
    assert found
    shown: dict[str, Any] = json.loads(found[1])
    return shown


@pytest.mark.slow
@pytest.mark.usefixtures("libraries")
def test_the_page_follows_gold(lake: Lake) -> None:
    assert Report().state(lake).pending == {}
    land(
        lake,
        "x.csv",
        sales_csv([line(Country=ODD), line(Quantity="-1", InvoiceNo="C536366"), line(InvoiceDate="someday")]),
    )
    run(lake)
    assert Report().state(lake).pending
    assert list(Report().problems(lake)) == [], "what is pending is no difference"
    done = Report().refresh(lake)
    assert not Report().state(lake).pending
    assert list(Report().problems(lake)) == []
    assert done.lists["figures"][1:4] == ["sales: 15.30 GBP", "returns: -2.55 GBP", "net: 12.75 GBP"]

    text = lake.store.read(PATH).decode()
    shown = embedded(text)
    assert shown["daily_sales"]["countries"] == [ODD, "United Kingdom"]
    assert shown["daily_sales"]["rows"] == [
        ["2011-03-01", 0, 153000, 0, 153000, 6, 1],
        ["2011-03-01", 1, 0, -25500, -25500, 0, 0],
    ]
    assert shown["quarantine_by_rule"]["rows"] == [
        {"feed": "sales", "rule": "invoiced_at_readable", "records": 1, "latest": None}
    ]
    assert shown["held"]["rows"] == []
    meaning = {(row["table"], row["column"]): row["meaning"] for row in shown["dictionary"]["rows"]}
    assert meaning["gold.daily_sales", "net"] == "sales + returns + adjustments."
    queries = {row["table"]: row["sql"] for row in shown["queries"]["rows"]}
    assert "FROM silver.sales" in queries["gold.daily_sales"]
    assert "<b>" not in text
    assert "17850" not in text

    land(lake, "y.csv", sales_csv([line(UnitPrice="1")]))
    run(lake)
    assert Report().state(lake).pending
    lake.store.delete(PATH)
    assert Report().state(lake).built == {}


@pytest.mark.slow
@pytest.mark.usefixtures("libraries")
def test_an_empty_lake_has_a_page_that_says_so(lake: Lake) -> None:
    text = page(lake, figures.read(lake))
    assert embedded(text)["daily_sales"]["rows"] == []
    assert "sales_forecast" not in embedded(text)
    assert Report().refresh(lake).lists["figures"] == ["no sales yet"]


@pytest.mark.slow
def test_long_histories_are_shown_by_week_or_month(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    days = [line(InvoiceDate=f"2011-{month:02}-{day:02} 09:00:00") for month in (3, 4) for day in (1, 2, 22, 23)]
    land(lake, "x.csv", sales_csv(days))
    run(lake)
    for most, step, rows in ((8, "day", 8), (7, "week", 4), (3, "month", 2), (1, "year", 1)):
        monkeypatch.setattr(figures, "_MOST_ROWS", most)
        shown = figures.read(lake)["daily_sales"]
        assert (shown["step"], len(shown["rows"])) == (step, rows)
        assert sum(row[2] for row in shown["rows"]) == 8 * 153000
        assert ("8 rows, and the page has room" in shown["left_out"]) == (step != "day")
        assert (shown["first"], shown["last"]) == ("2011-03-01", "2011-04-23")


def a_year(days: int, countries: int) -> pl.LazyFrame:
    """Return a table of daily sales with figures as long as those of a large retailer."""
    dates = pl.LazyFrame({"dt": [dt.date(2012, 1, 1) + dt.timedelta(days=at) for at in range(days)]})
    places = pl.LazyFrame({"country": [f"Country number {at}" for at in range(countries)]})
    amount = pl.lit("1234567.8901").str.to_decimal(scale=4)
    figures_of = [amount.alias("sales"), (-amount).alias("returns"), amount.alias("net")]
    return dates.join(places, how="cross").with_columns(*figures_of, units=345678, invoices=12345)


def accounts(feeds: int, dates: int) -> pl.LazyFrame:
    """Return an account of each date of some feeds, all held."""
    rows = [
        {"feed": f"number_{feed}", "part": str(dt.date(2010, 1, 1) + dt.timedelta(days=at)), "score": 0.98765432109876}
        for feed in range(feeds)
        for at in range(dates)
    ]
    return pl.LazyFrame(rows).with_columns(verdict=pl.lit("held"), held=123456)


@pytest.mark.slow
def test_a_page_that_is_full_is_below_two_megabytes(lake: Lake) -> None:
    full = figures._daily_sales(a_year(300, 40))
    judged = figures._judged(accounts(feeds=4, dates=400))
    text = page(lake, figures.read(lake) | {"daily_sales": full} | judged)

    assert (full["step"], len(full["rows"]), full["left_out"]) == ("day", 12_000, "")
    assert 1_500_000 < len(text.encode()) < 2_000_000
    assert "The latest 366 of each feed; 136 before them are left out." in text
    assert [row["part"] for row in judged["quality"]["rows"]][365:367] == ["2011-02-04", "2010-02-04"]
    assert len(judged["held"]["rows"]) == 4 * 366
    more = figures._daily_sales(a_year(301, 40))
    assert more["left_out"] == (
        "Shown by week: by day and country there are 12,040 rows, and the page has room for 12,000."
    )


def expected_sales(bounds: list[float | None]) -> pl.LazyFrame:
    """Return a forecast of two groups for each bound of the second one."""
    dates = [dt.date(2012, 1, 2) + dt.timedelta(days=at) for at in range(len(bounds))]
    rows = [
        {"date": date, "net": 100.25, "trained_through": dt.date(2012, 1, 1)}
        | dict.fromkeys(("low_80", "high_80", "low_95", "high_95"), bound)
        for date, second in zip(dates, bounds, strict=True)
        for bound in (50.5, second)
    ]
    return pl.LazyFrame(rows, infer_schema_length=None).with_columns(pl.col(pl.Float64).cast(pl.Decimal(18, 2)))


def test_the_forecast_is_that_of_all_groups_together() -> None:
    shown = figures._forecast(expected_sales([1.25, None]))
    assert shown["trained"] == "2012-01-01"
    bounds = ("low_80", "high_80", "low_95", "high_95")
    assert shown["rows"] == [
        {"dt": "2012-01-02", "net": 2005000} | dict.fromkeys(bounds, 517500),
        {"dt": "2012-01-03", "net": 2005000} | dict.fromkeys(bounds),
    ]


def test_rows_are_added_up_only_until_they_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    by = Mock(wraps=figures._by)
    monkeypatch.setattr(figures, "_by", by)
    figures._daily_sales(a_year(2, 2))
    assert by.call_count == 1


@pytest.mark.slow
def test_it_says_how_fresh_each_feed_and_table_is(lake: Lake) -> None:
    zone = ZoneInfo("Europe/London")
    closing = replace(lake.registry.feeds["sales"], daily_close=dt.time(6), rest_days=("Saturday",))
    model = replace(lake.registry.models["daily_sales"], fresh_within=dt.timedelta(hours=9))
    lake = replace(lake, registry=Registry([closing], [model]))
    friday, monday = dt.date(2011, 3, 4), dt.datetime(2011, 3, 7, 5, tzinfo=zone)
    land(lake, "x.csv", sales_csv([line(InvoiceDate=f"{date} 09:00:00") for date in (friday, "2911-03-04")]))
    run(lake)

    shown = figures.read(lake, monday)["freshness"]
    rows = {row["table"]: row for row in shown["rows"]}
    sales, daily = rows["silver.sales"], rows["gold.daily_sales"]
    assert shown["made"] == "2011-03-07 05:00 UTC"
    assert (sales["newest"], sales["due"], sales["late"]) == (str(friday), "2011-03-07T06:00:00+00:00", "nothing")
    assert (daily["newest"], daily["due"], daily["late"]) == (str(friday), "2011-03-07T09:00:00+00:00", "nothing")
    assert sales["written"] is not None
    assert daily["written"] > sales["written"]

    rows = {row["table"]: row for row in figures.read(lake, monday + dt.timedelta(days=2))["freshness"]["rows"]}
    assert rows["silver.sales"]["late"] == (
        "sales 2011-03-07: nothing was ingested by the daily close at 2011-03-08 06:00 (Europe/London), or since"
        " (and 1 more: lakehouse status)"
    )
    assert rows["gold.daily_sales"]["late"].startswith("gold.daily_sales 2011-03-07: not there, and was due at")


@pytest.mark.slow
@pytest.mark.usefixtures("libraries")
def test_charts_are_described_once(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    described = Mock(side_effect=charts.specifications)
    monkeypatch.setattr(charts, "specifications", described)
    shown = figures.read(lake)
    first, second = page(lake, shown), page(lake, shown)
    assert first == second
    assert described.call_count == 1
    lake.store.replace("pages/charts.json", json.dumps({"made_of": 1, "charts": {}}).encode())
    assert page(lake, shown) == first, "what other code described is not taken"
    assert described.call_count == 2


@pytest.mark.usefixtures("libraries")
def test_the_command_writes_it_and_a_copy(lake: Lake, lakehouse: Lakehouse, tmp_path: Any) -> None:
    said = lakehouse("report", "--out", tmp_path / "page.html")
    assert (said.code, said.out.strip()) == (0, str(tmp_path / "page.html"))
    assert (tmp_path / "page.html").read_bytes() == lake.store.read(PATH)
    assert lakehouse("report").out.strip() == lake.store.uri(PATH)
    nowhere = tmp_path / "nowhere" / "page.html"
    said = lakehouse("report", "--out", nowhere)
    assert (said.code, said.out) == (1, "")
    assert f"{nowhere} cannot be written: No such file or directory. The page is at " in said.err


def test_without_its_libraries_there_is_none(lake: Lake, lakehouse: Lakehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakehouse_assets.pages.report._LIBRARIES", ("no_such_library",))
    assert not can_be_made()
    said = lakehouse("report")
    assert said.code == 1
    assert "Nothing was written; install them: pip install 'lakehouse-assets[pages]'." in said.err
    assert lake.store.stat(PATH) is None
