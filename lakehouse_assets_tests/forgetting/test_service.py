"""What forgetting does where nobody is found: the request stands, and no earlier version of a table is removed."""

from pathlib import Path

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.decisions import recorded
from lakehouse_assets.decisions.kinds import Erase
from lakehouse_assets.forgetting import service
from lakehouse_assets.forgetting.found import Found
from lakehouse_assets.forgetting.request import ask
from lakehouse_assets.query.tables import frames
from lakehouse_assets_tests.conftest import copied, lake_at
from lakehouse_assets_tests.erasure.traces import traces
from lakehouse_assets_tests.retail import DAY, day, land, run, sales, sales_csv

NOBODY, SOMEBODY = "9876543210", "1234567890"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake whose tables have several versions. Read only."""
    lake = lake_at(str(tmp_path_factory.mktemp("history") / "lake"))
    for number, key in enumerate(("a.csv", "b.csv")):
        land(lake, key, sales_csv(day(DAY, 20, CustomerID=SOMEBODY, InvoiceNo=f"54000{number}")))
        run(lake)
    return lake


@pytest.fixture
def lake_with_history(prepared: Lake, tmp_path: Path) -> Lake:
    """A copy of that lake."""
    return copied(prepared, tmp_path / "lake")


def forget(lake: Lake, person: str) -> Found:
    request = ask(lake, sales(lake), f"customer_id={person}", "a request", "ann")
    return service.forget(request, lambda: run(lake), lambda _: None)


def files_of_tables(lake: Lake) -> set[str]:
    return {stored.path for folder in ("silver", "quarantine", "ops", "bronze") for stored in lake.store.list(folder)}


@pytest.mark.slow
def test_where_nobody_is_found_no_version_is_removed_and_the_request_stands(lake_with_history: Lake) -> None:
    lake = lake_with_history
    before = files_of_tables(lake)

    for _ in range(2):  # the second time, the request is known
        found = forget(lake, NOBODY)
        assert (found.counts, found.problems, found.unsearched) == ({}, [], [])
        assert found.report
    assert files_of_tables(lake) == before
    assert [type(decision) for decision in recorded.Decisions.load(lake.store, "sales").taken] == [Erase]

    land(lake, "late.csv", sales_csv(day(DAY, 2, CustomerID=NOBODY)))
    run(lake)
    assert frames(lake)["silver.sales"].collect()["customer_id"].unique().to_list() == [SOMEBODY]
    assert traces(lake, NOBODY) == []


@pytest.mark.slow
def test_what_was_interrupted_removes_the_versions_though_nobody_is_left(lake_with_history: Lake) -> None:
    lake = lake_with_history
    recorded.record(lake.store, ask(lake, sales(lake), f"customer_id={NOBODY}", "a request").decision)
    before = files_of_tables(lake)

    found = forget(lake, NOBODY)

    assert (found.problems, bool(found.report)) == ([], True)
    assert {path for path in before - files_of_tables(lake) if path.startswith("silver/sales/_delta_log/")}


@pytest.mark.slow
def test_a_value_in_a_text_of_the_ledger_only_removes_its_versions(lake_with_history: Lake) -> None:
    lake = lake_with_history
    land(lake, "odd.csv", f"{NOBODY},Customer\n1,2\n".encode())
    run(lake)
    assert traces(lake, NOBODY)

    forget(lake, NOBODY)

    assert traces(lake, NOBODY) == []


@pytest.mark.slow
def test_somebody_is_gone_from_every_version(lake_with_history: Lake) -> None:
    lake = lake_with_history

    found = forget(lake, SOMEBODY)

    assert found.problems == []
    assert found.counts["bronze", "records"] == 40
    assert traces(lake, SOMEBODY) == []
