"""`lakehouse maintain` and `history` as a person meets them, the Dagster job, and both beside a real run."""

import os
import time

import dagster as dg
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.defs.automation.maintenance import maintenance, weekly_maintenance
from lakehouse_assets.maintenance.maintain import maintain
from lakehouse_assets.maintenance.policy import Policy
from lakehouse_assets.orchestration.resources import LakeResource
from lakehouse_assets.query.overview import status
from lakehouse_assets.query.verify import verify
from lakehouse_assets_tests.conftest import Cli
from lakehouse_assets_tests.forked import Forked
from lakehouse_assets_tests.maintenance import aging
from lakehouse_assets_tests.maintenance.aging import bytes_of, put
from lakehouse_assets_tests.retail import land, run, sales_csv


@pytest.mark.slow
def test_the_command_tells_what_it_does_and_a_dry_run_what_it_would_do(lake: Lake, cli: Cli) -> None:
    aging.history(lake)
    aging.age(lake, 8)
    put(lake, "silver/sales/part-of-a-killed-writer.parquet", 8)
    before = bytes_of(lake)
    planned = cli(lake, "maintain", "--dry-run")
    assert (planned.returncode, planned.stderr) == (0, "")
    head, names, _, *rows = filter(str.strip, planned.stdout.splitlines())
    assert head == "Dry run: nothing was changed. To do:"
    assert names.split() == ["table", "action", "files", "bytes"]
    assert ["silver.sales", "remove", "orphans", "1", "11"] in [row.split() for row in rows]
    assert ["silver.sales", "vacuum", "6"] in [row.split()[:3] for row in rows]
    assert bytes_of(lake) == before
    done = cli(lake, "maintain")
    assert done.returncode == 0
    assert done.stdout.splitlines() == ["Done:", *planned.stdout.splitlines()[1:]]
    assert cli(lake, "maintain").stdout == "Nothing to do: the tables are in good order.\n"


@pytest.mark.slow
def test_a_short_retention_has_to_be_told_twice(lake: Lake, cli: Cli) -> None:
    aging.history(lake)
    before = bytes_of(lake)
    refused = cli(lake, "maintain", "--retention-hours", "24")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.count("\n") == 1
    assert "below 7 days (168 hours) breaks readers" in refused.stderr
    assert bytes_of(lake) == before
    done = cli(lake, "maintain", "--retention-hours", "0", "--below-seven-days-really")
    assert done.returncode == 0
    assert "vacuum" in done.stdout


@pytest.mark.slow
def test_a_table_that_cannot_be_looked_after_makes_the_command_fail(lake: Lake, cli: Cli) -> None:
    aging.history(lake, rounds=1)
    put(lake, f"gold/daily_sales/_delta_log/{1:020}.json", 0, b"{")
    done = cli(lake, "maintain")
    assert done.returncode == 1
    assert "left alone: its Delta log cannot be read" in done.stdout


@pytest.mark.slow
def test_history_is_a_table_or_one_line_why_not(lake: Lake, cli: Cli) -> None:
    land(lake, "a.csv", sales_csv(5))
    run(lake)
    shown = cli(lake, "history", "silver.sales", "--limit", "1")
    names, _, row = filter(str.strip, shown.stdout.splitlines())
    assert names.split() == ["version", "when", "operation", "partitions", "rows", "bytes"]
    assert [row.split()[at] for at in (0, 3, 4, 5)] == ["1", "WRITE", "2011-03-01", "5"]
    for table, why in (("silver.sale", "there is no table"), ("bronze.sales", "has no versions")):
        refused = cli(lake, "history", table)
        assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (1, "", 1)
        assert why in refused.stderr


@pytest.mark.slow
def test_a_run_meanwhile_neither_fails_nor_loses_nor_doubles_a_row(lake: Lake) -> None:
    """`lakehouse run` publishes date by date while everything that can be rewritten is, again and again."""
    days = [f"2011-03-{day:02}" for day in range(1, 9)]
    aging.history(lake, rounds=1, days=days)
    for day in days:
        land(lake, f"late/{day}.csv", sales_csv(30, day))
    settings = {"LAKEHOUSE_ROOT": lake.store.root, "DAGSTER_HOME": "", "LAKEHOUSE_PUBLISH_BATCH_ROWS": "50"}
    rounds = 0
    running = Forked("run", env=os.environ | settings)
    while running.is_running:
        list(maintain(lake, Policy(small_files=0)))
        rounds += 1
        time.sleep(0.3)  # for the run to come to its next commits
    done = running.finish()
    assert done.returncode == 0, done.stdout
    assert rounds >= 3
    assert list(verify(lake)) == []
    assert status(lake).is_idle
    rows = aging.content(lake)["silver.sales"].group_by("dt").len()
    assert rows.height == len(days)
    assert rows["len"].unique().to_list() == [30]


@pytest.mark.slow
def test_the_job_does_it_and_shows_what_it_did(lake: Lake) -> None:
    aging.history(lake, rounds=2)
    aging.age(lake, 8)
    resources = {"lakehouse": LakeResource(root=lake.store.root)}
    config = {"ops": {"look_after_tables": {"config": {"dry_run": True}}}}
    before = bytes_of(lake)
    assert maintenance.execute_in_process(resources=resources, run_config=config).success
    assert bytes_of(lake) == before
    result = maintenance.execute_in_process(resources=resources)
    [output] = [event for event in result.all_events if event.is_successful_output]
    shown = output.step_output_data.metadata["actions"].value
    assert "| silver.sales | vacuum | 3 | " in str(shown)
    assert aging.data_files(lake, "silver/sales") == aging.live_files(lake, "silver/sales")


@pytest.mark.slow
def test_the_job_expires_quarantine_in_the_name_of_its_run(lake: Lake) -> None:
    aging.history(lake, rounds=1)
    resources = {"lakehouse": LakeResource(root=lake.store.root)}
    config = {"ops": {"look_after_tables": {"config": {"expire_quarantine_days": 30}}}}
    result = maintenance.execute_in_process(resources=resources, run_config=config)
    [output] = [event for event in result.all_events if event.is_successful_output]
    assert "| quarantine.sales | 3 rows expiring: dated before " in str(
        output.step_output_data.metadata["actions"].value
    )
    found = aging.content(lake)
    assert found["quarantine.sales"].height == 0
    assert found["ops.decisions"].select("kind", "who").rows() == [("expire", f"maintenance run {result.run_id}")]
    assert list(verify(lake)) == []


def test_the_job_refuses_a_short_retention_that_nobody_confirmed(lake: Lake) -> None:
    config = {"ops": {"look_after_tables": {"config": {"retention_hours": 24}}}}
    resources = {"lakehouse": LakeResource(root=lake.store.root)}
    result = maintenance.execute_in_process(resources=resources, run_config=config, raise_on_error=False)
    [failure] = [event for event in result.all_events if event.is_step_failure]
    assert "breaks readers that are under way" in str(failure.step_failure_data.user_failure_data)


def test_the_job_runs_every_week_without_being_asked() -> None:
    assert weekly_maintenance.default_status == dg.DefaultScheduleStatus.RUNNING
    assert weekly_maintenance.job_name == maintenance.name
    assert weekly_maintenance.cron_schedule == "40 4 * * 0"
