"""What a Dagster run says of the Spark jobs that it starts."""

from collections.abc import Iterator
from dataclasses import replace

import dagster as dg
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.orchestration.spark_jobs import starter
from lakehouse_assets.pipeline.gold import ModelError, build
from lakehouse_assets.pipeline.pending import ModelState
from lakehouse_assets_tests.engines.spark_lake import needs_spark, on
from lakehouse_assets_tests.pipeline.totals import GOOD, totals
from lakehouse_assets_tests.retail import DAY, day, ingest, land, publish, sales_csv

pytestmark = [needs_spark, pytest.mark.slow(covered=True)]


def _logged(lake: Lake, sql: str) -> tuple[list[str], BaseException | None]:
    """Build `gold.totals` on Sail within a run; return what its log says, and what it ended with."""
    land(lake, "x.csv", sales_csv(day(DAY)))
    ingest(lake)
    publish(lake)
    lake = replace(lake, settings=lake.settings.model_copy(update=on("sail")))
    lake, model = totals(lake, sql, engine="spark")
    raised: list[BaseException] = []

    @dg.asset
    def gold(context: dg.AssetExecutionContext) -> Iterator[dg.Output[None]]:
        try:
            list(build(lake, model, [DAY], start=starter(context)))
        except ModelError as error:
            raised.append(error)
        yield dg.Output(None)

    with dg.instance_for_test() as instance:
        run = dg.materialize([gold], instance=instance)
        assert run.success
        log = [entry.user_message for entry in instance.all_logs(run.run_id) if entry.user_message]
    assert ModelState.read(lake, model).pending == ([DAY] if raised else [])
    return log, raised[0] if raised else None


def test_the_log_of_the_run_has_files_rows_and_seconds(lake: Lake) -> None:
    log, error = _logged(lake, GOOD)
    assert error is None
    assert "gold.totals: reads 1 tables, 1 files" in log
    assert any(line.startswith("gold.totals: rows: 1, seconds: ") for line in log)


def test_the_log_of_a_run_that_fails_says_why_and_quotes_no_value(lake: Lake) -> None:
    log, error = _logged(lake, GOOD.replace("sum(quantity)", "sum(quantity * 9223372036854775807)"))
    assert "a value cannot be computed by Spark" in str(error)
    assert any("a value cannot be computed by Spark" in line for line in log)
    assert "9223372036854775807" not in f"{log}{error}"
