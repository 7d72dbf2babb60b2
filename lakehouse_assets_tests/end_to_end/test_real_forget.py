"""A customer of the real days is forgotten: exactly their share goes, for good. `FAULTS=all`: of all 305 days."""

import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.query import sql as answers
from lakehouse_assets.query.tables import frames
from lakehouse_assets_tests.conftest import Cli
from lakehouse_assets_tests.end_to_end.comparing import assert_same, tables
from lakehouse_assets_tests.erasure.traces import decoded, objects_of
from lakehouse_assets_tests.retail import land

pytestmark = pytest.mark.slow
CUSTOMER = "17850"
# Not a part of a hash, of an amount or of a time.
WORD = re.compile(rf"(?<![\w.-]){CUSTOMER}(\.0)?(?![\w.-])")
TOTALS = """
    SELECT sum(sales), sum(returns), sum(adjustments), sum(net), sum(units)::BIGINT, sum(lines)::BIGINT
    FROM gold.daily_sales
"""
ACCOUNTS = (
    "SELECT sum(landed), sum(valid), sum(quarantined), sum(duplicates), sum(erased), sum(published) FROM ops.accounting"
)


def traces(lake: Lake) -> list[str]:
    """Return the objects in which the customer's number stands as a word of its own."""
    return [
        path
        for path, data in objects_of(lake)
        # The digits are found in a moment, the word takes a look at each place.
        if any(CUSTOMER in text and WORD.search(text) for text in decoded(data))
    ]


def lines(lake: Lake) -> pl.DataFrame:
    """Return every published line but for this customer's."""
    rows = frames(lake)["silver.sales"].filter(pl.col("customer_id").ne_missing(CUSTOMER))
    return rows.sort("_source_key", "_line").collect()


def test_a_real_customer_is_forgotten_and_exactly_their_share_goes(
    some_lake: Lake, some_days: list[Path], copy_of: Callable[[Lake], Lake], cli: Cli
) -> None:
    lake = copy_of(some_lake)
    assert cli(lake, "run").returncode == 0
    landed_before, kept = answers.run(lake, TOTALS).rows[0], lines(lake)
    [accounts] = answers.run(lake, ACCOUNTS).rows

    done = cli(lake, "forget", "sales", f"customer_id={CUSTOMER}")

    assert done.returncode == 0, done.stdout + done.stderr
    assert lines(lake).equals(kept)
    share = (Decimal("5391.2100"), Decimal("-87.7300"), Decimal(0), Decimal("5303.4800"), 1733, 297)
    found = answers.run(lake, TOTALS).rows[0]
    assert tuple(a - b for a, b in zip(landed_before, found, strict=True)) == share
    changed = (0, -309, 0, -3, 312, -309)
    assert answers.run(lake, ACCOUNTS).rows == [tuple(a + b for a, b in zip(accounts, changed, strict=True))]

    after = tables(lake)
    for path in some_days:
        land(lake, path.name, path.read_bytes())
    force = cli(lake, "run")

    assert force.returncode == 0, force.stdout + force.stderr
    assert_same(lake, after)
    assert traces(lake) == []
    verified = cli(lake, "verify")
    assert (verified.returncode, verified.stdout.strip()) == (0, "disagreements: none")
