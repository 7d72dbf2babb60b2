"""Runs as tasks of ECS: what is asked of ECS, with the image's own configuration on Postgres. ECS itself is moto's."""

import json
import shutil
import sys
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import boto3
import dagster as dg
import pytest
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.launcher import LaunchRunContext, WorkerStatus
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin
from moto import mock_aws

from lakehouse_assets.definitions import defs
from lakehouse_assets.orchestration.events import PROCESS_TAG, this_process
from lakehouse_assets.orchestration.pending_runs import INGEST, REFRESH, Work
from lakehouse_assets.orchestration.run_requests import request_for
from lakehouse_assets.orchestration.task_size import MEMORY_EXCEEDED_TAG
from lakehouse_assets_tests.deploy.image import DEPLOY
from lakehouse_assets_tests.orchestration.postgres import Postgres

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:datetime.datetime.utc:DeprecationWarning")]
MIB, GIB = 2**20, 2**30
LONGEST_OVERRIDES = 8192
"""Characters that ECS takes in the overrides of a task."""


@pytest.fixture
def instance(tmp_path: Path, postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """The image's instance, in the container of a daemon on Fargate."""
    database = f"d{uuid.uuid4().hex}"
    postgres.create(database)
    with mock_aws():
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        daemon = _daemon()
        shutil.copy(DEPLOY / "dagster.yaml", tmp_path)
        with _told_by_ecs(daemon) as address:
            for name, value in {
                "ECS_CONTAINER_METADATA_URI_V4": address, "DAGSTER_RUN_TASK_DEFINITION": "lake-run",
                "DAGSTER_LOGS_BUCKET": "lake-123456789012", "DAGSTER_PG_HOST": "127.0.0.1",
                "DAGSTER_PG_PORT": str(postgres.port), "DAGSTER_PG_USERNAME": "dagster",
                "DAGSTER_PG_PASSWORD": "unused", "DAGSTER_PG_DB": database,
            }.items():  # fmt: skip
                monkeypatch.setenv(name, value)
            with dg.DagsterInstance.from_config(str(tmp_path)) as opened:
                yield opened


def _daemon() -> dict[str, str]:
    """Start the task of a daemon in a subnet, and have a definition for runs; return what ECS tells the daemon."""
    ecs, ec2 = boto3.client("ecs"), boto3.client("ec2")
    [subnet, *_] = ec2.describe_subnets()["Subnets"]
    [group, *_] = ec2.describe_security_groups()["SecurityGroups"]
    ecs.create_cluster(clusterName="lake")
    for family, container in (("lake-service", "daemon"), ("lake-run", "run")):
        ecs.register_task_definition(
            family=family, networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="1024", memory="4096",
            containerDefinitions=[{"name": container, "image": "lakehouse:1", "memory": 4096}],
        )  # fmt: skip
    network = {"awsvpcConfiguration": {"subnets": [subnet["SubnetId"]], "securityGroups": [group["GroupId"]]}}
    [task] = ecs.run_task(
        cluster="lake", taskDefinition="lake-service", launchType="FARGATE", networkConfiguration=network
    )["tasks"]
    return {"Cluster": "lake", "TaskARN": task["taskArn"]}


@contextmanager
def _told_by_ecs(task: dict[str, str]) -> Iterator[str]:
    """Serve what ECS serves inside of a task."""

    class Metadata(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(task).encode())

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Metadata) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def _run(instance: dg.DagsterInstance, landed_bytes: int, **tags: str) -> dg.DagsterRun:
    """Make the run that a sensor asks for."""
    many = {f"2024/01/sales-{number:04}.csv": number for number in range(2_500)}
    request = request_for(instance, Work(INGEST, {"landing/sales": many}, {"landing/sales": {}}, landed_bytes))
    assert isinstance(request, dg.RunRequest)
    code = RepositoryPythonOrigin(sys.executable, ModuleCodePointer("lakehouse_assets.definitions", "defs"))
    return instance.create_run_for_job(
        defs.resolve_job_def(REFRESH),
        run_config=request.run_config,
        tags=dict(request.tags) | tags,
        asset_selection=frozenset(request.asset_selection or ()),
        job_code_origin=JobPythonOrigin(REFRESH, code),
    )


