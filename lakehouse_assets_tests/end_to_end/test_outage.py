"""Every AWS service but S3 cannot be reached for whole runs: data flows; what could not be told is told afterwards."""

import datetime as dt
import json
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deploy.demo_aws.account import Account, land, set_up
from deploy.demo_aws.files import files, held_date
from deploy.demo_aws.look import Held, look
from lakehouse_assets.context import Lake
from lakehouse_assets.lake_settings import PROJECT
from lakehouse_assets_tests import retail
from lakehouse_assets_tests.aws_emulator import AwsEmulator
from lakehouse_assets_tests.conftest import TESTED
from lakehouse_assets_tests.orchestration.watched import ask

pytestmark = pytest.mark.slow
TODAY = dt.date(2025, 6, 18)
FILES = files(2, TODAY)
_NOBODY = "http://127.0.0.1:1"  # a port that is free could become that of another test's emulator
_GOLD = "SELECT dt::VARCHAR, sum(lines)::BIGINT FROM gold.daily_sales GROUP BY dt ORDER BY dt"


@dataclass(frozen=True)
class Ran:
    """What the process said, and what the services hold at its end."""

    said: list[dict[str, Any]]
    held: Held

    def all_of(self, name: str) -> list[Any]:
        return [line[name] for line in self.said if name in line]


@pytest.fixture(scope="module")
def ran(aws_emulator: AwsEmulator, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """One process, without and then with the services that are not S3."""
    account: Account = set_up(aws_emulator.client, f"lake{uuid.uuid4().hex[:8]}")
    land(aws_emulator.client, account, FILES)
    home: Path = tmp_path_factory.mktemp("dagster")
    environment = account.environment(aws_emulator.environment, home) | TESTED
    command = [sys.executable, "-m", "lakehouse_assets_tests.end_to_end.in_outage", _NOBODY]
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    return Ran([json.loads(line) for line in done.stdout.splitlines()], look(aws_emulator.client, account))


def test_data_flows_to_gold_while_no_service_but_s3_answers(ran: Ran, lake: Lake) -> None:
    for key, data in FILES.items():
        retail.land(lake, key.removeprefix("sales/"), data)
    retail.run(lake)
    assert ran.all_of("gold") == [[list(row) for row in ask(lake, _GOLD)]]
    assert ran.all_of("gold") != [[]]
    assert ran.all_of("pending") == [{}]
    runs = [(line["run"], line["success"]) for line in ran.said if "run" in line]
    assert runs[0] == (["landing.sales"], True)
    # The date that the gate holds fails its run; what is refreshed outside is tried three times, then it waits.
    for outside in ("catalog.glue", "serving.dynamodb"):
        assert [success for tables, success in runs if outside in tables] == [False] * 3


def test_ticks_say_which_services_cannot_be_reached(ran: Ran) -> None:
    [queue] = ran.all_of("queue")
    assert "EndpointConnectionError" in queue or "Could not connect" in queue
    [alerts] = ran.all_of("alerts")
    assert [name for name in ("errors", "sns", "eventbridge", "cloudwatch") if f"{name} cannot be told" in alerts] == [
        "errors",
        "sns",
        "eventbridge",
        "cloudwatch",
    ]


def test_what_could_not_be_told_is_told_once_they_are_back(ran: Ran) -> None:
    held = f"[error] silver.sales {held_date(TODAY)}: held by the gate"
    subjects = [message["Subject"] for message in ran.held.on_call]
    assert subjects.count(held) == 1
    assert subjects.count("[error] landing.sales: source object rejected or held") == 1
    kinds = [event["detail-type"] for event in ran.held.events]
    assert kinds.count("gate_held") == kinds.count("object_refused") == 1
    ids = [event["detail"]["id"] for event in ran.held.events]
    assert len(set(ids)) == len(ids)
    assert {error["kind"] for error in ran.held.errors} >= {"gate_held", "object_refused"}
    assert ran.held.metrics["landing.sales", "objects"] == len(FILES)
    assert ran.held.metrics["landing.sales", "bytes"] == sum(map(len, FILES.values()))
    assert sum(len(tables) for tables in ran.held.glue.values()) > 5
    assert len(ran.held.served) > 10


def test_messages_of_what_was_listed_meanwhile_are_deleted(ran: Ran) -> None:
    assert ran.held.arrivals == (0, 0)
    assert ran.held.dead_letters == 0
    assert not any("queue_sensor: a run" in text for text in ran.all_of("after"))
