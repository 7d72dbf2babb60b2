"""docs/gold.ipynb runs on a lake, gives the figures that are in it, and is kept without outputs.

Its cells are run here as Python, one after the other, without Jupyter: they hold nothing else.
"""

import ast
import json
from typing import Any

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.lake_settings import PROJECT
from lakehouse_assets.settings import settings
from lakehouse_assets_tests.retail import land, line, run, sales_csv

NOTEBOOK = json.loads((PROJECT / "docs" / "gold.ipynb").read_text(encoding="utf-8"))
CODE = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]


def _shown(source: str, names: dict[str, Any]) -> Any:
    """Run a cell; return the value of its last line, as Jupyter would show it."""
    *lines, last = ast.parse(source).body
    before = lines if isinstance(last, ast.Expr) else [*lines, last]
    exec(compile(ast.Module(before, []), "cell", "exec"), names)  # noqa: S102
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names) if isinstance(last, ast.Expr) else None  # noqa: S307


def test_it_is_kept_without_outputs() -> None:
    assert (NOTEBOOK["nbformat"], NOTEBOOK["nbformat_minor"]) == (4, 5)
    assert [cell["id"] for cell in CODE if cell["outputs"] or cell["execution_count"] is not None] == []


@pytest.mark.slow(covered=True)
@pytest.mark.usefixtures("every_table")
def test_its_figures_are_those_of_the_lake(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    sold = [
        line(),
        line(CustomerID="12346", StockCode="22423", Quantity="2", UnitPrice="10"),
        line(InvoiceDate="2011-04-05 08:00:00", InvoiceNo="536367"),
        line(InvoiceDate="2011-04-05 09:00:00", InvoiceNo="C536368", Quantity="-1"),
    ]
    land(lake, "x.csv", sales_csv(sold))
    run(lake)
    monkeypatch.setenv("LAKEHOUSE_ROOT", lake.settings.root)
    settings.cache_clear()
    names: dict[str, Any] = {}
    shown = {cell["id"]: _shown("".join(cell["source"]), names) for cell in CODE}
    assert shown["net"] == "48.05 GBP in 2 months"  # 15.30 + 20 + 15.30 - 2.55
    assert shown["products"] == "100.0% of the sales of 2 products"
    assert shown["customers"] == "50.0% of 2 customers"
    charts = [shown[name].to_dict() for name in ("net-chart", "products-chart", "customers-chart")]
    assert [len(rows) for chart in charts for rows in chart["datasets"].values()] == [2, 2, 1]
