"""What steps print, in S3: a refusal is an error, and never "there is nothing"."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from dagster._core.storage.compute_log_manager import ComputeIOType
from moto.core.botocore_stubber import MockRawResponse

from lakehouse_assets.orchestration.s3_logs import LakehouseS3ComputeLogManager
from lakehouse_assets.storage.stores import StorageError
from lakehouse_assets_tests.s3_server import S3Server

pytestmark = pytest.mark.slow
KEY = ["a-run", "compute_logs", "a-step"]
NOT_DELETED = b"<DeleteResult><Error><Key>k</Key><Code>AccessDenied</Code></Error></DeleteResult>"


@pytest.fixture
def logs(s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LakehouseS3ComputeLogManager:
    """Those of a bucket, with what one step of one run printed."""
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    manager = LakehouseS3ComputeLogManager("lake", str(tmp_path), prefix=tmp_path.name)
    key = f"{tmp_path.name}/storage/a-run/compute_logs/a-step.err"
    s3_server.client().put_object(Bucket="lake", Key=key, Body=b"printed")
    return manager


def _answering(status: int, body: bytes = b"") -> Callable[..., Any]:
    return lambda **_: AWSResponse("http://s3", status, {}, MockRawResponse(body))


def test_logs_that_are_not_there_are_none_and_those_that_may_not_be_seen_an_error(
    logs: LakehouseS3ComputeLogManager,
) -> None:
    assert logs.cloud_storage_has_logs(KEY, ComputeIOType.STDERR)
    assert not logs.cloud_storage_has_logs(KEY, ComputeIOType.STDOUT)
    events = logs._s3_session.meta.events
    for operation in ("HeadObject", "ListObjectsV2"):  # the download begins with the first one
        events.register_first(f"before-send.s3.{operation}", _answering(403))
        with pytest.raises(StorageError, match="cannot be seen or deleted"):
            logs.get_log_data(KEY)


def test_logs_are_deleted_or_it_is_an_error(logs: LakehouseS3ComputeLogManager) -> None:
    events = logs._s3_session.meta.events
    events.register_first("before-send.s3.DeleteObjects", refuse := _answering(200, NOT_DELETED))
    with pytest.raises(StorageError, match="S3 did not delete"):
        logs.delete_logs(prefix=["a-run"])
    events.unregister("before-send.s3.DeleteObjects", refuse)
    logs.delete_logs(prefix=["a-run"])
    assert not logs.cloud_storage_has_logs(KEY, ComputeIOType.STDERR)
