"""The backtest on the 305 real days gives the figures that the page says, from the CSV files without the lake."""

import re
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from lakehouse_assets.forecast.models import CHAMPION
from lakehouse_assets.forecast.predict import predict
from lakehouse_assets.forecast.train import train
from lakehouse_assets.lake_settings import PROJECT

pytestmark = pytest.mark.slow


def _daily(days: list[Path]) -> pl.DataFrame:
    """Return net sales by day and group as the contract of sales has them."""
    text = pl.concat([pl.read_csv(path, infer_schema=False) for path in days])
    records = text.with_columns(pl.all().str.strip_chars()).with_columns(pl.col("StockCode").str.to_uppercase())
    is_merchandise = pl.col("StockCode").str.contains(r"^[0-9]{5}[A-Z]{0,2}$")
    return (
        records.unique()
        .filter(~pl.col("UnitPrice").str.starts_with("-"))
        .with_columns(
            dt=pl.col("InvoiceDate").str.head(10).str.to_date(),
            country_group=pl.when(pl.col("Country") == "United Kingdom")
            .then("Country")
            .otherwise(pl.lit("other countries")),
            product_group=pl.when(is_merchandise)
            .then(pl.lit("merchandise"))
            .otherwise(pl.lit("services and adjustments")),
            amount=pl.col("Quantity").cast(pl.Int64) * pl.col("UnitPrice").cast(pl.Decimal(18, 4)),
        )
        .group_by("dt", "country_group", "product_group")
        .agg(net=pl.col("amount").sum())
    )


def test_the_backtest_of_the_real_days_is_the_one_on_the_page(real_days: list[Path]) -> None:
    daily = _daily(real_days)
    assert daily["net"].sum() == Decimal("9748131.0740")
    card = train(daily).card
    page = (PROJECT / "docs" / "insight.md").read_text(encoding="utf-8")
    figure = r" ([0-9.]+) \|"
    table = re.findall(rf"^\| (.+) \| (\S+ ?\S*) \|{figure * 4}$", page, re.MULTILINE)
    told = {(group, model): tuple(map(float, figures)) for group, model, *figures in table}
    measures = ("wape", "mase", "coverage_80", "coverage_95")
    for row in card["evaluation"]:
        group = "all" if row["product_group"] == "all" else f"{row['country_group']}, {row['product_group']}"
        assert told.pop((group, row["model"])) == pytest.approx([row[name] for name in measures], abs=0.0015)
    assert told == {}
    assert (card["model"], card["closed_weekdays"]) == (CHAMPION, ["Saturday"])
    assert card["data"]["open_dates"] == 305
    dates = {str(date) for date in predict(card)["date"]}
    assert {"2011-12-11", "2011-12-23", "2012-01-04"} < dates
    assert dates.isdisjoint({"2011-12-10", "2011-12-17", "2011-12-26", "2012-01-02"})
    assert "23.3% below the seasonal naive's" in card["reason"]
