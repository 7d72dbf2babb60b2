"""The policies of deploy/policies: each statement is needed, each role can do its work, and docs/aws.md has them all.

On an emulator that enforces them. Not here: a whole lake under them, which is what test_aws_mode.py runs.
"""

import io
import json
import re
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from botocore.exceptions import ClientError

from deploy.demo_aws import roles
from deploy.demo_aws.account import land, set_up, stream_of
from deploy.demo_aws.roles import POLICIES, Policy
from deploy.templates import resources
from lakehouse_assets.alerts import aws as alerts_aws
from lakehouse_assets.context import current
from lakehouse_assets.credentials import SecretError
from lakehouse_assets.engines.spark import Job, SparkError, staged, start_process
from lakehouse_assets.extraction.paging import ExtractionError
from lakehouse_assets.lake_settings import PROJECT
from lakehouse_assets.orchestration.instance import opened
from lakehouse_assets.sources.queue import QueueError
from lakehouse_assets.storage.s3 import S3Store
from lakehouse_assets.storage.stores import StorageError
from lakehouse_assets_tests import retail
from lakehouse_assets_tests.aws_emulator import AwsEmulator
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.end_to_end.permissions import STEPS, Cloud, Step
from lakehouse_assets_tests.engines.spark_lake import needs_spark, on
from lakehouse_assets_tests.forked import Forked

pytestmark = pytest.mark.usefixtures("every_table")

SAID: dict[str, Policy] = {path.stem: json.loads(path.read_text()) for path in sorted(POLICIES.glob("*.json"))}
STATEMENTS = [(role, statement) for role, policy in SAID.items() for statement in policy["Statement"]]
_REFUSED = ("AccessDenied", "not authorized", "Forbidden", "AuthorizationError")
_HAVE_NO_RESOURCE = {"cloudwatch:PutMetricData"}
_NOTHING = {"Sid": "Nothing", "Effect": "Deny", "Action": ["iam:*"], "Resource": ["*"]}  # one statement there must be
_SENSORS = ("alerts_sensor", "queue_sensor", "tables_sensor", "landing_sensor")


@pytest.fixture(scope="module")
def cloud(enforcing_emulator: AwsEmulator) -> Cloud:
    account = set_up(enforcing_emulator.client, f"policies{uuid.uuid4().hex[:8]}")
    land(enforcing_emulator.client, account, {"sales/march.csv": retail.sales_csv()})
    enforcing_emulator.client("kinesis").create_stream(StreamName=stream_of(account.name), ShardCount=1)
    return Cloud(enforcing_emulator, account)


