"""The setting says which sensors and schedules run where nobody has turned them on or off."""

import dagster as dg
import pytest

from lakehouse_assets.orchestration.default_status import started, unknown
from lakehouse_assets.settings import Settings


@dg.op
def nothing() -> None: ...


@dg.job
def idle() -> None:
    nothing()


@dg.asset(partitions_def=dg.DailyPartitionsDefinition("2026-01-01"))
def by_day() -> None: ...


@dg.sensor(job=idle, default_status=dg.DefaultSensorStatus.RUNNING)
def looks() -> None: ...


@dg.sensor(job=idle)
def listens() -> None: ...


@dg.schedule(job=idle, cron_schedule="0 0 * * *", default_status=dg.DefaultScheduleStatus.RUNNING)
def nightly() -> None: ...


DAYS = dg.define_asset_job("days", [by_day])
DEFINITIONS = dg.Definitions(
    assets=[by_day],
    jobs=[DAYS],
    sensors=[looks, listens],
    schedules=[nightly, dg.build_schedule_from_partitioned_job(DAYS)],
)


def running(said: str) -> set[str]:
    repository = started(DEFINITIONS, Settings(automation=said)).get_repository_def()
    sensors = {one.name for one in repository.sensor_defs if one.default_status.value == "RUNNING"}
    return sensors | {one.name for one in repository.schedule_defs if one.default_status.value == "RUNNING"}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("", {"looks", "nightly"}),
        ("none", set()),
        ("listens", {"listens"}),
        ("*schedule,l*", {"looks", "listens", "days_schedule"}),
    ],
)
def test_those_that_it_names_run_and_no_others(said: str, expected: set[str]) -> None:
    assert running(said) == expected
    assert running("") == {"looks", "nightly"}, "the declarations stay as they are"


def test_a_name_that_nothing_has_is_told() -> None:
    assert unknown(DEFINITIONS, Settings(automation="looks,hourly")) == ["hourly"]
    assert unknown(DEFINITIONS, Settings(automation="none")) == []
