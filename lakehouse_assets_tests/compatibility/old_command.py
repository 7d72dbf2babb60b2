"""The old code's command on its lake, and what it says of it. Not here: in which order the lake is made."""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deltalake import DeltaTable


class OldLake:
    """A lake, and the old code's command on it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def said(self, *arguments: str, fine: tuple[int, ...] = (0,)) -> str:
        """Run a verb and return what it says; stop where its exit code is another one than expected."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("LAKEHOUSE_", "DAGSTER_", "AWS_"))}
        # Whoever makes this lake, the decisions that name nobody are ann's.
        environment |= {"LAKEHOUSE_ROOT": str(self.root), "LOGNAME": "ann", "COLUMNS": "200"}
        command = [str(Path(sys.executable).with_name("lakehouse")), *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode not in fine:
            msg = f"{' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
            raise RuntimeError(msg)
        sys.stderr.write(f"$ lakehouse {' '.join(arguments)}\n")
        return done.stdout

    def land(self, **files: bytes) -> None:
        """Land files by name, with `__` for a dot and `_` for a dash."""
        with tempfile.TemporaryDirectory() as folder:
            for name, data in files.items():
                Path(folder, name.replace("__", ".").replace("_", "-")).write_bytes(data)
            self.said("land", "sales", folder)

    def run(self) -> None:
        """Process all that is pending; held and rejected is what this lake is full of."""
        self.said("run", fine=(0, 1))

    def asked(self, sql: str, *more: str) -> list[dict[str, Any]]:
        """Return the rows of a query, with every number that is no integer as it is written."""
        rows: list[dict[str, Any]] = json.loads(self.said("query", sql, "--format", "json", *more), parse_float=str)
        return rows

    def decided(self, *arguments: str) -> str:
        """Take a decision, and return its id."""
        told = self.said(*arguments, "--who", "ann")
        found: list[str] = re.findall(r"Recorded \w+ (\S+?)\.(?:\s|$)", told)
        return found[0]

    def line(self, key: str, rule: str) -> str:
        """Return the line of a quarantined record of an object."""
        where = f"_source_key = '{key}' AND list_contains(rules, '{rule}')"
        return str(self.asked(f"SELECT min(_line) AS line FROM quarantine.sales WHERE {where}")[0]["line"])  # noqa: S608

    def version(self, table: str) -> int:
        """Return the latest version of a Delta table."""
        return DeltaTable(str(self.root / table)).version()

    def tables(self) -> dict[str, list[str]]:
        """Return rows and dates of every table, as `lakehouse tables` says."""
        lines = (line.split() for line in self.said("tables").splitlines())
        return {words[0]: words[1:-4] for words in lines if words and "." in words[0]}

    def answers(self) -> dict[str, dict[str, Any]]:
        """Return all of every table: its columns, and its rows in an order of their own."""
        return {name: table(self.asked(f"FROM {name}")) for name in self.tables()}


def table(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return rows as columns and sorted lists of values."""
    values = [list(row.values()) for row in rows]
    return {"columns": list(rows[0]) if rows else [], "rows": sorted(values, key=json.dumps)}


def what_is_said(lake: OldLake) -> dict[str, Any]:
    """Return all that the lake answers."""
    return {"status": lake.said("status").splitlines(), "tables": lake.tables(), "answers": lake.answers()}


def but(after: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Return of some answers those that are others than before."""
    changed = {name: rows for name, rows in after["answers"].items() if rows != before["answers"][name]}
    return {**after, "answers": changed}
