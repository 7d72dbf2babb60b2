"""AWS on this machine for tests: ministack as a subprocess on 127.0.0.1, stopped at the end.

`make .venv/aws-emulator` installs it in an environment of its own, because it wants another botocore than the lake.
S3, SQS, SNS and EventBridge really deliver to one another. Not here: a real S3 server, whose writes are conditional.
"""

import os
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from lakehouse_assets_tests.s3_server import free_port

ACCOUNT, REGION = "123456789012", "us-east-1"
COMMAND = Path(sys.prefix) / "aws-emulator" / "bin" / "ministack"
_DEADLINE_S = 60


class AwsEmulator:
    """One ministack; `environment` points every AWS client at it, with the key and secret of the S3 server.

    Args:
        is_enforcing: Whether it refuses what no policy allows. Only this key may do everything, as an account's owner.
    """

    def __init__(self, folder: Path, *, is_enforcing: bool = False) -> None:
        self._folder, self._is_enforcing = folder, is_enforcing
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing-secret",
        }

    def __enter__(self) -> Self:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        chosen = {
            "GATEWAY_PORT": str(self.port),
            "BIND_HOST": "127.0.0.1",
            "IOT_MTLS_ENABLED": "0",
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "AUTH": str(self._is_enforcing).lower(),
            "AWS_ACCESS_KEY_ID": self.environment["AWS_ACCESS_KEY_ID"],
            "AWS_SECRET_ACCESS_KEY": self.environment["AWS_SECRET_ACCESS_KEY"],
        }
        with (self._folder / "emulator.log").open("wb") as log:
            self._process = subprocess.Popen(
                [str(COMMAND)], env=kept | chosen, cwd=self._folder, stdout=log, stderr=log
            )
        self._wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def client(self, service: str) -> Any:
        """Return a boto3 client of one of its services."""
        import boto3

        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="testing",
            aws_secret_access_key="testing-secret",  # noqa: S106 - of a server that lives for one test session
        )

    def _wait(self) -> None:
        deadline = time.monotonic() + _DEADLINE_S
        while time.monotonic() < deadline and self._process.poll() is None:
            with suppress(OSError), urllib.request.urlopen(f"{self.url}/_ministack/health", timeout=5):  # noqa: S310
                return
            time.sleep(0.1)
        text = (self._folder / "emulator.log").read_text(errors="replace")[-2000:]
        msg = f"the AWS emulator does not start: {text}"
        raise TimeoutError(msg)
