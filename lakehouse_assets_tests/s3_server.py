"""A real S3 server for tests: SeaweedFS as a subprocess on 127.0.0.1, stopped at the end."""

import contextlib
import itertools
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_DEADLINE_S = 60


# Below the ports that outgoing connections get, and other ones for each worker of a parallel test run.
_ports = itertools.count(10_000 + 1_000 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")))


def free_port() -> int:
    """Return a TCP port that nobody listens on now, another one each time."""
    for port in _ports:
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError


class S3Server:
    """SeaweedFS with one bucket; `environment` points every AWS client at it."""

    bucket = "lake"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = free_port()
        self.environment = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing-secret",
        }

    def __enter__(self) -> Self:
        names = ("master", "volume", "filer", "admin")
        ports = {f"{name}.port{kind}": free_port() for name in names for kind in ("", ".grpc")}
        ports |= {"s3.port.grpc": free_port(), "s3.port.iceberg": free_port(), "s3.port.lance": free_port()}
        command = [
            str(Path(sys.executable).with_name("weed")), "mini", f"-dir={self._folder}", "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1", f"-s3.port={self.port}", "-admin.ui=false", "-webdav=false",
            "-master.telemetry=false", "-s3.autoCreateBucket=false", "-s3.allowDeleteBucketNotEmpty=false",
            *(f"-{name}={port}" for name, port in ports.items()),
        ]  # fmt: skip
        log = (self._folder / "server.log").open("wb")
        self._process = subprocess.Popen(command, env=os.environ | self.environment, stdout=log, stderr=log)
        log.close()
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

    def client(self) -> Any:
        """Return a boto3 client of this server."""
        import boto3

        return boto3.client(
            "s3",
            endpoint_url=self.environment["AWS_ENDPOINT_URL"],
            region_name="us-east-1",
            aws_access_key_id="testing",
            aws_secret_access_key="testing-secret",  # noqa: S106 - of a server that lives for one test session
        )

    def _wait(self) -> None:
        # The port opens before the server can sign; a bucket that takes a PUT is what ready means.
        client, deadline = self.client(), time.monotonic() + _DEADLINE_S
        while True:
            try:
                client.create_bucket(Bucket=self.bucket)
                client.put_object(Bucket=self.bucket, Key="ready", Body=b"")
            except Exception:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise
                time.sleep(0.2)
            else:
                return
