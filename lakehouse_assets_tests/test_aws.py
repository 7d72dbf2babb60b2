"""Every client of AWS gives up in time: made in one place, with limits that botocore does not have by itself."""

import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ConnectTimeoutError

import lakehouse_assets
from lakehouse_assets import aws


def test_no_other_module_makes_a_client() -> None:
    package = Path(lakehouse_assets.__file__).parent
    making = [path.name for path in package.rglob("*.py") if re.search(r"import boto3|boto3\.client", path.read_text())]
    assert sorted(making) == ["aws.py", "spark_job.py"], "only what is shipped alone to a cluster makes its own"


def test_the_region_is_that_of_the_call_the_environment_or_the_files_of_aws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def chosen(name: str | None = None) -> str:
        return str(aws.client("sqs", aws.HASTY, name).meta.region_name)

    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    assert chosen() == "us-east-1"
    (tmp_path / "config").write_text("[default]\nregion = eu-west-3\n")
    assert chosen() == "eu-west-3"
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    assert chosen() == "eu-central-1"
    assert chosen("us-west-2") == "us-west-2"


@pytest.fixture
def deaf() -> Iterator[str]:
    """An address whose connections nobody accepts, as behind a firewall: its queue of them is full."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for waiting in (first, second):
            waiting.settimeout(0)
            waiting.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize("patience", [aws.HASTY, aws.STEADY, aws.STORAGE], ids=lambda one: one.mode)
def test_an_address_that_does_not_answer_is_given_up_in_seconds(
    patience: aws.Patience, deaf: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aws, "_CONNECT_S", 0.1)
    monkeypatch.setenv("AWS_ENDPOINT_URL", deaf)
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)  # it keeps the credentials that it saw first, for all tests
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    client = aws.client("glue", aws.Patience(patience.mode, 1, patience.answer_s))
    begun = time.monotonic()
    with pytest.raises(ConnectTimeoutError):
        client.get_databases()
    assert time.monotonic() - begun < 3
