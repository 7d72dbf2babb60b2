"""Spark and Sail for tests: each in one process for a whole module, over frames. Not here: what is asked of them."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import polars as pl

from lakehouse_assets.dialects.spark_sql import view_name

PYTHON = Path(sys.prefix) / "spark" / "bin" / "python"
ENGINES = ("sail", "jvm") if os.environ.get("FAULTS") == "all" else ("sail",)
"""A virtual machine takes minutes for what Sail does in seconds."""


class SparkError(Exception):
    """Spark could not answer."""


class SparkEngine:
    """A process in which queries run, started by the first one."""

    def __init__(self, engine: str, folder: Path) -> None:
        self.engine, self._folder, self._answers = engine, folder, 0
        folder.mkdir(parents=True, exist_ok=True)
        self._errors = (folder / "stderr").open("w")
        self._process = subprocess.Popen(
            [PYTHON, Path(__file__).with_name("spark_process.py"), engine],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=os.environ | {"SPARK_LOCAL_DIRS": str(folder), "SPARK_LOCAL_IP": "127.0.0.1"},
            cwd=folder,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()  # which the virtual machine has, too
        self._errors.close()

    def answer(self, sql: str, tables: Mapping[str, pl.DataFrame] | None = None) -> pl.DataFrame:
        """Return the rows of a query over some tables. Raises `SparkError`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._answers += 1
        views = {}
        for name, frame in (tables or {}).items():
            file = self._folder / f"{view_name(name)}-{self._answers}.parquet"
            frame.write_parquet(file)
            views[view_name(name)] = str(file)
        to = self._folder / f"answer-{self._answers}.parquet"
        self._process.stdin.write(json.dumps({"views": views, "sql": sql, "to": str(to)}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SparkError((self._folder / "stderr").read_text()[-2000:])
        if (why := json.loads(line)) is not None:
            raise SparkError(why)
        found = pl.read_parquet(to)
        to.unlink()  # the tables stay: a view reads its file again
        return found
