"""A keyed feed of somebody's own package, through every command: its partitions are buckets, its history a table."""

import csv
import io
import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from lakehouse_assets.context import Lake, current
from lakehouse_assets.contracts.registry import registry_of
from lakehouse_assets.parsing.buckets import bucket_of
from lakehouse_assets.settings import settings
from lakehouse_assets_tests import customers
from lakehouse_assets_tests.conftest import Cli
from lakehouse_assets_tests.customers import Change
from lakehouse_assets_tests.erasure.traces import traces
from lakehouse_assets_tests.faults import scenario
from lakehouse_assets_tests.faults.killed import run_killed

pytestmark = pytest.mark.slow
MODULE = """
import dataframely as dy
from lakehouse_assets.contracts.declare import Model
from lakehouse_assets_tests import customers

FEED = customers.feed(gate=0.9)

class Moves(dy.Schema):
    \"\"\"One row per city.\"\"\"
    city = dy.String(primary_key=True, description="City.")
    now = dy.Int64(nullable=False, description="Customers that live there.")
    ever = dy.Int64(nullable=False, description="Customers that ever lived there.")

MOVES = Model(name="moves", schema=Moves, description="Moves.", owner="team:x")
"""
SQL = """
SELECT city, count(DISTINCT c.customer_id) AS now, count(DISTINCT h.customer_id) AS ever
FROM silver.customers_history h LEFT JOIN silver.customers c USING (customer_id, city)
WHERE city IS NOT NULL GROUP BY city
"""
ALL = [Change(at, "A", f"Name{at}", "Bern", 1) for at in range(1, 40)]
PERSON = 987654321


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    """A lake whose tables are those of a package of its own."""
    name = f"keyed_{tmp_path.name.replace('-', '_')}"
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("")
    (tmp_path / name / "customers.py").write_text(MODULE)
    (tmp_path / name / "moves.sql").write_text(SQL)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("LAKEHOUSE_DEFINITIONS", name)
    monkeypatch.setenv("LAKEHOUSE_ROOT", str(tmp_path / "lake"))
    settings.cache_clear()
    yield current()
    registry_of.cache_clear()
    settings.cache_clear()


@pytest.fixture
def does(lake: Lake, cli: Cli) -> Callable[..., str]:
    """Run a command that has to end well; return what it says."""

    def run(*arguments: str, code: int = 0) -> str:
        ran = cli(lake, *arguments)
        assert ran.returncode == code, ran.stdout + ran.stderr
        return ran.stdout + ran.stderr

    return run


def rows(does: Callable[..., str], query: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in json.loads(does("query", query, "--format", "json"))]


def listed(does: Callable[..., str]) -> list[dict[str, str]]:
    text = does("query", "FROM quarantine.customers", "--format", "csv")
    return list(csv.DictReader(io.StringIO(text)))


def test_every_command_knows_buckets_and_the_history(lake: Lake, does: Callable[..., str]) -> None:
    customers.land(lake, "a.csv", ALL)
    customers.land(lake, "b.csv", [Change(1, "A", "Name1", "Basel", 5), Change(2, "A", None, None, 6, "D")])
    does("run")
    assert rows(does, "FROM gold.moves ORDER BY city") == [("Basel", 1, 1), ("Bern", 37, 39)]
    assert rows(does, "SELECT count(*), count(*) FILTER (is_current) FROM silver.customers_history") == [(41, 38)]
    assert "Nothing is pending" in does("run")
    with duckdb.connect(f"{lake.settings.root}/catalog.duckdb", read_only=True) as catalog:
        assert catalog.sql("SELECT count(*) FROM silver.customers_history WHERE bucket < 3").fetchall() == [(41,)]
    assert "silver.customers_history" in does("tables")
    assert "bucket=00" in does("history", "silver.customers_history")
    dictionary = does("dictionary")
    assert "## silver.customers_history" in dictionary
    assert "`valid_from` of the next version" in dictionary
    assert "nothing" in does("plan").lower()
    does("verify", "--deep")
    does("maintain")
    does("verify")


