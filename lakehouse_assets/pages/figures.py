"""What the page shows, read from gold and from the accounting, as values that JSON can hold.

Amounts are whole ten-thousandths of a pound, so that sums on the page are exact. No column of a person is read.
Not here: how it looks.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Model
from lakehouse_assets.pages import freshness
from lakehouse_assets.pipeline.accounting import scan_accounting
from lakehouse_assets.pipeline.reading import read as read_table

Figures = Mapping[str, Any]
_AMOUNT = 10_000
_MOST_ROWS, _LATEST = 12_000, 366
_TOO_MANY = "Shown by {step}: by day and country there are {rows:,} rows, and the page has room for {most:,}."
_MEASURES = ("sales", "returns", "net", "units", "invoices")
_FORECAST = ("net", "low_80", "high_80", "low_95", "high_95")
_STEPS = {"day": "1d", "week": "1w", "month": "1mo", "year": "1y"}
_PAIR = ("stock_code", "other_stock_code")
_TOP, _COHORTS = 15, 24


def models(lake: Lake) -> list[Model]:
    """Return the gold tables that the page reads and that are declared."""
    return [lake.registry.models[name] for name in _READ if name in lake.registry.models]


def read(lake: Lake, now: dt.datetime | None = None) -> dict[str, Figures]:
    """Return the figures of each section whose table is declared; a section without rows is there, too."""
    found = {model.name: _READ[model.name](read_table(lake, model.table)) for model in models(lake)}
    # What is expected of a day says nothing beside the sum of a week.
    if found.get("daily_sales", {}).get("step") != "day" or not found.get("sales_forecast", {}).get("rows"):
        found.pop("sales_forecast", None)
    if "basket_pairs" in found and "product_performance" in lake.registry.models:
        products = read_table(lake, lake.registry.models["product_performance"].table)
        found["basket_pairs"] = _with_names(found["basket_pairs"], products)
    found |= _judged(scan_accounting(lake.store))
    found["freshness"] = freshness.read(lake, models(lake), now or dt.datetime.now(dt.UTC))
    found["dictionary"] = {
        "rows": [
            {"table": table.full_name, "column": name, "meaning": column.description}
            for table in (model.table for model in models(lake))
            for name, column in table.columns.items()
        ]
    }
    found["queries"] = {
        "rows": [{"table": model.table.full_name, "sql": model.query.strip() or model.code} for model in models(lake)]
    }
    return found


def headlines(shown: Mapping[str, Figures]) -> list[str]:
    """Return the most important figures as lines of text, for the Dagster UI."""
    daily = shown.get("daily_sales", {})
    rows = daily.get("rows", [])
    if not rows:
        return ["no sales yet"]
    total = {name: sum(row[2 + at] for row in rows) for at, name in enumerate(_MEASURES)}
    amounts = [f"{name}: {total[name] / _AMOUNT:,.2f} GBP" for name in ("sales", "returns", "net")]
    return [f"{daily['first']} to {daily['last']}", *amounts, f"invoices: {total['invoices']:,}"]


def _in_ten_thousandths(name: str) -> pl.Expr:
    return (pl.col(name) * _AMOUNT).cast(pl.Int64)


def _daily_sales(rows: pl.LazyFrame) -> Figures:
    """Return the measures by date and country; by week, month or year where dates would make the page too large."""
    cast = [_in_ten_thousandths(name) if name in _MEASURES[:3] else pl.col(name).cast(pl.Int64) for name in _MEASURES]
    found = rows.select("dt", "country", *cast).collect()
    grouped_by = ((step, _by(found, every)) for step, every in _STEPS.items())
    step, grouped = next(one for one in grouped_by if one[1].height <= _MOST_ROWS or one[0] == "year")
    countries = sorted(set(grouped["country"]))
    place = {country: at for at, country in enumerate(countries)}
    return {
        "step": step,
        "left_out": "" if step == "day" else _TOO_MANY.format(step=step, rows=found.height, most=_MOST_ROWS),
        "first": _text(found["dt"].min()),
        "last": _text(found["dt"].max()),
        "countries": countries,
        "measures": list(_MEASURES),
        "rows": [[str(row[0]), place[row[1]], *row[2:]] for row in grouped.iter_rows()],
    }


def _forecast(rows: pl.LazyFrame) -> Figures:
    """Return what to expect of each date of all groups; bounds only where each group has them."""
    sums = [pl.when(pl.col(name).is_not_null().all()).then(pl.col(name).sum()) for name in _FORECAST]
    found = rows.group_by(pl.col("date").alias("dt")).agg(*sums, pl.col("trained_through").max()).sort("dt").collect()
    trained = _text(found["trained_through"].max())
    amounts = [_in_ten_thousandths(name) for name in _FORECAST]
    return {"trained": trained, "rows": found.select(pl.col("dt").cast(pl.String), *amounts).to_dicts()}


def _by(rows: pl.DataFrame, every: str) -> pl.DataFrame:
    return rows.group_by(pl.col("dt").dt.truncate(every), "country").agg(pl.col(_MEASURES).sum()).sort("dt", "country")


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _products(rows: pl.LazyFrame) -> Figures:
    best = rows.top_k(_TOP, by="sales").sort(["sales", "stock_code"], descending=[True, False])
    columns = ("stock_code", "description", "units", "invoices", "return_rate")
    return {"rows": best.select(_in_ten_thousandths("sales"), *_plain(columns)).collect().to_dicts()}


def _plain(columns: tuple[str, ...]) -> list[pl.Expr]:
    return [pl.col(name).cast(pl.Int64) if name == "units" else pl.col(name) for name in columns]


def _segments(rows: pl.LazyFrame) -> Figures:
    grouped = rows.group_by("segment").agg(
        pl.len().cast(pl.Int64).alias("customers"),
        pl.col("monetary").sum().mul(_AMOUNT).cast(pl.Int64),
        (pl.col("churn_risk") == "high").sum().cast(pl.Int64).alias("high_risk"),
    )
    return {"rows": grouped.sort(["customers", "segment"], descending=[True, False]).collect().to_dicts()}


def _cohorts(rows: pl.LazyFrame) -> Figures:
    found = rows.sort("cohort", "months_since").collect()
    latest = found["cohort"].unique().sort().tail(_COHORTS).implode()
    chosen = found.filter(pl.col("cohort").is_in(latest), pl.col("months_since") < _COHORTS)
    return {"rows": chosen.with_columns(pl.col("cohort").dt.strftime("%Y-%m")).to_dicts()}


def _pairs(rows: pl.LazyFrame) -> Figures:
    order = ["lift", "stock_code", "other_stock_code"]
    return {"rows": rows.sort(order, descending=[True, False, False]).head(_TOP).collect().to_dicts()}


def _with_names(pairs: Figures, products: pl.LazyFrame) -> Figures:
    """Return the pairs with the names of their products beside the codes."""
    codes = {row[side] for row in pairs["rows"] for side in _PAIR}
    found = products.filter(pl.col("stock_code").is_in(list(codes))).select("stock_code", "description").collect()
    names = {code: f"{code} {name}" for code, name in found.iter_rows() if name}
    return {"rows": [row | {side: names.get(row[side], row[side]) for side in _PAIR} for row in pairs["rows"]]}


def _broken_rules(rows: pl.LazyFrame) -> Figures:
    grouped = rows.group_by("feed", "rule").agg(pl.col("records").sum(), pl.col("dt").max().alias("latest"))
    ordered = grouped.sort(["records", "feed", "rule"], descending=[True, False, False])
    return {"rows": ordered.with_columns(pl.col("latest").cast(pl.String)).collect().to_dicts()}


def _judged(accounting: pl.LazyFrame) -> dict[str, Figures]:
    """Return the score of each feed's latest dates, and the partitions that the gate holds back."""
    counts = accounting.group_by("feed", "part").agg(
        pl.col("score").first(), pl.col("verdict").first(), pl.col("held").sum().cast(pl.Int64)
    )
    found = counts.sort("feed", "part").collect()
    is_date = pl.col("part").str.contains(r"^\d{4}-\d{2}-\d{2}$")
    scores = found.filter(is_date, pl.col("score").is_not_null()).select("feed", "part", "score")
    held = found.filter(pl.col("verdict") == "held").select("feed", "part", "score", "held")
    return {"quality": _latest(scores), "held": _latest(held)}


def _latest(rows: pl.DataFrame) -> Figures:
    """Return the last partitions of each feed, and how many there are before them."""
    kept = rows.group_by("feed", maintain_order=True).tail(_LATEST)
    earlier = rows.height - kept.height
    left_out = f"The latest {_LATEST:,} of each feed; {earlier:,} before them are left out." if earlier else ""
    return {"rows": kept.to_dicts(), "left_out": left_out}


_READ: Mapping[str, Callable[[pl.LazyFrame], Figures]] = {
    "daily_sales": _daily_sales,
    "sales_forecast": _forecast,
    "product_performance": _products,
    "customer_insights": _segments,
    "cohort_retention": _cohorts,
    "basket_pairs": _pairs,
    "quarantine_by_rule": _broken_rules,
}
