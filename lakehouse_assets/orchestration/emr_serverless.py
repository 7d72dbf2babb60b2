"""A Spark job on EMR Serverless, through Dagster Pipes: its script shipped to S3, its request, its messages.

All of it lies in the job's own folder of the lake, and goes with it. Not here: the application, which the account has.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

import dagster as dg

from lakehouse_assets.aws import STEADY, STORAGE, client
from lakehouse_assets.engines.spark import SCRIPT, Job, pipes_package

if TYPE_CHECKING:
    from dagster_pipes import PipesParams


class _Service:
    """A client of EMR Serverless to which a dashboard that it refuses is none: a job does not end for it."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - boto3 makes its classes at run time
        self._client = client

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._client, name)

    def get_dashboard_for_job_run(self, **asked: str) -> dict[str, str]:
        from botocore.exceptions import ClientError  # noqa: PLC0415 - extra `aws`

        try:
            return {"url": self._client.get_dashboard_for_job_run(**asked)["url"]}
        except ClientError as error:
            return {"url": f"none: {error}"}


def run(context: dg.AssetExecutionContext, job: Job, service: Any = None, poll_s: float = 5) -> None:  # noqa: ANN401 - a client of boto3
    """Start a job and wait for its end. A run that is cancelled cancels it.

    Args:
        service: The client of EMR Serverless; by default one of its own.
        poll_s: Seconds between two looks at it, and at its messages.
    """
    from dagster_aws.pipes import PipesEMRServerlessClient, PipesS3MessageReader  # noqa: PLC0415 - extra `aws`

    address = urlparse(job.store.uri(f"{job.folder}/messages"))

    class Messages(PipesS3MessageReader):
        @contextmanager
        def get_params(self) -> Iterator["PipesParams"]:
            with super().get_params() as params:
                yield {**params, "key_prefix": address.path.lstrip("/")}

    reader = Messages(bucket=address.netloc, client=client("s3", STORAGE), interval=poll_s)
    asked: Any = _Service(service or client("emr-serverless", STEADY))
    emr = PipesEMRServerlessClient(asked, message_reader=reader, poll_interval=poll_s)
    emr.run(context=context.op_execution_context, start_job_run_params=request(job))


def request(job: Job) -> Mapping[str, Any]:
    """Ship what the job consists of, and return what EMR Serverless is asked for."""
    code = f"{job.folder}/code"
    with TemporaryDirectory() as folder:
        job.store.create(f"{code}/packages.zip", pipes_package(Path(folder) / "packages.zip"))
    job.store.create(f"{code}/{SCRIPT.name}", SCRIPT)
    settings = job.settings
    return {
        "applicationId": settings.emr_application,
        "executionRoleArn": settings.emr_role,
        "clientToken": job.folder.rpartition("/")[2],  # a request whose answer was lost starts nothing twice
        "name": job.table,
        "executionTimeoutMinutes": settings.emr_minutes,
        "jobDriver": {
            "sparkSubmit": {
                "entryPoint": job.store.uri(f"{code}/{SCRIPT.name}"),
                "entryPointArguments": ["cluster", job.document],
                "sparkSubmitParameters": f"--py-files {job.store.uri(f'{code}/packages.zip')}",
            }
        },
        # Its logs quote rows, and would be kept by AWS for 30 days.
        "configurationOverrides": {
            "monitoringConfiguration": {"managedPersistenceMonitoringConfiguration": {"enabled": False}}
        },
    }