def test_a_bucket_is_held_released_and_its_records_corrected(lake: Lake, does: Callable[..., str]) -> None:
    bad = "id,shop,name,city,at,op\n" + "".join(f"x{at},A,n,Bern,2026-01-01 00:00:00,U\n" for at in range(6))
    lake.store.replace("landing/customers/bad.csv", bad.encode())
    customers.land(lake, "a.csv", ALL)
    does("run", code=1)
    assert "silver.customers bucket=0" in does("status")
    does("quarantine", "list")
    [first, *_] = listed(does)
    place = ("customers", first["_source_key"], first["_line"])
    does("quarantine", "correct", *place, "--set", "id=1001", "--why", "typo")
    held = does("quarantine", "list", "--date", f"bucket={int(first['bucket']):02}")
    assert "bad.csv" in held
    ran = does("run", code=1)
    assert "bucket=0" in ran
    for line in [line for line in does("status").splitlines() if "silver.customers bucket=" in line]:
        bucket = line.partition("bucket=")[2][:2]
        does("release", "customers", f"bucket={bucket}", "--why", "known")
    does("run")
    assert rows(does, "SELECT count(*) FROM silver.customers") == [(40,)]
    assert rows(does, "SELECT city FROM silver.customers WHERE customer_id = 1001") == [("Bern",)]
    does("verify", "--deep")
    refused = does("restore", "silver.customers_history", "--version", "1", "--why", "x", code=1)
    assert "restore silver.customers, and" in " ".join(refused.split())


def test_a_forgotten_customer_is_in_no_byte_of_state_and_history(lake: Lake, does: Callable[..., str]) -> None:
    theirs = [Change(PERSON, "A", "P", "Bern", 1), Change(PERSON, "A", "P", "Basel", 5)]
    customers.land(lake, "a.csv", [*ALL, *theirs])
    does("run")
    # Others hold the bucket, so that state and history keep a version in which the person stands.
    feed = lake.registry.feed("customers")
    beside = bucket_of({"id": str(PERSON), "shop": "A"}, feed)
    bad = [key for key in map(str, range(500, 600)) if bucket_of({"id": key, "shop": "A"}, feed) == beside][:6]
    wrong = "".join(f"{key},A,n,Bern,never,U\n" for key in [str(PERSON), *bad])
    lake.store.replace("landing/customers/bad.csv", f"id,shop,name,city,at,op\n{wrong}".encode())
    customers.land(lake, "b.csv", [Change(PERSON, "A", None, None, 9, "D")])
    assert beside in does("run", code=1)
    assert len(traces(lake, str(PERSON))) > 6
    does("forget", "customers", f"customer_id={PERSON}", "--why", "asked")
    assert traces(lake, str(PERSON)) == []
    assert rows(does, "SELECT count(*) FROM silver.customers_history") == [(39,)]
    does("verify", "--deep")


def test_a_run_that_is_killed_between_history_and_state_is_simply_run_again(
    lake: Lake, does: Callable[..., str], tmp_path: Path
) -> None:
    first, later = [Change(1, "A", "Anna", "Bern", 1)], [Change(1, "A", "Anna", "Basel", 5)]
    customers.land(lake, "a.csv", first)
    does("run")
    customers.land(lake, "b.csv", later)
    package = os.environ["LAKEHOUSE_DEFINITIONS"]
    env = scenario.environment(lake, LAKEHOUSE_DEFINITIONS=package, PYTHONPATH=str(tmp_path))
    twin = scenario.copy_of(lake, tmp_path / "twin")
    traced = scenario.environment(twin, LAKEHOUSE_DEFINITIONS=package, PYTHONPATH=str(tmp_path))
    points = tmp_path / "points"
    assert run_killed(0, points, "run", env=traced) == 0
    deadly = points.read_text().splitlines().index("after overwrite silver/customers_history") + 1
    assert run_killed(deadly, tmp_path / "trace", "run", env=env) == -signal.SIGKILL
    assert customers.current(lake) == customers.expected(first)[0]
    does("run")
    assert (customers.current(lake), customers.history(lake)) == customers.expected([*first, *later])
    does("verify", "--deep")
