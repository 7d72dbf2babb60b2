"""A server that tests start: a subprocess on a free port of 127.0.0.1, killed at the end. Not here: which servers."""

import itertools
import os
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

REGION = "us-east-1"
_DEADLINE_S = 60
_KEY, _SECRET = "testing", "testing-secret"

# Below the ports that outgoing connections get, and other ones for each worker of a parallel test run.
_ports = itertools.count(10_000 + 1_000 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")))


def free_port() -> int:
    """Return a TCP port that nobody listens on now, another one each time."""
    for port in _ports:
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError


class LocalServer:
    """One server; `environment` points every AWS client at it. A subclass says how it starts and when it is ready."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": _KEY,
            "AWS_SECRET_ACCESS_KEY": _SECRET,
        }

    def client(self, service: str = "s3") -> Any:
        """Return a boto3 client of one of its services."""
        import boto3

        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=_KEY,
            aws_secret_access_key=_SECRET,
        )

    def _command(self) -> list[str]:
        """Return what starts it, in the foreground."""
        raise NotImplementedError

    def _settings(self) -> dict[str, str]:
        """Return the environment that it starts with."""
        return os.environ | self.environment

    def _is_ready(self) -> bool:
        """Return whether it answers."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        log = self._folder / "server.log"
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                self._command(), env=self._settings(), cwd=self._folder, stdout=file, stderr=file
            )
        deadline = time.monotonic() + _DEADLINE_S
        while not self._is_ready():
            if time.monotonic() > deadline or self._process.poll() is not None:
                msg = f"{type(self).__name__} does not start: {log.read_text(errors='replace')[-2000:]}"
                raise TimeoutError(msg)
            time.sleep(0.1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Nobody needs what it holds: an orderly end takes seconds.
        family = psutil.Process(self._process.pid).children(recursive=True) if self._process.poll() is None else []
        self._process.kill()
        self._process.wait()
        for child in family:
            with suppress(psutil.NoSuchProcess):
                child.kill()
