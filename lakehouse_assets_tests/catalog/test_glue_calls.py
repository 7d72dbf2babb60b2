"""Glue is asked again when it is busy, and races with other writers end with what the lake says."""

import threading
import time
from collections import Counter
from dataclasses import replace
from itertools import count
from typing import Any

import polars as pl
import pytest
from botocore.stub import Stubber

from lakehouse_assets.catalog.glue import GlueCatalog
from lakehouse_assets.catalog.glue_calls import GlueCalls
from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.partitioning import Partitioning
from lakehouse_assets.storage.schema_evolution import open_table
from lakehouse_assets.storage.stores import StorageError
from lakehouse_assets_tests.catalog.conftest import declaring
from lakehouse_assets_tests.catalog.glue_in_memory import Glue
from lakehouse_assets_tests.faults.conftest import EVERYTHING
from lakehouse_assets_tests.retail import sales

CATALOG = GlueCatalog("lake")
SALES = "lake_silver.sales"
_TABLES, _PER_SECOND = (1_000, 100) if EVERYTHING else (60, 50)


@pytest.mark.slow(covered=True)
def test_races_with_others_end_with_what_the_lake_says(shown: Lake, glue: Glue) -> None:
    seen: Counter[str] = Counter()

    def fault(call: str, body: dict[str, Any]) -> str | None:
        name = body.get("TableInput", {}).get("Name", body.get("DatabaseInput", {}).get("Name", ""))
        seen[f"{call} {name}"] += 1
        if seen[f"{call} {name}"] > 1:
            return None
        return {
            "CreateDatabase": "AlreadyExistsException" if name == "lake_gold" else None,
            "CreateTable": "AlreadyExistsException",
            "UpdateTable": "ConcurrentModificationException" if name == "sales" else "EntityNotFoundException",
        }.get(call)

    glue.client.create_database(DatabaseInput={"Name": "lake_gold"})
    glue.fault = fault
    assert CATALOG.refresh(shown).counts == {"tables": 11, "writes": 11}
    glue.fault = lambda *_: None
    glue.change(SALES, Description="by hand")
    glue.change("lake_gold.daily_sales", Description="by hand")
    seen.clear()
    glue.fault = fault
    CATALOG.refresh(shown)
    assert glue.table(SALES)["Description"] == sales(shown).silver.description
    assert list(CATALOG.problems(shown)) == []


def test_a_database_that_goes_meanwhile_is_named(shown: Lake, glue: Glue) -> None:
    glue.fault = lambda call, body: (
        "EntityNotFoundException" if call == "CreateTable" and body["DatabaseName"] == "lake_gold" else None
    )
    with pytest.raises(StorageError, match=r"The database lake_gold went out of Glue"):
        CATALOG.refresh(shown)


def test_a_foreign_table_that_is_made_at_the_same_moment_is_left_alone(shown: Lake, glue: Glue) -> None:
    made: list[dict[str, Any]] = []

    def fault(call: str, body: dict[str, Any]) -> str | None:
        if call == "CreateTable" and body["TableInput"].get("Name") == "sales" and not made:
            made.append(body)
            glue.client.create_table(DatabaseName=body["DatabaseName"], TableInput={"Name": "sales", "Owner": "them"})
            return "AlreadyExistsException"
        return None

    glue.fault = fault
    done = CATALOG.refresh(shown)
    assert len(done.lists["left alone"]) == 1
    assert glue.table(f"{made[0]['DatabaseName']}.sales")["Owner"] == "them"


@pytest.mark.slow(covered=True)
def test_what_is_refused_says_which_permission_and_the_next_refresh_goes_on(shown: Lake, glue: Glue) -> None:
    glue.fault = lambda call, body: (
        "AccessDeniedException" if call == "CreateTable" and body["TableInput"]["Name"] == "daily_sales" else None
    )
    with pytest.raises(StorageError, match=r"Glue refused glue:CreateTable of lake_gold.daily_sales: .*AccessDenied"):
        CATALOG.refresh(shown)
    assert CATALOG.state(shown).pending
    glue.fault = lambda *_: None
    done = CATALOG.refresh(shown).counts
    assert done["tables"] == 11
    assert 1 <= done["writes"] < 11, "those that had not been begun are left, too"


def many(lake: Lake, number: int) -> Lake:
    """Return a lake with that many Delta tables, each with one column."""
    table = replace(lake.registry.models["daily_sales"].table, name="table_0000")
    open_table(lake.store, table.path, {"a": pl.Int64()}, Partitioning.SNAPSHOT)
    tables = [replace(table, name=f"table_{at:04}") for at in range(number)]
    for item in list(lake.store.list(table.path)):
        data = lake.store.read(item.path)
        for other in tables[1:]:
            lake.store.create(item.path.replace(table.path, other.path), data)
    return declaring(lake, *tables)


class Throttle:
    """Refuses what comes faster than a rate, as AWS does: a bucket of tokens, filled at that rate."""

    def __init__(self, per_second: float) -> None:
        self._rate, self._tokens, self._at = per_second, per_second / 4, time.monotonic()
        self._lock = threading.Lock()

    def __call__(self, _call: str, _body: dict[str, Any]) -> str | None:
        with self._lock:
            now = time.monotonic()
            self._tokens = min(self._rate / 4, self._tokens + (now - self._at) * self._rate)
            self._at = now
            if self._tokens < 1:
                return "ThrottlingException"
            self._tokens -= 1
        return None


def test_a_throttled_call_is_repeated(shown: Lake, glue: Glue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.retries.bucket.TokenBucket.acquire", lambda *_, **__: None)  # waits for seconds
    sent = count(1)
    glue.fault = lambda *_: "ThrottlingException" if next(sent) % 4 == 0 else None
    assert CATALOG.refresh(shown).counts == {"tables": 11, "writes": 11}
    assert glue.refused.keys() >= {"GetTables", "CreateTable"}


@pytest.mark.slow
def test_many_tables_under_throttling_are_registered_and_a_second_refresh_writes_none(
    shown: Lake, glue: Glue, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = many(shown, _TABLES)
    glue.fault = Throttle(_PER_SECOND)
    began = time.monotonic()

    done = CATALOG.refresh(lake)

    took, refused = time.monotonic() - began, sum(glue.refused.values())
    assert done.counts == {"tables": _TABLES + 2, "writes": _TABLES + 2}
    assert refused
    glue.calls.clear()
    glue.fault = lambda *_: None
    began = time.monotonic()
    assert CATALOG.refresh(lake).counts["writes"] == 0
    assert glue.calls == {"GetTables": 5}, "moto gives all tables in one page, Glue a hundred"
    again = time.monotonic() - began
    with capsys.disabled():
        print(f"\n{_TABLES:,} tables: {took:.0f} s, {refused:,} calls throttled; again {again:.1f} s")  # noqa: T201 - measured


def test_tables_are_read_page_after_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)  # it keeps the credentials that it saw first, for all tests
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    calls = GlueCalls("us-east-1")
    with Stubber(calls._client) as stub:
        asked = {"DatabaseName": "lake_gold"}
        stub.add_response("get_tables", {"TableList": [{"Name": "a"}], "NextToken": "more"}, asked)
        stub.add_response("get_tables", {"TableList": [{"Name": "b"}]}, asked | {"NextToken": "more"})
        assert calls.tables("lake_gold") == {"a": {"Name": "a"}, "b": {"Name": "b"}}
