"""Log lines of runs as JSON: what a collector finds in them, and that they are absent unless the setting says so."""

import json
from typing import Any

import dagster as dg
import pytest

from lakehouse_assets.orchestration.json_log import loggers_of, logging_config
from lakehouse_assets.settings import Settings

_JSON = Settings(log_format="json")


@dg.asset(check_specs=[dg.AssetCheckSpec("sound", asset="orders")])
def orders(context: dg.AssetExecutionContext) -> Any:
    context.log.info("three records")
    context.log.debug("not of note")
    context.log_event(dg.AssetMaterialization(["bronze", "orders"], partition="2011-03-01"))
    yield dg.AssetCheckResult(passed=False, check_name="sound", severity=dg.AssetCheckSeverity.WARN, description="odd")
    yield dg.MaterializeResult()
    raise dg.Failure("the disk is full")


def _lines(settings: Settings, capfd: pytest.CaptureFixture[str]) -> list[str]:
    job = dg.define_asset_job("refresh", [orders])
    definitions = dg.Definitions(assets=[orders], jobs=[job], loggers=loggers_of(settings))
    with dg.DagsterInstance.ephemeral() as instance:
        definitions.resolve_job_def("refresh").execute_in_process(
            instance=instance, run_config=logging_config(settings), raise_on_error=False
        )
    return capfd.readouterr().err.splitlines()


def test_each_line_is_an_object_that_names_run_asset_and_date(capfd: pytest.CaptureFixture[str]) -> None:
    found = [json.loads(line) for line in _lines(_JSON, capfd)]
    assert len({line["run_id"] for line in found}) == 1
    events = [line.get("event") for line in found]
    assert events[:2] == ["RUN_START", "STEP_START"]
    assert events[-2:] == ["STEP_FAILURE", "RUN_FAILURE"]
    [said] = [line for line in found if line["message"] == "three records"]
    assert (said["level"], said["asset"]) == ("INFO", "orders")
    [made] = [line for line in found if line.get("date")]
    assert (made["asset"], made["date"], made["event"]) == ("bronze.orders", "2011-03-01", "ASSET_MATERIALIZATION")
    [check] = [line for line in found if line.get("check")]
    assert (check["level"], check["asset"], check["check"], check["message"]) == ("WARNING", "orders", "sound", "odd")
    assert [line["error"] for line in found if line.get("error")] == ["the disk is full"]
    assert not any("not of note" in line["message"] for line in found)


def test_without_the_setting_dagster_logs_as_always(capfd: pytest.CaptureFixture[str]) -> None:
    assert (loggers_of(Settings()), logging_config(Settings())) == ({}, {})
    assert any(" - RUN_START - " in line for line in _lines(Settings(), capfd))
