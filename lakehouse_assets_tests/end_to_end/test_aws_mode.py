"""AWS mode: files put into S3 -> events -> SQS -> sensors -> bronze, silver, gold -> Glue, and who is told what.

The same steps as `make demo-aws`, in one run, on what the templates of deploy/stack make in an emulator, which enforces
their policies. Not here:
what a service does with odd input, throttling or an outage; the tests of each room are about that.
"""

import datetime as dt
import subprocess
import sys
import uuid
from dataclasses import dataclass

import pytest

from deploy.demo_aws.account import Account, land, set_up
from deploy.demo_aws.files import REJECTED, files, held_date
from deploy.demo_aws.look import Held, look
from deploy.demo_aws.roles import made_policy, make_user
from lakehouse_assets.context import Lake
from lakehouse_assets.lake_settings import PROJECT
from lakehouse_assets.query.verify import verify
from lakehouse_assets_tests import retail
from lakehouse_assets_tests.aws_emulator import AwsEmulator
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.end_to_end.comparing import assert_same, tables
from lakehouse_assets_tests.orchestration.watched import ask

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("every_table")]
NOT_WRITTEN = {"gold.funnel_daily", "gold.live_sales_hourly", "gold.sales_forecast"}
"""Nothing is made of events that nobody sent, and of a forecast that nobody asked for."""
TODAY = dt.date(2025, 6, 18)
FILES = files(6, TODAY)
HELD_DATE = str(held_date(TODAY))


@dataclass(frozen=True)
class Ran:
    """A lake on the account after its process ended: what the process said, and what the services hold."""

    account: Account
    said: list[str]
    held: Held


@pytest.fixture(scope="module")
def ran(enforcing_emulator: AwsEmulator, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """One run of the lake's process, which may do what its policies say, on an account of its own."""
    clients = enforcing_emulator.client
    account = set_up(clients, f"lake{uuid.uuid4().hex[:8]}")
    land(clients, account, FILES)
    user = make_user(clients, account.name, *(made_policy(clients, role, account) for role in ("run", "sensors")))
    environment = account.environment(enforcing_emulator.environment | user, tmp_path_factory.mktemp("dagster"))
    command = [sys.executable, "-m", "deploy.demo_aws.daemon"]
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    return Ran(account, done.stdout.splitlines(), look(clients, account))


@pytest.fixture
def aws_lake(ran: Ran, enforcing_emulator: AwsEmulator, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """The lake on S3, to be read."""
    for name, value in enforcing_emulator.environment.items():
        monkeypatch.setenv(name, value)
    return lake_at(ran.account.settings["LAKEHOUSE_ROOT"])


def test_every_table_is_that_of_a_local_lake(aws_lake: Lake, lake: Lake) -> None:
    for key, data in FILES.items():
        retail.land(lake, key.removeprefix("sales/"), data)
    retail.run(lake)
    expected = tables(lake)
    assert len(expected["gold.daily_sales"]) > 0
    assert_same(aws_lake, expected)
    assert list(verify(aws_lake)) == []


def test_every_message_was_handled_and_no_listing_was_needed(ran: Ran) -> None:
    assert ran.held.arrivals == (0, 0)
    assert ran.held.dead_letters == 0
    assert ran.said[0].startswith("queue_sensor: a run of landing.sales")
    assert "landing_sensor: landing holds nothing new" in ran.said


def test_glue_holds_every_table_where_it_lies(ran: Ran, aws_lake: Lake) -> None:
    found = {
        f"{database.rpartition('_')[2]}.{table['Name']}": table
        for database, held in ran.held.glue.items()
        for table in held
    }
    expected = {"silver.sales", "quarantine.sales", "quarantine.sales_by_rule", "ops.accounting", "ops.ledger"}
    expected |= {f"bronze.{name}" for name in aws_lake.registry.feeds}
    written = {model.table.full_name for model in aws_lake.registry.models.values()} - NOT_WRITTEN
    assert found.keys() == expected | written
    root = ran.account.settings["LAKEHOUSE_ROOT"]
    assert all(table["StorageDescriptor"]["Location"].startswith(f"{root}/") for table in found.values())
    gold = found["gold.daily_sales"]
    assert gold["Parameters"]["table_type"] == "DELTA"
    assert "net" in [column["Name"] for column in gold["StorageDescriptor"]["Columns"]]


def test_who_is_on_call_is_told_of_the_held_date_and_the_rejected_file(ran: Ran) -> None:
    told = {message["Subject"]: message["Message"] for message in ran.held.on_call}
    held = f"[error] silver.sales {HELD_DATE}: held by the gate"
    assert told.keys() == {held, "[error] landing.sales: source object rejected or held"}
    assert f"lakehouse quarantine list --feed sales --date {HELD_DATE}" in told[held]


def test_other_systems_get_the_same_as_events(ran: Ran) -> None:
    by_kind: dict[str, list[dict[str, object]]] = {}
    for event in ran.held.events:
        by_kind.setdefault(event["detail-type"], []).append(event["detail"])
    assert [(fact["assets"], fact["dates"]) for fact in by_kind["gate_held"]] == [(["silver.sales"], [HELD_DATE])]
    assert len(by_kind["object_refused"]) == 1
    assert by_kind["run_succeeded"]


def test_the_error_log_has_an_open_item_for_each_problem(ran: Ran) -> None:
    log = {error["kind"]: error for error in ran.held.errors}
    assert log.keys() == {"gate_held", "object_refused", "contract_drift"}
    assert {error["state"] for error in log.values()} == {"open"}
    assert HELD_DATE in log["gate_held"]["cause"]
    assert log["object_refused"]["cause"].startswith(REJECTED.removeprefix("sales/"))


def test_metrics_say_how_many_records_and_objects(ran: Ran, aws_lake: Lake) -> None:
    [(rows,)] = ask(aws_lake, "SELECT count(*) FROM silver.sales")
    metrics = ran.held.metrics
    assert metrics["silver.sales", "rows"] == rows
    assert metrics["landing.sales", "objects"] == len(FILES)
    assert metrics["landing.sales", "rejected"] == 1
    assert metrics["landing.sales", "bytes"] == sum(map(len, FILES.values()))


def test_dynamodb_has_an_item_for_each_served_row(ran: Ran, aws_lake: Lake) -> None:
    gold = ask(aws_lake, "SELECT date_key::VARCHAR, metric_name, metric_value FROM gold.daily_metrics ORDER BY ALL")
    items = ran.held.served
    found = [(i["date_key"]["S"], i["metric_name"]["S"], float(i["metric_value"]["N"])) for i in items]
    assert len(gold) > 30
    assert sorted(found) == list(map(tuple, gold))
