"""A failure is told per table: which one, how often on the same inputs, when, why, and what to do."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import dagster as dg
import dataframely as dy
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Model
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.orchestration.failures import attempts, of_pending_work
from lakehouse_assets.orchestration.instance import opened
from lakehouse_assets.orchestration.location import definitions
from lakehouse_assets.orchestration.pending_runs import REFRESH, digest_of, refresh_job, table_work
from lakehouse_assets.orchestration.runner import run_pending
from lakehouse_assets_tests.contracts.orders import orders
from lakehouse_assets_tests.retail import land

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::dagster.BetaWarning")]


class Totals(dy.Schema):
    ordered_on = dy.Date(primary_key=True)
    total = dy.Int64(nullable=False, max=100)


def _lake(lake: Lake, **queries: str) -> Lake:
    """Return the lake with a feed of orders and one model per query, all of one wave."""
    models = []
    for name, text in queries.items():
        sql = Path(f"{lake.store.root}-{name}.sql")
        sql.write_text(f"SELECT dt AS ordered_on, {text} AS total FROM silver.orders GROUP BY dt")  # noqa: S608
        models.append(Model(name, Totals, "Totals.", "team:x", sql, date="ordered_on"))
    return replace(lake, registry=Registry([orders()], models))


Run = Callable[[Lake], None]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """What `lakehouse run` does, on a lake with declarations of its own, and with the lake's Dagster instance."""

    def run_all(lake: Lake) -> None:
        monkeypatch.setattr("lakehouse_assets.context.registry", lambda *_: lake.registry)
        monkeypatch.setattr("lakehouse_assets.orchestration.location.declared", lambda *_, **__: [refresh_job])
        with opened(lake.settings) as instance:
            run_pending(lake, definitions(lake).resolve_job_def(REFRESH), instance)

    return run_all


def _land(lake: Lake, key: str, *lines: str) -> None:
    land(lake, key, "\n".join(["Number,Code,Units,At,Price", *lines, ""]).encode(), "orders")


def test_a_failed_table_is_told_although_another_one_of_its_run_succeeded(lake: Lake, run: Run) -> None:
    lake = _lake(lake, good="count(*)", bad="count(no_such_column)")
    _land(lake, "x.csv", "1,a,2,01/03/2011,1.50")
    run(lake)
    [line] = of_pending_work(lake)
    assert line.startswith("gold.bad: failed once on these inputs, last 20")
    assert 'Referenced column "no_such_column" not found' in line
    assert line.endswith("the last good version of gold.bad stands. Mend the cause, then `lakehouse run`.")
    assert "\n" not in line
    for _ in range(2):
        run(lake)
    [line] = of_pending_work(lake)
    assert line.startswith("gold.bad: failed 3 times on these inputs")
    run(_lake(lake, good="count(*)", bad="count(*)"))
    assert of_pending_work(_lake(lake, good="count(*)", bad="count(*)")) == []


def test_a_broken_rule_is_told_and_a_held_date_beside_it_is_no_failure(lake: Lake, run: Run) -> None:
    lake = _lake(lake, large="1000")
    _land(lake, "x.csv", "1,a,2,01/03/2011,1.50", "2,a,x,02/03/2011,1.50")
    run(lake)
    [line] = of_pending_work(lake)
    assert line.startswith("gold.large: failed once on these inputs")
    assert "break the rule 'total_max'" in line


def test_the_first_line_of_a_failed_step_and_the_checks_say_which_dates_they_speak_of(lake: Lake, run: Run) -> None:
    lake = _lake(lake, large="1000")
    _land(lake, "x.csv", "1,a,2,01/03/2011,1.50", "2,a,x,02/03/2011,1.50")
    run(lake)
    with opened(lake.settings) as instance:
        entries = [entry.dagster_event for run in instance.get_runs() for entry in instance.all_logs(run.run_id)]
    events = [event for event in entries if event is not None]
    said = {event.step_key: event.step_failure_data.user_failure_data for event in events if event.is_step_failure}
    first = {step: str(failure.description).splitlines()[0] for step, failure in said.items() if failure}
    assert first["silver__orders"].startswith(
        "2011-03-02: quality score 0.0000 is below the gate 0.9000 (1 of 1 records"
    )
    assert "`lakehouse quarantine list --feed orders --date 2011-03-02` lists them" in first["silver__orders"]
    assert "break the rule 'total_max'" in first["gold__large"]
    checks = [
        event.asset_check_evaluation_data
        for event in events
        if event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION
    ]
    which = "the 2 partitions of this run, 2011-03-01 to 2011-03-02"
    told = {check.check_name: check.description for check in checks if check.asset_key.path[0] == "silver"}
    assert told["units_readable"] == f"{which}: 1 in quarantine for it"
    assert told["number_required"] == f"{which}: no record breaks it"


def test_a_table_that_failed_is_left_out_and_its_wave_goes_on(lake: Lake, run: Run) -> None:
    lake = _lake(lake, good="count(*)", bad="count(no_such_column)")
    _land(lake, "x.csv", "1,a,2,01/03/2011,1.50")
    run(lake)
    with opened(lake.settings) as instance:
        [work] = [work for work in table_work(lake) if "gold/bad" in work.tables]
        assert list(work.tables) == ["gold/bad"]
        [failed] = attempts(instance, "gold/bad", digest_of(work.tables["gold/bad"]))
        assert failed.dagster_run.status is dg.DagsterRunStatus.FAILURE
        assert list(work.without({"gold/bad"}).tables) == []
