"""What docs/on-call.md says of a disaster: from landing, decisions and erasures, the rest is computed again."""

import shutil
from pathlib import Path

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets_tests.conftest import Cli
from lakehouse_assets_tests.retail import DAY, day, land, line, sales_csv, zipped

pytestmark = pytest.mark.slow

NEXT, PERSON = "2011-03-02", "98765"
KEPT = ("landing", "decisions", "erasures")
FIGURES = (
    "FROM gold.daily_sales ORDER BY ALL",
    "FROM gold.daily_metrics ORDER BY ALL",
    "FROM gold.product_performance ORDER BY ALL",
    "FROM gold.quarantine_by_rule ORDER BY ALL",
    "FROM silver.sales ORDER BY ALL",
    "SELECT part, sum(landed), sum(valid), sum(quarantined), sum(erased) FROM ops.accounting GROUP BY ALL ORDER BY ALL",
)


def _figures(lake: Lake, cli: Cli) -> list[str]:
    answers = [cli(lake, "query", sql, "--format", "csv") for sql in FIGURES]
    assert [answer.returncode for answer in answers] == [0] * len(FIGURES)
    return [answer.stdout for answer in answers]


def _done(lake: Lake, cli: Cli, *arguments: str) -> None:
    done = cli(lake, *arguments)
    assert done.returncode == 0, (arguments, done.stdout, done.stderr)


def test_a_lake_is_computed_again_from_landing_decisions_and_erasures(lake: Lake, cli: Cli) -> None:
    spoilt = [line(InvoiceDate=f"{NEXT} 10:00:00", Quantity="six")]
    person = [line(InvoiceNo="540031", CustomerID=f"{PERSON}.0", Quantity="500")]
    land(lake, "day.csv", sales_csv([*day(DAY, 60), line(Quantity="?"), *person]))
    land(lake, "drop.zip", zipped({"next.csv": sales_csv([*day(NEXT, 8), *spoilt, *person])}))
    land(lake, "copy.csv", sales_csv(2, "2011-03-03"))
    land(lake, "other.csv", sales_csv(2, "2011-03-03"))
    assert cli(lake, "run").returncode == 1  # the second date is held
    _done(lake, cli, "quarantine", "correct", "sales", "day.csv", "61", "--set", "Quantity=600", "--why", "the till")
    _done(lake, cli, "release", "sales", NEXT, "--why", "checked")
    _done(lake, cli, "run")
    _done(lake, cli, "forget", "sales", f"customer_id={PERSON}", "--why", "asked for")
    _done(lake, cli, "run")
    before = _figures(lake, cli)
    assert NEXT in before[0]
    for folder in Path(lake.settings.root).iterdir():
        if folder.name not in KEPT:
            shutil.rmtree(folder) if folder.is_dir() else folder.unlink()

    _done(lake, cli, "run")
    assert _figures(lake, cli) == before
    _done(lake, cli, "verify", "--deep")