@pytest.fixture(scope="module")
def somebody(cloud: Cloud) -> Iterator[dict[str, str]]:
    """A user whose policy each test sets, and a session of boto3 that has seen no other key."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("boto3.DEFAULT_SESSION", None)
        yield roles.make_user(cloud.emulator.client, "somebody")


@pytest.fixture
def allow(
    cloud: Cloud, somebody: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Policy], None]]:
    """Let the clients of this process do what a policy says, and nothing else."""
    for name, value in (cloud.emulator.environment | somebody).items():
        monkeypatch.setenv(name, value)
    alerts_aws.client.cache_clear()

    def put(policy: Policy) -> None:
        iam, name = cloud.emulator.client("iam"), {"UserName": "somebody", "PolicyName": "all"}
        iam.put_user_policy(**name, PolicyDocument=json.dumps(roles.as_emulated(policy)))

    yield put
    alerts_aws.client.cache_clear()


def _is_refused(step: Step, cloud: Cloud) -> bool:
    """Return whether a step was refused for want of a permission."""
    try:
        step(cloud)
    except (ClientError, StorageError, QueueError, SecretError, ExtractionError) as error:
        if not any(word in str(error) for word in _REFUSED):
            raise
        return True
    return False


@pytest.mark.slow
@pytest.mark.parametrize(("role", "statement"), STATEMENTS, ids=lambda one: one if isinstance(one, str) else one["Sid"])
def test_without_one_statement_its_step_is_refused(
    cloud: Cloud, allow: Callable[[Policy], None], role: str, statement: Policy
) -> None:
    policy, sid = roles.policy(role, cloud.account), statement["Sid"]
    allow(policy)
    assert not _is_refused(STEPS[role][sid], cloud)
    allow({**policy, "Statement": [one for one in policy["Statement"] if one["Sid"] != sid] + [_NOTHING]})
    assert _is_refused(STEPS[role][sid], cloud)


@pytest.mark.slow
def test_an_analyst_reads_no_raw_records(cloud: Cloud, allow: Callable[[Policy], None]) -> None:
    allow(roles.policy("analyst", cloud.account))
    store = S3Store(cloud.root)
    assert store.stat("silver/sales/none.parquet") is None
    for folder in ("landing", "bronze", "quarantine"):
        assert _is_refused(lambda _, path=f"{folder}/sales/march.csv": store.stat(path), cloud)  # type: ignore[misc]


@pytest.mark.slow
def test_a_run_lands_what_it_extracts_and_deletes_nothing(cloud: Cloud, allow: Callable[[Policy], None]) -> None:
    allow(roles.policy("run", cloud.account))
    store, page = S3Store(cloud.root), "landing/none/api/page.json"  # of no feed: later tests run in this bucket
    assert store.create(page, b"[]")
    assert store.read(page) == b"[]"
    assert _is_refused(lambda _: store.create("landing/sales/april.csv", b""), cloud)
    for path in (page, "landing/sales/march.csv"):
        assert _is_refused(lambda _, path=path: store.delete(path), cloud)  # type: ignore[misc]


def _of_jobs_of_spark(cloud: Cloud) -> Policy:
    """Return what the stack allows the jobs of EMR Serverless."""
    [said] = resources("spark")["JobRole"]["Properties"]["Policies"]
    text = re.sub(r'\{"Fn::Sub": "(.*?)"\}', r'"\1"', json.dumps(said["PolicyDocument"]))
    names = {"${AWS::Partition}": "aws", "${Name}-${AWS::AccountId}": cloud.account.bucket}
    for name, value in names.items():
        text = text.replace(name, value)
    policy: Policy = json.loads(text)
    return policy


@needs_spark
@pytest.mark.slow
def test_a_job_of_spark_reads_tables_and_works_in_its_own_folder(
    cloud: Cloud, allow: Callable[[Policy], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    lake, rows = lake_at(cloud.root, **on("sail")), io.BytesIO()
    pl.DataFrame({"n": [1, 2]}).write_parquet(rows)

    def computed(folder: str) -> list[tuple[int]]:
        key, column = f"lake/{folder}/x.parquet", {"name": "n", "type": "long", "nullable": True, "metadata": {}}
        cloud.emulator.client("s3").put_object(Bucket=cloud.account.bucket, Key=key, Body=rows.getvalue())
        files: dict[str, Any] = {"values": {}, "files": [lake.store.uri(f"{folder}/x.parquet")]}
        table: dict[str, Any] = {"name": "numbers", "folder": lake.store.uri(folder), "groups": [files]}
        table |= {"schema": {"type": "struct", "fields": [column]}, "columns": ["n"], "partitioned_by": []}

        def start(job: Job) -> None:
            allow(_of_jobs_of_spark(cloud))
            start_process(job)
            for change in (lake.store.delete, lambda path: lake.store.replace(path, b"")):
                assert _is_refused(lambda _, change=change: change(f"{folder}/x.parquet"), cloud)  # type: ignore[misc]
            allow(roles.policy("run", cloud.account))

        allow(roles.policy("run", cloud.account))
        work = {"sql": "SELECT sum(n) AS total FROM numbers"}
        with staged(lake.store, lake.settings, "gold.none", work, [table], start) as found:
            assert found is not None
            return found.rows()

    assert computed("silver/none") == [(3,)]
    with pytest.raises(SparkError, match="cannot be computed"):
        computed("landing/none")
    assert list(lake.store.list("staging/gold.none")) == []


def tick() -> None:
    """Tick every sensor once, and say what it answers: what the process of the sensors does."""
    from lakehouse_assets_tests.orchestration.daemon import Daemon

    lake = current()
    with opened(lake.settings) as instance:
        daemon = Daemon(lake, instance)
        for name in _SENSORS:
            answer = daemon.tick(name)
            asked = [
                ".".join(key.path) for request in answer.run_requests or [] for key in request.asset_selection or []
            ]
            sys.stdout.write(f"{name}: {asked or answer.skip_message}\n")


@pytest.mark.slow
def test_each_role_does_its_work_with_its_own_policy(cloud: Cloud, tmp_path: Path) -> None:
    def done(role: str, *arguments: str, program: Callable[[], object] | None = None) -> str:
        user = roles.make_user(cloud.emulator.client, role, roles.policy(role, cloud.account))
        environment = cloud.account.environment(cloud.emulator.environment | user, tmp_path / role)
        found = Forked(*arguments, env=environment, program=program).finish()
        return f"{found.returncode} {found.stdout} {found.stderr}"

    assert done("run", "run").startswith("0 ")
    land(cloud.emulator.client, cloud.account, {"sales/april.csv": retail.sales_csv(date="2011-04-01")})
    said = done("sensors", program=tick)
    assert "queue_sensor: ['landing.sales']" in said
    assert "tables_sensor: every table is up to date" in said


def test_each_statement_allows_named_actions_on_named_resources() -> None:
    for _, statement in STATEMENTS:
        assert statement["Effect"] == "Allow"
        assert not [action for action in statement["Action"] if "*" in action]
        for resource in statement["Resource"]:
            assert resource.startswith("arn:aws:") or set(statement["Action"]) == _HAVE_NO_RESOURCE


def test_every_call_that_the_code_names_is_allowed_to_some_role() -> None:
    allowed = {action for _, statement in STATEMENTS for action in statement["Action"]}
    texts = [path.read_text(encoding="utf-8") for path in (PROJECT / "lakehouse_assets").rglob("*.py")]
    named = {
        action for text in texts for action in re.findall(r'"((?:athena|glue|dynamodb|secretsmanager):[A-Z]\w+)"', text)
    }
    assert len(named) > 15
    assert named <= allowed


def test_the_parameters_are_those_that_the_page_sets() -> None:
    page = (PROJECT / "docs" / "aws.md").read_text(encoding="utf-8")
    [block] = re.findall(r"export REGION=.*?envsubst", page, re.DOTALL)
    used = {name for path in POLICIES.glob("*.json") for name in re.findall(r"\$\{(\w+)\}", path.read_text())}
    assert set(re.findall(r"\b([A-Z_]+)=", block)) == used


def test_the_page_says_what_each_statement_is_for() -> None:
    page = (PROJECT / "docs" / "aws.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| `(\w+)\.json` \| `(\w+)` \| ([^|]*) \|", page, re.MULTILINE)
    assert [(role, sid, actions) for role, sid, actions in told] == [
        (role, one["Sid"], ", ".join(f"`{action}`" for action in one["Action"])) for role, one in STATEMENTS
    ]
