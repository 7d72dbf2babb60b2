"""The same decisions as a Dagster job: a dry run unless told otherwise, one clear failure, nothing recorded then."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.defs.automation.decisions import decision
from lakehouse_assets.orchestration.resources import LakeResource
from lakehouse_assets.settings import settings
from lakehouse_assets_tests.decisions.manifests import live, promise
from lakehouse_assets_tests.decisions.person import (
    NEXT,
    ask,
    bad_day,
    bad_line,
    held,
    landed,
    quantities,
    quarantined,
    restore,
    settle,
    states,
)
from lakehouse_assets_tests.retail import DAY, day, land, line, sales_csv

pytestmark = pytest.mark.slow
BAD, ODD = 61, 62
CORRECT = {"verb": "correct", "source_key": "day.csv", "line": BAD, "values": {"Quantity": "600", "Description": ""}}


@pytest.fixture
def lake(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    """A lake with something to decide in each way."""
    promise(lake, "held.csv.manifest.json", rows=99)
    land(lake, "held.csv", sales_csv(1, "2011-03-04"))
    bad_next = sales_csv([*day(NEXT, 8), line(InvoiceDate=f"{NEXT} 10:00:00", Quantity="six")])
    landed(lake, [("day.csv", bad_day(bad_line(), line(InvoiceNo="GIFT1", Quantity="500"))), ("next.csv", bad_next)])
    monkeypatch.setenv("LAKEHOUSE_ROOT", lake.settings.root)
    settings.cache_clear()
    yield lake
    settings.cache_clear()


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def decide(lake: Lake, instance: dg.DagsterInstance, **config: Any) -> dg.ExecuteInProcessResult:
    return decision.execute_in_process(
        run_config={"ops": {"decide": {"config": {"feed": "sales", "why": "checked", "who": "bea"} | config}}},
        resources={"lakehouse": LakeResource(root=lake.settings.root)},
        instance=instance,
        raise_on_error=False,
    )


def told(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    """Return what the run shows of the decision."""
    assert result.success
    [output] = [e.step_output_data for e in result.all_events if e.is_successful_output]
    return {name: value.value for name, value in output.metadata.items()}


def failure(result: dg.ExecuteInProcessResult) -> str:
    """Return the one line that a failed run gives as its reason."""
    assert not result.success
    [event] = [e for e in result.all_events if e.is_step_failure]
    data = event.step_failure_data.user_failure_data
    assert data is not None
    assert data.description is not None
    assert "\n" not in data.description
    return data.description


def test_a_run_is_dry_unless_told_otherwise(lake: Lake, instance: dg.DagsterInstance) -> None:
    result = told(decide(lake, instance, **CORRECT))
    assert result["recorded"] is False
    assert f"{DAY}: published, 61 valid, 1 quarantined." in result["would become"]
    assert (states(lake), settle(lake)) == ({}, {})


def test_a_correction_by_a_run_is_recorded_and_takes_effect(lake: Lake, instance: dg.DagsterInstance) -> None:
    result = told(decide(lake, instance, **CORRECT, dry_run=False))
    assert result["recorded"] is True
    assert f"{DAY}: published, 61 valid, 1 quarantined." in result["will become"]
    assert ask(lake, "SELECT id, who, why FROM ops.decisions") == [(result["decision"], "bea", "checked")]
    settle(lake)
    assert ask(lake, "SELECT quantity, description FROM silver.sales WHERE quantity = 600") == [(600, None)]


def test_every_verb_can_be_run(lake: Lake, instance: dg.DagsterInstance) -> None:
    rules = ["invoice_no_regex"]
    told(decide(lake, instance, verb="waive", source_key="day.csv", line=ODD, rules=rules, dry_run=False))
    discarded = told(decide(lake, instance, verb="discard", source_key="day.csv", line=BAD, dry_run=False))
    told(decide(lake, instance, verb="release", partition=NEXT, dry_run=False))
    told(decide(lake, instance, verb="accept", source_key="held.csv", dry_run=False))
    settle(lake)
    assert set(quarantined(lake)) == {("next.csv", 9)}
    assert (quantities(lake)[-1], held(lake), live(lake)["held.csv"]) == (500, [], 1)
    told(decide(lake, instance, verb="revoke", decision=discarded["decision"], dry_run=False))
    settle(lake)
    assert ("day.csv", BAD) in quarantined(lake)


def test_a_pin_of_a_gold_table_can_be_revoked_by_a_run(lake: Lake, instance: dg.DagsterInstance) -> None:
    settle(lake, gold=True)
    pinned = restore(lake, "gold.daily_sales", 0)
    about = {"feed": "gold.daily_sales", "decision": pinned.id}
    told(decide(lake, instance, verb="revoke", **about, dry_run=False))
    assert states(lake)[pinned.id] == "revoked"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"verb": "forgive"}, "is no decision; it is one of correct, waive, discard, release, accept, retract or rev"),
        ({"verb": "discard", "feed": "nonsense"}, "there is no feed 'nonsense'"),
        ({"verb": "discard", "source_key": "no.csv", "line": 1}, "no live source object 'no.csv'"),
        ({"verb": "discard", "source_key": "day.csv"}, "'day.csv' has no record 0"),
        ({"verb": "discard", "source_key": "day.csv", "line": BAD, "why": " "}, "a decision needs a reason"),
        ({"verb": "correct", "source_key": "day.csv", "line": BAD}, "no field is given"),
        ({"verb": "waive", "source_key": "day.csv", "line": BAD}, "no rule is named"),
        (
            {"verb": "waive", "source_key": "day.csv", "line": BAD, "rules": ["quantity_readable"]},
            "'quantity_readable' cannot be waived",
        ),
        ({"verb": "release", "partition": DAY}, f"{DAY} of sales is not held"),
        ({"verb": "accept", "source_key": "day.csv"}, "'day.csv' of sales is not held"),
        ({"verb": "revoke", "decision": "nonsense"}, "sales has no active decision 'nonsense'"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_what_cannot_be_decided_fails_the_run_in_one_line_and_records_nothing(
    lake: Lake, instance: dg.DagsterInstance, config: dict[str, Any], message: str
) -> None:
    assert message in failure(decide(lake, instance, **config, dry_run=False))
    assert states(lake) == {}


def test_a_run_of_a_wrong_decision_is_not_tried_again(lake: Lake, instance: dg.DagsterInstance) -> None:
    result = decide(lake, instance, verb="forgive", dry_run=False)
    [event] = [e for e in result.all_events if e.is_step_failure]
    assert event.step_failure_data.user_failure_data is not None
    assert event.step_failure_data.error is not None
    assert [e for e in result.all_events if e.event_type == dg.DagsterEventType.STEP_UP_FOR_RETRY] == []


def test_the_job_is_in_the_code_location_with_the_lake_bound_to_it(lake: Lake, tmp_path: Path) -> None:
    script = (
        "import dagster as dg\n"
        "from lakehouse_assets.definitions import defs\n"
        "job = defs.resolve_job_def('decision')\n"
        "config = {'verb': 'discard', 'feed': 'sales', 'why': 'w', 'who': 'bea', 'source_key': 'day.csv', 'line': 61,"
        " 'dry_run': False}\n"
        "with dg.instance_for_test() as instance:\n"
        "    assert job.execute_in_process(run_config={'ops': {'decide': {'config': config}}},"
        " instance=instance).success\n"
    )
    environment = os.environ | {"LAKEHOUSE_ROOT": lake.settings.root, "DAGSTER_HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True, capture_output=True, timeout=120)
    assert list(states(lake).values()) == ["active"]
    settle(lake)
    assert ("day.csv", BAD) not in quarantined(lake)


def test_a_landed_object_is_retracted(lake: Lake, instance: dg.DagsterInstance) -> None:
    retract = {"verb": "retract", "source_key": "day.csv"}
    said = told(decide(lake, instance, **retract))
    assert not said["recorded"]
    assert DAY in said["would become"]
    assert ask(lake, "SELECT * FROM ops.decisions") == []
    told(decide(lake, instance, **retract, dry_run=False))
    settle(lake)
    assert quantities(lake) == []