def _asked(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dict[str, Any]:
    """Launch a run; return what was asked of ECS."""
    asked: list[dict[str, Any]] = []
    launcher: Any = instance.run_launcher
    launcher.ecs.meta.events.register("provide-client-params.ecs.RunTask", lambda params, **_: asked.append(params))
    launcher.launch_run(LaunchRunContext(run, workspace=None))
    return asked[-1]


def _tags(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Mapping[str, str]:
    found = instance.get_run_by_id(run.run_id)
    assert found is not None
    return found.tags


def test_a_run_is_a_task_beside_the_daemon(instance: dg.DagsterInstance) -> None:
    asked = _asked(instance, _run(instance, 0))

    assert asked["taskDefinition"].split("/")[-1] == "lake-run:1"
    assert (asked["cluster"], asked["launchType"]) == ("lake", "FARGATE")
    network = asked["networkConfiguration"]["awsvpcConfiguration"]
    assert (len(network["subnets"]), len(network["securityGroups"])) == (1, 1)
    [container] = asked["overrides"]["containerOverrides"]
    assert (container["name"], container["command"][1:5]) == ("run", ["-m", "dagster", "api", "execute_run"])
    assert len(json.dumps(asked["overrides"])) < LONGEST_OVERRIDES * 0.75
    assert {"key": "lakehouse/wave", "value": INGEST} in asked["tags"]


def test_a_task_is_as_large_as_what_landed_asks_for(instance: dg.DagsterInstance) -> None:
    sizes = {0: (1024, 4096), 100 * MIB: (1024, 4096), 128 * MIB: (2048, 8192), 40 * GIB: (4096, 16384)}
    for landed_bytes, (cpu, memory) in sizes.items():
        run = _run(instance, landed_bytes)
        overrides = _asked(instance, run)["overrides"]
        assert (overrides["cpu"], overrides["memory"]) == (str(cpu), str(memory))
        [container] = overrides["containerOverrides"]
        assert (container["cpu"], container["memory"]) == (cpu, memory)
        instance.delete_run(run.run_id)


def test_a_task_that_is_gone_is_a_dead_run_and_lakehouse_run_is_none(instance: dg.DagsterInstance) -> None:
    launcher = instance.run_launcher
    run = _run(instance, 0)
    _asked(instance, run)
    launched = instance.get_run_by_id(run.run_id)
    assert launched is not None
    where = {name: value for name, value in launched.tags.items() if name.startswith("ecs/")}
    tags = {PROCESS_TAG: this_process(), **where}
    following = instance.create_run_for_job(defs.resolve_job_def(REFRESH), tags=tags)  # as what follows an ingest is
    assert launcher.check_run_worker_health(launched).status is WorkerStatus.RUNNING
    assert launcher.check_run_worker_health(following).status is WorkerStatus.RUNNING
    boto3.client("ecs").stop_task(cluster="lake", task=launched.tags["ecs/task_arn"])
    assert launcher.check_run_worker_health(launched).status is not WorkerStatus.RUNNING
    assert launcher.check_run_worker_health(following).status is not WorkerStatus.RUNNING

    by_hand = instance.create_run_for_job(defs.resolve_job_def(REFRESH), tags={PROCESS_TAG: this_process()})
    assert launcher.check_run_worker_health(by_hand).status is WorkerStatus.RUNNING


def test_a_task_that_ran_out_of_memory_is_noted_on_its_run_and_the_next_one_is_larger(
    instance: dg.DagsterInstance,
) -> None:
    launcher: Any = instance.run_launcher
    run = _run(instance, 0)
    _asked(instance, run)
    launched = instance.get_run_by_id(run.run_id)
    assert launched is not None
    boto3.client("ecs").stop_task(cluster="lake", task=launched.tags["ecs/task_arn"])

    container = {"name": "run", "exitCode": 137, "reason": ""}

    def killed(parsed: dict[str, Any], **_: object) -> None:
        """Answer as ECS does of a task whose container was killed; moto tells neither of these."""
        for task in parsed["tasks"]:
            task["memory"] = "4096"
            task["containers"] = [container]

    launcher.ecs.meta.events.register("after-call.ecs.DescribeTasks", killed)
    assert launcher.check_run_worker_health(launched).status is WorkerStatus.FAILED
    assert MEMORY_EXCEEDED_TAG not in _tags(instance, run)
    container["reason"] = "OutOfMemoryError: Container killed due to memory usage"
    health = launcher.check_run_worker_health(launched)
    assert health.status is WorkerStatus.FAILED
    assert health.msg.startswith("the task needed more than its 4,096 MiB of memory and was killed.")
    assert _tags(instance, run)[MEMORY_EXCEEDED_TAG] == "4096"

    instance.report_run_failed(launched)
    assert _asked(instance, _run(instance, 0))["overrides"]["memory"] == "8192"
