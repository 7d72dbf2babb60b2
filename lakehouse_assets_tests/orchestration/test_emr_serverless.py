"""A job on EMR Serverless: the request as AWS takes it, and the shipped script run by Sail in its place."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import dagster as dg
import pytest
from botocore.validate import validate_parameters

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Model
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.engines.spark import STAGING, Job
from lakehouse_assets.orchestration import emr_serverless
from lakehouse_assets.pipeline.gold import build
from lakehouse_assets_tests.engines.spark_lake import PYTHON, needs_spark
from lakehouse_assets_tests.pipeline.totals import GOOD, Totals, stored
from lakehouse_assets_tests.retail import DAY, day, ingest, land, publish, sales, sales_csv

_SERVER = """
import sys
from pysail.spark import SparkConnectServer
server = SparkConnectServer("127.0.0.1", 0)
server.start(background=True)
print(server.listening_address[1], flush=True)
sys.stdin.read()
"""


class Service:
    """Takes a request as EMR Serverless does, and runs its entry point with its arguments and environment."""

    def __init__(self, lake: Lake, folder: Path, sail: int) -> None:
        self._lake, self._folder, self._sail = lake, folder, sail
        self.requests: list[dict[str, Any]] = []

    def start_job_run(self, **request: Any) -> dict[str, str]:
        shape = (
            boto3.client("emr-serverless", "us-east-1").meta.service_model.operation_model("StartJobRun").input_shape
        )
        validate_parameters(request, shape)
        self.requests.append(request)
        submit = request["jobDriver"]["sparkSubmit"]
        words = submit["sparkSubmitParameters"].split()
        options = dict(zip(words[::2], words[1::2], strict=False))
        given = dict(
            word.removeprefix("spark.emr-serverless.driverEnv.").split("=", 1) for word in words if "=" in word
        )
        script, packages = (self._fetched(uri) for uri in (submit["entryPoint"], options["--py-files"]))
        environment = os.environ | given | {"PYTHONPATH": f"{packages}:{os.pathsep.join(sys.path[1:])}"}
        environment |= {"SPARK_REMOTE": f"sc://127.0.0.1:{self._sail}"}
        ran = subprocess.run([PYTHON, script, *submit["entryPointArguments"]], env=environment, check=False)
        self._state = "SUCCESS" if ran.returncode == 0 else "FAILED"
        return {"applicationId": request["applicationId"], "jobRunId": "1"}

    def _fetched(self, uri: str) -> Path:
        file = self._folder / uri.rpartition("/")[2]
        file.write_bytes(self._lake.store.read(uri.removeprefix(f"{self._lake.settings.root}/")))
        return file

    def get_job_run(self, **_: str) -> dict[str, Any]:
        return {"jobRun": {"state": self._state, "applicationId": "1", "jobRunId": "1"}}

    def get_application(self, **_: str) -> dict[str, Any]:
        return {"application": {"type": "Spark"}}

    def get_dashboard_for_job_run(self, **_: str) -> dict[str, str]:
        return {"url": "http://127.0.0.1/"}


@pytest.fixture
def sail(s3_lake: Lake) -> Iterator[int]:
    """The port of a Sail that knows the S3 server of the lake."""
    assert s3_lake.settings.is_s3
    environment = os.environ | {"AWS_ALLOW_HTTP": "true", "RUST_LOG": "off"}
    with subprocess.Popen(
        [PYTHON, "-c", _SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
    ) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.communicate()


@needs_spark
@pytest.mark.slow
def test_the_shipped_script_computes_a_table_and_tells_the_run(s3_lake: Lake, sail: int, tmp_path: Path) -> None:
    land(s3_lake, "x.csv", sales_csv(day(DAY)))
    ingest(s3_lake)
    publish(s3_lake)
    role = "arn:aws:iam::123456789012:role/spark"
    asked = {"spark": "emr-serverless", "emr_application": "00f1", "emr_role": role}
    (tmp_path / "totals.sql").write_text(GOOD)
    declared = {"description": "x", "owner": "team:x", "date": "dt", "engine": "spark"}
    model = Model(name="totals", schema=Totals, sql=tmp_path / "totals.sql", **declared)  # type: ignore[arg-type]
    lake = replace(s3_lake, settings=s3_lake.settings.model_copy(update=asked))
    lake = replace(lake, registry=Registry([sales(lake)], [model]))
    service = Service(lake, tmp_path, sail)

    @dg.asset
    def gold(context: dg.AssetExecutionContext) -> Iterator[dg.Output[None]]:
        def start(job: Job) -> None:
            emr_serverless.run(context, job, service, poll_s=0.1)

        list(build(lake, model, [DAY], start=start))
        yield dg.Output(None)

    with dg.instance_for_test() as instance:
        run = dg.materialize([gold], instance=instance)
        log = [entry.user_message for entry in instance.all_logs(run.run_id) if entry.user_message]
    assert [row["units"] for row in stored(lake)] == [6]
    assert any(line.startswith("gold.totals: rows: 1, seconds: ") for line in log)
    [request] = service.requests
    assert (request["applicationId"], request["executionRoleArn"]) == ("00f1", role)
    assert request["jobDriver"]["sparkSubmit"]["entryPoint"].startswith(f"{lake.settings.root}/{STAGING}/gold.totals/")
    assert request["tags"]["dagster/run-id"] == run.run_id
    assert list(lake.store.list(STAGING)) == []
