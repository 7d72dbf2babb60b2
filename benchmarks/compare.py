"""Whether two lakes hold the same: the one that the product made and the one of the floor."""

from pathlib import Path
from typing import Any

import polars as pl

GOLD = {
    "daily_sales": ("dt", "country"),
    "daily_metrics": ("date_key", "metric_name", "country"),
    "daily_product_sales": ("dt", "stock_code"),
    "daily_baskets": ("dt", "invoice_no"),
    "daily_customer_sales": ("dt", "customer_id"),
    "daily_group_sales": ("dt", "country_group", "product_group"),
    "product_performance": ("stock_code",),
    "basket_pairs": ("stock_code", "other_stock_code"),
    "cohort_retention": ("cohort", "months_since"),
    "customer_insights": ("customer_id",),
    "quarantine_by_rule": ("dt", "rule"),
    "sales_enriched": (),
}


class DifferentError(Exception):
    """The two lakes differ; the message says in what."""


def totals(lake: Path) -> dict[str, Any]:
    """Return the figures by which two lakes are first compared."""
    silver = pl.scan_delta(str(lake / "silver/sales"))
    row = silver.select(
        pl.len().alias("silver rows"),
        pl.col("quantity").sum().alias("units"),
        pl.col("line_amount").sum().alias("line_amount"),
        pl.col("_line").sum().alias("sum of _line"),
        pl.col("dt").n_unique().alias("dates"),
    ).collect()
    found = dict(row.row(0, named=True))
    found["quarantined"] = pl.scan_delta(str(lake / "quarantine/sales")).select(pl.len()).collect().item()
    daily = pl.scan_delta(str(lake / "gold/daily_sales")).select(pl.sum("net", "sales")).collect()
    return found | {"gold.daily_sales net": daily["net"][0], "gold.daily_sales sales": daily["sales"][0]}


def same(product: Path, floor: Path) -> dict[str, Any]:
    """Return the figures that both lakes have.

    Raises:
        DifferentError: A total or a row of gold is not the same in both.
    """
    ours, theirs = totals(product), totals(floor)
    if ours != theirs:
        odd = [f"{name}: product {ours[name]}, floor {theirs[name]}" for name in ours if ours[name] != theirs[name]]
        raise DifferentError("; ".join(odd))
    for name, key in GOLD.items():
        left, right = (pl.scan_delta(str(lake / "gold" / name)) for lake in (product, floor))
        if key:
            _same(name, _ordered(left, key), _ordered(right, key))
            continue
        # A table of single sales is the largest: date by date.
        for date in pl.concat([left, right], how="diagonal").select("dt").unique().sort("dt").collect()["dt"]:
            of_date = pl.col("dt") == date
            _same(name, *(_ordered(side.filter(of_date), tuple(side.collect_schema())) for side in (left, right)))
    return ours


def _same(name: str, left: pl.DataFrame, right: pl.DataFrame) -> None:
    if left.schema != right.schema:
        msg = f"gold.{name}: product {left.schema}, floor {right.schema}"
        raise DifferentError(msg)
    if not left.equals(right):
        only = left.join(right, on=left.columns, how="anti", nulls_equal=True)
        msg = f"gold.{name}: {left.height} and {right.height} rows; only in the product's: {only.head(3)}"
        raise DifferentError(msg)


def _ordered(rows: pl.LazyFrame, key: tuple[str, ...]) -> pl.DataFrame:
    frame = rows.collect()
    if "dimensions" in frame.columns:
        pairs = pl.col("dimensions").cast(pl.List(pl.Struct({"key": pl.String, "value": pl.String})))
        country = pairs.list.eval(
            pl.element().struct.field("value").filter(pl.element().struct.field("key") == "country")
        )
        frame = frame.with_columns(country.list.first().alias("country"), pairs.list.len().alias("dimensions"))
    return frame.select(sorted(frame.columns)).sort(key)
