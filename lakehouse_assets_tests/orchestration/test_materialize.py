"""What a person materializes in the UI: a range, one date, a snapshot, with exact events per date."""

from typing import Any

import dagster as dg
import pytest
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
)

from lakehouse_assets_tests import retail
from lakehouse_assets_tests.orchestration.daemon import Daemon
from lakehouse_assets_tests.orchestration.watched import DATES, events_of, rows
from lakehouse_assets_tests.retail import day, line, sales_csv

pytestmark = pytest.mark.slow


def materialize(daemon: Daemon, start: str, end: str, *tables: str) -> Any:
    """Run what "Materialize" of a range in the UI launches: one run with the range in its tags."""
    return daemon.definitions.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=daemon.instance,
        tags={ASSET_PARTITION_RANGE_START_TAG: start, ASSET_PARTITION_RANGE_END_TAG: end},
        asset_selection=[dg.AssetKey(table.split("/")) for table in tables],
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        raise_on_error=False,
    )


def test_a_range_from_the_ui_is_computed_again_with_events_per_date(daemon: Daemon) -> None:
    for date in DATES:
        retail.land(daemon.lake, f"{date}.csv", sales_csv(3, date))
    daemon.settle()

    silver_run = materialize(daemon, "2011-02-01", "2011-12-31", "silver/sales")
    gold_run = materialize(daemon, "2010-12-01", "2011-03-31", "gold/daily_sales")

    assert silver_run.success
    assert gold_run.success
    events = events_of(daemon, [silver_run])
    assert events.materialized == {"silver/sales": [DATES[1], DATES[2]]}
    assert events.gates == {DATES[1]: [True], DATES[2]: [True]}
    assert events_of(daemon, [gold_run]).materialized == {"gold/daily_sales": [DATES[0], DATES[1]]}
    assert set(events_of(daemon, daemon.settle()).materialized) <= {"catalog/duckdb"}
    assert rows(daemon.lake) == dict.fromkeys(DATES, 3)


def test_a_range_from_the_ui_with_a_held_date_publishes_the_others(daemon: Daemon) -> None:
    bad = [*day(DATES[1], 3), line(InvoiceDate=f"{DATES[1]} 09:00:00", Quantity="1.5")]
    for date in (DATES[0], DATES[2]):
        retail.land(daemon.lake, f"{date}.csv", sales_csv(3, date))
    retail.land(daemon.lake, "bad.csv", sales_csv(bad))
    daemon.settle("landing_sensor")

    run = materialize(daemon, DATES[0], DATES[2], "silver/sales", "gold/daily_sales")

    assert not run.success
    events = events_of(daemon, [run])
    quarantined = {"quarantine/sales": [DATES[1]], "quarantine/sales_by_rule": [DATES[1]]}
    assert events.materialized == {"silver/sales": [DATES[0], DATES[2]]} | quarantined
    assert events.gates == {DATES[0]: [True], DATES[1]: [False], DATES[2]: [True]}
    daemon.settle()
    assert rows(daemon.lake) == {DATES[0]: 3, DATES[2]: 3}


def test_one_date_and_a_snapshot_from_the_ui_are_computed_again(daemon: Daemon) -> None:
    for date in DATES:
        retail.land(daemon.lake, f"{date}.csv", sales_csv(3, date))
    daemon.settle()

    job = daemon.definitions.resolve_implicit_global_asset_job_def()
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    one = job.execute_in_process(
        instance=daemon.instance,
        partition_key=DATES[1],
        asset_selection=[dg.AssetKey(["silver", "sales"])],
        run_config=quiet,
    )
    snapshot = job.execute_in_process(
        instance=daemon.instance, asset_selection=[dg.AssetKey(["gold", "product_performance"])], run_config=quiet
    )

    assert events_of(daemon, [one]).materialized == {"silver/sales": [DATES[1]]}
    assert events_of(daemon, [snapshot]).materialized == {"gold/product_performance": [None]}
