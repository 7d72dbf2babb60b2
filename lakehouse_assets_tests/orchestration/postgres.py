"""A private Postgres cluster for tests: Debian's programs, a folder and a port of its own, never as root."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest


def _programs() -> Path | None:
    return max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)


def _user() -> list[str]:
    """Return how to start a program as somebody who is not root, which Postgres refuses."""
    return ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []


@dataclass(frozen=True)
class Postgres:
    """A running cluster."""

    programs: Path
    folder: Path
    port: int

    @classmethod
    @contextmanager
    def started(cls) -> Iterator["Postgres"]:
        """Start a cluster; skip the test where that cannot be."""
        programs = _programs()
        if programs is None:
            pytest.skip("there is no Postgres: apt-get install postgresql")
        pytest.importorskip("dagster_postgres")
        folder = Path(tempfile.mkdtemp(prefix="lakehouse-postgres-"))
        try:
            if _user():
                os.chown(folder, pwd.getpwnam("postgres").pw_uid, -1)
            with socket.socket() as found:
                found.bind(("127.0.0.1", 0))
                server = cls(programs, folder, found.getsockname()[1])
            server.run("initdb", "-D", f"{folder}/data", "-U", "dagster", "-A", "trust", "--no-sync")
            server.start()
            try:
                yield server
            finally:
                server.run("pg_ctl", "-D", f"{folder}/data", "-m", "immediate", "stop")
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def start(self) -> None:
        """Start the server, also after it was killed."""
        options = (
            f"-c listen_addresses=127.0.0.1 -c port={self.port} -c unix_socket_directories={self.folder} -c fsync=off"
        )
        self.run("pg_ctl", "-D", f"{self.folder}/data", "-l", f"{self.folder}/log", "-w", "-o", options, "start")

    def kill(self) -> None:
        """Kill the server and all that it has started, as a machine that goes down does."""
        server = psutil.Process(int((self.folder / "data" / "postmaster.pid").read_text().splitlines()[0]))
        family = [server, *server.children(recursive=True)]
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(family, timeout=10)

    def run(self, program: str, *arguments: str) -> str:
        """Run one of Postgres' programs and return what it prints."""
        done = subprocess.run(
            [*_user(), str(self.programs / program), *arguments], stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=60, check=True, cwd=self.folder,
        )  # fmt: skip
        return "" if program == "pg_ctl" else done.stdout

    def configure(self, home: Path, database: str) -> None:
        """Make a database, and write the configuration of an instance that keeps everything in it."""
        self.create(database)
        home.mkdir(parents=True, exist_ok=True)
        (home / "dagster.yaml").write_text(
            f"""\
telemetry: {{enabled: false}}
storage:
  postgres:
    postgres_db:
      scheme: postgresql+psycopg2
      hostname: 127.0.0.1
      port: {self.port}
      username: dagster
      password: unused
      db_name: {database}
""",
            encoding="utf-8",
        )

    def create(self, database: str) -> None:
        """Make an empty database."""
        self.run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "dagster", database)

    def dump(self, database: str) -> str:
        """Return everything that a database holds, as SQL."""
        return self.run("pg_dump", "-h", "127.0.0.1", "-p", str(self.port), "-U", "dagster", "--inserts", database)
