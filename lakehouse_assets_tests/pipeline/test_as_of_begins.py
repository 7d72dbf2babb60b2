"""How the index of a model begins: with the first version of a history, and anew where it is of another form."""

from pathlib import Path

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.pipeline import as_of_index, as_of_update
from lakehouse_assets.query.verify import verify
from lakehouse_assets_tests.pipeline.enriched import (
    CUSTOMERS,
    DAYS,
    PRODUCTS,
    SALES,
    Version,
    built,
    expected,
    lake_of,
    pending,
    put,
    rows,
)


@pytest.mark.slow
def test_without_versions_there_is_no_index_and_the_first_one_has_each_date_looked_at_once(tmp_path: Path) -> None:
    lake = lake_of(tmp_path)
    put(lake, "sales", sales=SALES)
    assert (pending(lake), built(lake), pending(lake)) == (DAYS, DAYS, [])
    assert not list(lake.store.list("ops/enriched_as_of"))
    assert list(verify(lake)) == []
    put(lake, "first", [Version("bob", "new", 30)])
    assert (pending(lake), list(verify(lake))) == (DAYS, [])
    assert (built(lake), pending(lake)) == ([DAYS[1]], [])
    put(lake, "late", [Version("nobody", "found", 20)])
    assert (pending(lake), built(lake)) == ([DAYS[2]], [DAYS[2]])
    assert rows(lake) == expected([Version("bob", "new", 30), Version("nobody", "found", 20)], [], SALES)
    assert list(verify(lake)) == []


@pytest.mark.slow
def test_an_index_of_another_form_is_read_again_and_nothing_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = lake_of(tmp_path)
    put(lake, "first", CUSTOMERS, PRODUCTS, SALES)
    monkeypatch.setattr(as_of_index, "_FORM", 1)
    assert built(lake) == DAYS
    monkeypatch.undo()
    assert (pending(lake), built(lake), pending(lake)) == (DAYS, [], [])
    assert list(verify(lake)) == []


def test_nothing_is_looked_at_for_a_model_without_such_joins(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(as_of_update, "Index", None)
    as_of_update.bring_up_to_date(lake, lake.registry.models["daily_sales"], ["2026-03-01"])
