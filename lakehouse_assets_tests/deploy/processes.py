"""The processes of the image on this machine: started by their documented commands, killed, and started again.

Postgres is Debian's, S3 a server of the tests. Instead of ECS, runs are processes beside the code location and die
with it. As on ECS, what ends by itself is started again.
"""

import json
import os
import shutil
import signal
import stat
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import psycopg2
import yaml

from lakehouse_assets_tests.deploy.image import DEPLOY, Installed, documented
from lakehouse_assets_tests.local_server import free_port
from lakehouse_assets_tests.orchestration.postgres import Postgres
from lakehouse_assets_tests.s3_server import S3Server

SALES_TABLES = Path(__file__).parents[1] / "sales_tables"
PROCESSES = {"code": "code location", "web": "web server", "daemon": "daemon"}
_LOOK_S = 0.5


class Processes:
    """Code location, web server and daemon of one lake on S3, with the tables of sales."""

    def __init__(self, folder: Path, installed: Installed, postgres: Postgres, s3: S3Server, root: str) -> None:
        """Write the configuration of the image, without ECS, into a folder that the processes cannot write."""
        self._folder, self._installed, self._postgres = folder, installed, postgres
        self.home, self._work, scratch = folder / "etc", folder / "work", folder / "tmp"
        for one in (self.home, self._work, scratch):
            one.mkdir()
        for name in ("workspace.yaml", "healthcheck.py"):
            shutil.copy(DEPLOY / name, self.home)
        shutil.copytree(SALES_TABLES, self.home / SALES_TABLES.name, ignore=shutil.ignore_patterns("__pycache__"))
        configured = yaml.safe_load((DEPLOY / "dagster.yaml").read_text(encoding="utf-8"))
        del configured["run_launcher"]
        configured["run_monitoring"] |= {"start_timeout_seconds": 30, "poll_interval_seconds": 5}
        (self.home / "dagster.yaml").write_text(yaml.safe_dump(configured), encoding="utf-8")
        self._ports = {"code": free_port(), "web": free_port(), "daemon": 0}
        self._environment = s3.environment | {
            "DAGSTER_HOME": str(self.home), "DAGSTER_LOGS_BUCKET": s3.bucket, "DAGSTER_CODE_HOST": "127.0.0.1",
            "DAGSTER_CODE_PORT": str(self._ports["code"]), "DAGSTER_PG_HOST": "127.0.0.1",
            "DAGSTER_PG_PORT": str(postgres.port), "DAGSTER_PG_USERNAME": "dagster", "DAGSTER_PG_PASSWORD": "unused",
            "DAGSTER_PG_DB": "dagster", "LAKEHOUSE_ROOT": root, "LAKEHOUSE_LOG_FORMAT": "json",
            "LAKEHOUSE_IDLE_INTERVAL_S": "4", "LAKEHOUSE_DEFINITIONS": SALES_TABLES.name, "PYTHONPATH": str(self.home),
            "TMPDIR": str(scratch), "PYTHONDONTWRITEBYTECODE": "1",
        }  # fmt: skip
        postgres.create("dagster")
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    @contextmanager
    def all_started(self) -> Iterator[Self]:
        """Start all of them at once, where they may write into one folder only; stop them at the end."""
        sealed = [self._work, self.home, self._installed.folder]
        try:
            for folder in sealed:
                _seal(folder, is_open=False)
            for name in PROCESSES:
                self.start(name)
            yield self
        except BaseException as error:
            error.add_note(self.told())
            raise
        finally:
            for name in self._running:
                self.kill(name)
            for folder in sealed:
                _seal(folder, is_open=True)

    def start(self, name: str) -> None:
        """Start a process by its command."""
        if name == "postgres":
            self._postgres.start()
            return
        own = {"/etc/lakehouse/workspace.yaml": str(self.home / "workspace.yaml"), "0.0.0.0": "127.0.0.1"}  # noqa: S104
        own |= {"4000": str(self._ports["code"]), "3000": str(self._ports["web"])}
        words = [own.get(word, word) for word in documented(PROCESSES[name])]
        with self._log(name).open("ab") as log:
            self._running[name] = self._installed.started(words, self._folder, log, **self._environment)

    def kill(self, name: str) -> None:
        """Kill a process and what it has started, as when a container goes down."""
        if name == "postgres":
            self._postgres.kill()
            return
        process = self._running[name]
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(20)

    def said(self, *words: str) -> tuple[int, str]:
        """Run a command in the image, such as `lakehouse status`."""
        with tempfile.TemporaryFile() as out:
            done = self._installed.started(list(words), self._work, out, **self._environment).wait(200)
            out.seek(0)
            return done, out.read().decode()

    def works(self, name: str) -> bool:
        """Ask the health check of the image."""
        port = [str(self._ports[name])] if self._ports[name] else []
        return self.said("python", str(self.home / "healthcheck.py"), name, *port)[0] == 0

    def wait_for(self, what: str, look: Callable[[], Any], seconds: float = 240) -> None:
        """Wait until something is so; meanwhile, start again what has ended by itself."""
        deadline = time.monotonic() + seconds
        while not look():
            if time.monotonic() > deadline:
                msg = f"{what}: not within {seconds} s"
                raise TimeoutError(msg)
            for name, process in self._running.items():
                if process.poll() is not None:
                    self.start(name)
            time.sleep(_LOOK_S)

    def asked(self, sql: str) -> list[tuple[Any, ...]]:
        """Ask Dagster's database; nothing while it is not there."""
        try:
            connection = psycopg2.connect(
                host="127.0.0.1", port=self._postgres.port, user="dagster", dbname="dagster", connect_timeout=5
            )
        except psycopg2.OperationalError:
            return []
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return list(cursor.fetchall())
        except psycopg2.Error:
            return []
        finally:
            connection.close()

    def under_way(self) -> list[str]:
        """Return the ids of the runs that have not ended."""
        ended = "('SUCCESS', 'FAILURE', 'CANCELED')"
        return [run for (run,) in self.asked(f"SELECT run_id FROM runs WHERE status NOT IN {ended}")]  # noqa: S608

    def graphql(self, query: str, **variables: Any) -> dict[str, Any]:
        """Ask the web server as the UI does."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._ports['web']}/graphql",
            json.dumps({"query": query, "variables": variables}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
            answer: dict[str, Any] = json.load(response)
        assert "errors" not in answer, answer
        data: dict[str, Any] = answer["data"]
        return data

    def told(self) -> str:
        """Return the ends of the logs."""
        return "\n".join(
            f"--- {name}\n{self._log(name).read_text(errors='replace')[-3000:]}"
            for name in PROCESSES
            if self._log(name).exists()
        )

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"


def _seal(folder: Path, *, is_open: bool) -> None:
    """Take the right to write from a folder and all that is in it, or give it back."""
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            mode = stat.S_IMODE(path.stat().st_mode)
            path.chmod(mode | stat.S_IWUSR if is_open else mode & ~0o222)
