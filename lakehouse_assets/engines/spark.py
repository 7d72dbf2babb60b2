"""A Spark job from the side of the lake: the document that it gets, and what it left. Not here: the job itself.

A job reads the files of the versions that were the latest when it was asked for, and writes into a folder of its own
below `staging`, which nobody else reads. How a job is started, `Start`, is up to who asks.
"""

import json
import os
import shutil
import subprocess
import sys
import uuid
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import polars as pl

from lakehouse_assets.contracts.declare import Table
from lakehouse_assets.settings import Settings
from lakehouse_assets.storage import delta, delta_types
from lakehouse_assets.storage.stores import LocalStore, Store
from lakehouse_assets.storage.temporary import TemporaryFolder

if TYPE_CHECKING:
    from deltalake import DeltaTable

STAGING = "staging"
"""The folder of the lake in which jobs write: see `maintenance.leftovers`."""
SCRIPT = Path(__file__).with_name("spark_job.py")
_NO_PIPES = ("DAGSTER_PIPES_CONTEXT", "DAGSTER_PIPES_MESSAGES")


class SparkError(Exception):
    """A job did not do what it was asked for; the message quotes no values of the data."""


class JobLostError(SparkError):
    """A job ended before it said what became of it. The next one may do better."""


@dataclass(frozen=True)
class Job:
    """One job, to be started.

    Attributes:
        table: SQL name of the table that it computes.
        folder: The folder of the lake that is the job's own.
    """

    table: str
    folder: str
    store: Store
    settings: Settings

    @property
    def document(self) -> str:
        """Address of the document."""
        return self.store.uri(f"{self.folder}/job.json")

    def command(self, packages: Path) -> tuple[list[str], dict[str, str]]:
        """Return command and environment that do the job on this machine.

        Args:
            packages: Where to put what the job needs of this Python besides Spark, which may be in another one.
        """
        python = self.settings.spark_python or sys.executable
        shipped = pipes_package(packages / "packages.zip")
        scratch = {"SPARK_LOCAL_DIRS": str(packages), "TMPDIR": str(packages), "RUST_LOG": "off"}
        scratch["PYSPARK_PYTHON"] = python  # its workers', too
        path = os.pathsep.join(filter(None, [str(shipped), os.environ.get("PYTHONPATH", "")]))
        return [python, str(SCRIPT), self.settings.spark, self.document], {**scratch, "PYTHONPATH": path}


Start = Callable[[Job], None]
"""Starts a job and waits for its end, however it ends."""


def start_process(job: Job) -> None:
    """Do a job in a process of this machine, which ends when this one does."""
    if job.settings.spark == "emr-serverless":
        raise SparkError("jobs of EMR Serverless are started by Dagster runs; use `lakehouse run`")
    folder = TemporaryFolder()
    command, added = job.command(folder.path)
    own = {name: value for name, value in os.environ.items() if name not in _NO_PIPES}
    subprocess.run(command, env=own | added, check=False)  # noqa: S603


def pipes_package(file: Path) -> Path:
    """Write the package by which a job tells a Dagster run what it does, to be shipped with the job's script."""
    found = util.find_spec("dagster_pipes")
    folder = Path(str(found.origin)).parent if found is not None else None
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for module in sorted(folder.rglob("*.py")) if folder is not None else ():
            archive.write(module, f"dagster_pipes/{module.relative_to(folder or module)}")
    return file


def files_of(store: Store, table: Table, partitions: list[str] | None) -> tuple["DeltaTable | None", pl.DataFrame]:
    """Return the latest version of a table, and a row for each file of some partitions of it: `path`, `size_bytes`.

    Args:
        partitions: None for all.
    """
    if not delta.exists(store, table.path):
        return None, pl.DataFrame(schema={"path": pl.String, "size_bytes": pl.Int64})
    opened = delta.latest(store, table.path)
    files = pl.DataFrame(opened.get_add_actions(flatten=True)).rename(lambda name: name.removeprefix("partition."))
    if partitions is not None and table.partitioning.is_by_date:
        files = files.filter(table.partitioning.filter(partitions))
    return opened, files


def input_of(store: Store, table: Table, partitions: list[str] | None, view: str, columns: list[str]) -> dict[str, Any]:
    """Return what a job has to know of one table that it reads.

    Args:
        partitions: None for all.
        view: The name under which its SQL reads the table.
        columns: The columns that the SQL may read.
    """
    opened, files = files_of(store, table, partitions)
    declared = [delta_types.field(name, column.dtype) for name, column in table.columns.items()]
    schema: dict[str, Any] = (
        {"type": "struct", "fields": declared} if opened is None else json.loads(opened.schema().to_json())
    )
    by = [name for name in table.partitioning.columns if opened is not None]
    groups: dict[tuple[Any, ...], list[str]] = {}
    for row in files.sort("path").iter_rows(named=True):
        address = store.uri(f"{table.path}/{unquote(row['path'])}")
        groups.setdefault(tuple(row[name] for name in by), []).append(address)
    return {
        "name": view,
        "folder": store.uri(table.path),
        "version": None if opened is None else opened.version(),
        "schema": schema,
        "partitioned_by": by,
        "columns": [name for name in columns if name in {field["name"] for field in schema["fields"]}],
        "groups": [
            {"values": {n: None if v is None else str(v) for n, v in zip(by, values, strict=True)}, "files": paths}
            for values, paths in groups.items()
        ],
    }


@contextmanager
def staged(
    store: Store, settings: Settings, table: str, work: Mapping[str, Any], inputs: list[dict[str, Any]], start: Start
) -> Iterator[pl.DataFrame | None]:
    """Yield the rows that a job computes; None for none at all. Its folder goes afterwards, whatever becomes of them.

    Args:
        work: What to do, as `spark_models.work_of` says it.

    Raises:
        SparkError: It failed.
    """
    job = Job(table, f"{STAGING}/{table}/{uuid.uuid4().hex}", store, settings)
    to, said = f"{job.folder}/rows", f"{job.folder}/outcome"
    asked = {"table": table, **work, "inputs": inputs, "output": store.uri(to), "outcome": store.uri(said)}
    try:
        store.create(f"{job.folder}/job.json", json.dumps(asked).encode())
        start(job)
        outcome = _outcome(store, said)
        if not outcome:
            msg = (
                f"{table}: the Spark job ended before it said what became of it: it was killed, ran out of memory, or "
                f"Spark cannot be started where LAKEHOUSE_SPARK={settings.spark} says. Nothing was written; run again."
            )
            raise JobLostError(msg)
        if "error" in outcome:
            raise SparkError(outcome["error"])
        files = [store.uri(item.path) for item in store.list(to) if item.path.endswith(".parquet")]
        yield pl.read_parquet(files, storage_options=store.options or None, glob=False) if files else None
    finally:
        remove(store, job.folder)


def remove(store: Store, folder: str) -> None:
    """Remove a folder of `STAGING` and all that is in it."""
    if isinstance(store, LocalStore):
        shutil.rmtree(store.uri(folder), ignore_errors=True)  # Spark writes hidden files, too
        return
    for item in list(store.list(folder)):
        store.delete(item.path)


def _outcome(store: Store, folder: str) -> Mapping[str, Any]:
    text = b"".join(store.read(item.path) for item in store.list(folder) if item.path.endswith(".txt"))
    return json.loads(text) if text else {}
