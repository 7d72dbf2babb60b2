"""`lakehouse dev` for real: webserver, daemon and code server of one lake, all of them killed at the end."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import psutil

from lakehouse_assets_tests.forked import Forked
from lakehouse_assets_tests.local_server import free_port

_START_S, _STOP_S = 180, 15
_LOOK_S = 1.0
"""Between two looks: each opens tables, and what is waited for takes seconds."""
_Found = TypeVar("_Found")


def clean_environment(root: str) -> dict[str, str]:
    """Return the environment of a process that works on a lake, with the tables of the test and no other setting."""
    own = {"LAKEHOUSE_DEFINITIONS", "LAKEHOUSE_REPORT"}
    others = ("LAKEHOUSE_", "AWS_", "DAGSTER_")
    kept = {n: v for n, v in os.environ.items() if n in own or not n.startswith(others)}
    return kept | {"LAKEHOUSE_ROOT": root, "COLUMNS": "200"}


def lakehouse(root: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `lakehouse` on a lake, where the fixture `cli` cannot be had."""
    return Forked(*arguments, env=clean_environment(root)).finish(300)


def wait_for(what: str, look: Callable[[], _Found | None], seconds: float) -> _Found:
    """Return the first answer that is something. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(_LOOK_S)
    msg = f"{what}: not within {seconds} s"
    raise TimeoutError(msg)


class DevServer:
    """`lakehouse dev` on a free port of 127.0.0.1, in a process group of its own."""

    start_s = _START_S

    def __init__(self, root: str, log: Path, cloud: Mapping[str, str] | None = None, **settings: str) -> None:
        """Prepare it; `cloud` is the environment that points AWS clients at an emulator, and names the instance."""
        self.root, self._log, self.port = root, log, free_port()
        chosen = {f"LAKEHOUSE_{name.upper()}": value for name, value in settings.items()}
        self._environment = clean_environment(root) | chosen | dict(cloud or {})
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        command = [str(Path(sys.executable).with_name("lakehouse")), "dev", "--port", str(self.port)]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, env=self._environment, stdout=log, stderr=log, start_new_session=True
            )
        try:
            wait_for("the UI", self._answers, self.start_s)
        except BaseException as error:
            error.add_note(self._log.read_text(errors="replace")[-3000:])
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    @property
    def pid(self) -> int:
        return self._process.pid

    def graphql(self, query: str, **variables: Any) -> dict[str, Any]:
        """Ask the webserver as the UI does."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(  # noqa: S310 - a server of this test
            f"{self.url}/graphql", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
            answer: dict[str, Any] = json.load(response)
        assert "errors" not in answer, answer
        data: dict[str, Any] = answer["data"]
        return data

    def _answers(self) -> bool:
        assert self._process.poll() is None, "`lakehouse dev` ended"
        with suppress(OSError):
            locations = "{workspaceOrError {... on Workspace {locationEntries {loadStatus}}}}"
            entries = self.graphql(locations)["workspaceOrError"].get("locationEntries", [])
            return [entry["loadStatus"] for entry in entries] == ["LOADED"]
        return False

    def interrupt(self) -> None:
        """End it as a person does, by Ctrl+C; it stops its children itself."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(_STOP_S)

    def _stop(self) -> None:
        # Killed: its own end takes seconds. Runs are in process groups of their own.
        family = psutil.Process(self._process.pid).children(recursive=True) if self._process.poll() is None else []
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(family, timeout=5)
        self._process.wait(_STOP_S)
