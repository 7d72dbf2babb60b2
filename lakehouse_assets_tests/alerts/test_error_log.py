"""The error log: a problem is one entry, open until it is over, and a regression when it returns."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from lakehouse_assets.alerts.dynamodb import DynamoProblems
from lakehouse_assets.alerts.error_log import ErrorLog
from lakehouse_assets.alerts.facts import CHECK_FAILED, RUN_DIED, Kind, Severity
from lakehouse_assets.alerts.lake_problems import LakeProblems
from lakehouse_assets.alerts.problems import ProblemTable
from lakehouse_assets.alerts.telling import tell
from lakehouse_assets.context import Lake
from lakehouse_assets.storage.stores import StorageError
from lakehouse_assets_tests.alerts.conftest import Shop
from lakehouse_assets_tests.alerts.test_telling import Channel
from lakehouse_assets_tests.alerts.test_wording import FACT
from lakehouse_assets_tests.conftest import Cli
from lakehouse_assets_tests.retail import land, sales_csv

pytestmark = pytest.mark.filterwarnings("ignore::dagster.BetaWarning")
FAILED = replace(
    FACT, kind=Kind.RUN_FAILED, error="ModelError", about="refresh", assets=("gold.totals",), cause="bad 7"
)


@pytest.fixture(params=["in the lake", pytest.param("in DynamoDB", marks=pytest.mark.slow)])
def table(request: pytest.FixtureRequest, lake: Lake) -> ProblemTable:
    if request.param == "in the lake":
        return LakeProblems(lake.store)
    return DynamoProblems(request.getfixturevalue("errors_table"), lake.settings.root)


def _states(table: ProblemTable) -> list[tuple[str, str, int]]:
    return sorted((problem.kind, problem.state, problem.count) for problem in table.problems())


def test_a_problem_is_one_entry_until_it_is_over_and_a_regression_when_it_returns(table: ProblemTable) -> None:
    log = ErrorLog(table)
    later = FACT.at + dt.timedelta(hours=1)
    log.deliver([FACT, replace(FACT, position=8, at=later, cause="score 0.6")])
    [problem] = table.problems()
    assert (problem.state, problem.count, problem.cause) == ("open", 2, "score 0.6")
    assert (problem.first_seen, problem.last_seen) == ("2011-03-02T03:04:05+00:00", "2011-03-02T04:04:05+00:00")
    assert (problem.asset, problem.dates, problem.command) == ("silver.orders", FACT.dates, FACT.command)
    log.deliver([replace(FACT, position=9, kind=Kind.GATE_OPEN, severity=Severity.INFO, dates=("2011-03-05",))])
    assert _states(table) == [("gate_held", "open", 2)]
    log.deliver([replace(FACT, position=10, kind=Kind.GATE_OPEN, severity=Severity.INFO)])
    assert _states(table) == [("gate_held", "resolved", 2)]
    back = replace(FACT, position=11)
    log.deliver([back])
    assert _states(table) == [("gate_held", "open", 3)]
    assert [fact.is_regression for fact in log.marked([FACT, back, replace(FAILED, position=12)])] == [
        False,
        True,
        False,
    ]
    assert log.marked([back])[0].headline == "silver.orders 2011-03-01: held by the gate, again after it was resolved"


def test_to_take_in_the_same_facts_again_changes_nothing(table: ProblemTable) -> None:
    facts = [FACT, FAILED, replace(FAILED, position=8), replace(FACT, position=9, kind=Kind.GATE_OPEN)]
    log = ErrorLog(table)
    log.deliver(facts)
    once = sorted(table.problems(), key=lambda problem: problem.id)
    log.deliver(facts)
    assert sorted(table.problems(), key=lambda problem: problem.id) == once
    assert len(once) == 2


def test_failed_runs_end_with_the_next_run_of_their_asset_that_succeeds(table: ProblemTable) -> None:
    log = ErrorLog(table)
    other = replace(FAILED, position=8, assets=("gold.others",))
    log.deliver([FAILED, other, replace(FAILED, position=9, cause="bad 8")])
    assert _states(table) == [("run_failed", "open", 1), ("run_failed", "open", 2)]
    ended = replace(FAILED, position=10, kind=Kind.RUN_SUCCEEDED, error="", cause="", assets=("gold.totals", "gold.x"))
    log.deliver([ended])
    assert [p.state for p in table.problems("gold.totals")] == ["resolved"]
    assert [p.state for p in table.problems("gold.others")] == ["open"]


def test_a_run_that_died_ends_with_the_next_run_of_its_job_that_succeeds(table: ProblemTable) -> None:
    log = ErrorLog(table)
    died = replace(FAILED, error=RUN_DIED, cause="The process is dead.", assets=("landing.sales", "landing.products"))
    log.deliver([died])
    assert [(p.asset, p.state) for p in table.problems()] == [("refresh", "open")]
    other = replace(died, position=8, kind=Kind.RUN_SUCCEEDED, error="", cause="", about="forecast", assets=())
    log.deliver([other])
    assert _states(table) == [("run_failed", "open", 1)]
    log.deliver([replace(other, position=9, about="refresh", assets=("gold.totals",))])
    assert _states(table) == [("run_failed", "resolved", 1)]


def test_what_is_no_error_is_not_kept(table: ProblemTable) -> None:
    rule = replace(FACT, kind=Kind.CHECK_FAILED, about="units_readable", severity=Severity.WARNING)
    started = replace(FACT, kind=Kind.RUN_STARTED, severity=Severity.INFO)
    ErrorLog(table).deliver([rule, started, replace(FAILED, error=CHECK_FAILED), replace(FACT, kind=Kind.GATE_OPEN)])
    assert _states(table) == []


def test_a_person_resolves_an_error_by_its_id(table: ProblemTable) -> None:
    log = ErrorLog(table)
    log.deliver([FAILED])
    [problem] = table.problems()
    log.resolve(problem.id, "ada")
    [over] = table.problems()
    assert (over.state, over.resolved_by) == ("resolved", "ada")
    with pytest.raises(StorageError, match=f"'{problem.id}' is the id of no open error"):
        log.resolve(problem.id, "ada")
    log.deliver([replace(FAILED, position=20)])
    assert [p.returned for p in table.problems()] == [(20,)]


@pytest.mark.slow
def test_writers_at_once_lose_no_count_in_dynamodb(errors_table: str, lake: Lake) -> None:
    table = DynamoProblems(errors_table, lake.settings.root)
    ErrorLog(table).deliver([FACT])
    [(asset, problem_id)] = [(problem.asset, problem.id) for problem in table.problems()]

    def add(number: int) -> None:
        table.change(asset, problem_id, lambda p: p and replace(p, count=p.count + 1, dates=(*p.dates, str(number))))

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(add, range(6)))
    [problem] = table.problems()
    assert (problem.count, sorted(problem.dates)[:6]) == (7, ["0", "1", "2", "2011-03-01", "3", "4"])


def test_others_are_told_of_a_regression_and_told_all_the_same_while_the_error_log_is_down(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, other = ErrorLog(LakeProblems(shop.lake.store)), Channel("other")
    tell(shop.lake, shop.instance, [log, other], 0)
    for passed in (False, True, False):
        shop.evaluate("gate", "2011-03-01", passed=passed, text="bad")
        tell(shop.lake, shop.instance, [log, other], 0)
    assert [fact.is_regression for fact in other.facts] == [False, False, True]

    def down(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(log, "marked", down)
    monkeypatch.setattr(log, "deliver", down)
    shop.evaluate("gate", "2011-03-02", passed=False, text="bad")
    told, failed = tell(shop.lake, shop.instance, [log, other], 0)
    assert told == ["other: 1 facts"]
    assert failed == ["errors cannot be told, and is told later (OSError:)"]
    monkeypatch.undo()
    tell(shop.lake, shop.instance, [log, other], 0)
    assert sorted(problem.dates for problem in log.table.problems()) == [("2011-03-01",), ("2011-03-02",)]


@pytest.mark.slow
def test_the_command_lists_errors_and_resolves_them(lake: Lake, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tell, "__defaults__", (0.0,))
    assert cli(lake, "errors").stdout == "No errors: nothing is known to have gone wrong that is not over.\n"
    land(lake, "good.csv", sales_csv(3))
    land(lake, "empty.csv", b"")
    assert cli(lake, "run").returncode == 1
    listed = cli(lake, "errors").stdout.splitlines()
    problem_id, first = listed[0].split(maxsplit=1)
    assert first.startswith("landing.sales: source object rejected or held, once, first 20")
    assert listed[1].startswith("  empty.csv: rejected: the object is empty")
    assert listed[2] == "  next: lakehouse status"
    assert len(listed) == 3
    assert (
        cli(lake, "errors", "--resolve", problem_id, "--who", "ada").stdout == f"resolved: landing.sales {problem_id}\n"
    )
    assert cli(lake, "errors").stdout.startswith("No errors")
    assert "resolved by ada" in cli(lake, "errors", "--all").stdout
    again = cli(lake, "errors", "--resolve", problem_id)
    assert (again.returncode, again.stderr.startswith(f"lakehouse: '{problem_id}' is the id of no open")) == (1, True)
    land(lake, "empty2.csv", b"")
    cli(lake, "run")
    assert ", twice" not in cli(lake, "errors").stdout
    assert "2 times" in cli(lake, "errors").stdout
    assert "again after it was resolved" in cli(lake, "errors").stdout


@pytest.mark.slow
def test_a_table_that_cannot_be_reached_is_told_in_one_line(
    lake: Lake, cli_process: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "no such file")
    monkeypatch.setenv("AWS_CONFIG_FILE", "no such file")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("LAKEHOUSE_ERRORS_TABLE", "problems")
    found = cli_process(lake, "errors")  # boto3 keeps the credentials that a process saw first
    assert (found.returncode, found.stdout) == (1, "")
    assert "the errors in the DynamoDB table 'problems' cannot be read or changed: Unable to locate credentials" in (
        found.stderr.replace("\n", " ")
    )
    assert "Traceback" not in found.stderr
