"""Customers, cohorts and baskets of real days equal what plain Python makes of the CSV files themselves.

`FAULTS=all`: of all 305, instead of forty.
"""

import csv
import datetime as dt
import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.registry import registry_of
from lakehouse_assets_tests.conftest import copied, lake_at
from lakehouse_assets_tests.pipeline.totals import stored
from lakehouse_assets_tests.prepared import Once
from lakehouse_assets_tests.retail import build

pytestmark = pytest.mark.slow
MODELS = (
    "daily_sales",
    "daily_customer_sales",
    "daily_baskets",
    "customer_insights",
    "cohort_retention",
    "basket_pairs",
)


class Line(NamedTuple):
    """A sale or a return, as the contract of sales publishes it."""

    is_sale: bool
    invoice: str
    stock_code: str
    date: dt.date
    amount: Decimal
    customer: str


def lines_of(days: list[Path]) -> Iterator[Line]:
    """Return the distinct sale and return lines of the files. No code of the lake takes part."""
    seen = set()
    for path in days:
        with path.open(newline="", encoding="utf-8") as text:
            for row in csv.DictReader(text):
                values = {name: value.strip() for name, value in row.items()}
                values["StockCode"] = values["StockCode"].upper()
                values["CustomerID"] = values["CustomerID"].removesuffix(".0")
                if (record := tuple(values.values())) in seen:
                    continue
                seen.add(record)
                quantity, price = int(values["Quantity"]), Decimal(values["UnitPrice"])
                is_return = values["InvoiceNo"].startswith("C")
                is_sale = (
                    bool(re.fullmatch("[0-9]{6}", values["InvoiceNo"]))
                    and bool(re.fullmatch("[0-9]{5}[A-Z]{0,2}", values["StockCode"]))
                    and quantity > 0
                    and price > 0
                )
                if is_sale or is_return:
                    date = dt.date.fromisoformat(values["InvoiceDate"][:10])
                    yield Line(
                        is_sale, values["InvoiceNo"], values["StockCode"], date, quantity * price, values["CustomerID"]
                    )


@pytest.fixture(scope="module")
def lines(some_days: list[Path]) -> list[Line]:
    return list(lines_of(some_days))


@pytest.fixture(scope="module")
def gold(some_lake: Lake, once: Once) -> dict[str, list[dict[str, Any]]]:
    """The rows of each model, built over a copy of the lake."""
    return once(_gold, some_lake.settings.root)


def _gold(folder: Path, real: str) -> dict[str, list[dict[str, Any]]]:
    lake = copied(lake_at(real), folder / "lake")
    lake = Lake(lake.store, lake.settings, registry_of("lakehouse_assets.defs"))
    for name in MODELS:
        build(lake, [lake.registry.models[name]])
    return {name: stored(lake, name) for name in MODELS}


def months_between(first: dt.date, last: dt.date) -> int:
    return (last.year - first.year) * 12 + last.month - first.month


def fifths(values: list[Any]) -> list[Any]:
    """Return the values at which the first, the second, the third and the fourth fifth of some values end."""
    ranked = sorted(values)
    return [ranked[-(-len(ranked) * part // 5) - 1] for part in (1, 2, 3, 4)]


def test_every_customer_has_the_figures_of_the_files(lines: list[Line], gold: dict[str, list[dict[str, Any]]]) -> None:
    known = [line for line in lines if line.customer]
    invoices, dates, monetary, value = defaultdict(set), defaultdict(set), Counter(), Counter()  # type: ignore[var-annotated]
    for line in known:
        value[line.customer] += line.amount  # type: ignore[assignment]
        if line.is_sale:
            invoices[line.customer].add(line.invoice)
            dates[line.customer].add(line.date)
            monetary[line.customer] += line.amount  # type: ignore[assignment]
    as_of = max(line.date for line in lines) + dt.timedelta(days=1)
    recency = {customer: (as_of - max(found)).days for customer, found in dates.items()}
    gaps = {c: (max(d) - min(d)).days / (len(d) - 1) for c, d in dates.items() if len(d) > 1}
    limits = [fifths(list(found.values())) for found in (recency, {c: len(i) for c, i in invoices.items()}, monetary)]
    usual = sorted(gaps.values())[(len(gaps) + 1) // 2 - 1]

    found = {row["customer_id"]: row for row in gold["customer_insights"]}

    assert found.keys() == invoices.keys()
    for customer, row in found.items():
        r, f, m = recency[customer], len(invoices[customer]), monetary[customer]
        assert (row["recency_days"], row["frequency"], row["monetary"]) == (r, f, m)
        assert row["lifetime_value"] == value[customer]
        assert (row["first_purchase"], row["last_purchase"]) == (min(dates[customer]), max(dates[customer]))
        assert row["days_between_orders"] == gaps.get(customer)
        score_r = 5 - sum(r > limit for limit in limits[0])
        score_f, score_m = (1 + sum(v > limit for limit in some) for v, some in zip((f, m), limits[1:], strict=True))
        assert (row["recency_score"], row["frequency_score"], row["monetary_score"]) == (score_r, score_f, score_m)
        overdue = r / gaps.get(customer, usual)
        assert row["churn_risk"] == ("low" if overdue <= 1 else "medium" if overdue <= 2 else "high")


def test_every_cohort_has_the_figures_of_the_files(lines: list[Line], gold: dict[str, list[dict[str, Any]]]) -> None:
    months = defaultdict(set)
    for line in lines:
        if line.customer and line.is_sale:
            months[line.customer].add(line.date.replace(day=1))
    sizes = Counter(min(found) for found in months.values())
    active = Counter((min(found), months_between(min(found), month)) for found in months.values() for month in found)
    last = max(line.date for line in lines)

    expected = {
        (cohort, since): (size, active[cohort, since])
        for cohort, size in sizes.items()
        for since in range(months_between(cohort, last) + 1)
    }
    rows = gold["cohort_retention"]
    assert {(r["cohort"], r["months_since"]): (r["customers"], r["active"]) for r in rows} == expected
    assert all(row["retention"] == row["active"] / row["customers"] for row in rows)


def test_every_pair_has_the_figures_of_the_files(lines: list[Line], gold: dict[str, list[dict[str, Any]]]) -> None:
    baskets = defaultdict(set)
    for line in lines:
        if line.is_sale:
            baskets[line.date, line.invoice].add(line.stock_code)
    single = Counter(code for basket in baskets.values() for code in basket)
    frequent = {code for code, count in single.items() if count >= len(baskets) * 0.01}
    pairs: Counter[tuple[str, str]] = Counter()
    for basket in baskets.values():
        pairs.update(itertools.combinations(sorted(basket & frequent), 2))
    expected = {pair: count for pair, count in pairs.items() if count >= len(baskets) * 0.01}

    found = {(row["stock_code"], row["other_stock_code"]): row for row in gold["basket_pairs"]}

    assert {pair: row["baskets"] for pair, row in found.items()} == expected
    for (one, other), row in found.items():
        both = expected[one, other]
        assert row["support"] == pytest.approx(both / len(baskets))
        assert row["confidence"] == pytest.approx(both / single[one])
        assert row["other_confidence"] == pytest.approx(both / single[other])
        assert row["lift"] == pytest.approx(both * len(baskets) / single[one] / single[other])
