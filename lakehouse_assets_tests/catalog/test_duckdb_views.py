"""The catalog goes on from the last one: what a run costs it follows from the tables that the run wrote."""

from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from lakehouse_assets.catalog import duckdb_select, duckdb_views
from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Table
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets_tests.conftest import copied, lake_at
from lakehouse_assets_tests.retail import DAY, day, ingest, land, publish, sales, sales_csv

VIEWS = "SELECT schema_name || '.' || view_name, sql, comment FROM duckdb_views() WHERE NOT internal"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake with one published date. Read only."""
    lake = lake_at(str(tmp_path_factory.mktemp("published") / "lake"))
    land(lake, "a.csv", sales_csv(day(DAY)))
    ingest(lake)
    publish(lake)
    return lake


@pytest.fixture
def shown(prepared: Lake, tmp_path: Path) -> Lake:
    """A copy of that lake, with a catalog of its own."""
    lake = copied(prepared, tmp_path / "lake")
    duckdb_views.rebuild(lake)
    return lake


def views(lake: Lake) -> list[tuple[str, str, str]]:
    """Return the views of the catalog: name, SQL, comment."""
    with duckdb.connect(lake.store.uri(duckdb_views.PATH), read_only=True) as connection:
        return sorted(connection.sql(VIEWS).fetchall())


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the tables whose views were written, in order, as they are."""
    names: list[str] = []
    select = duckdb_select.select_of

    def noted(lake: Lake, table: Table) -> str:
        names.append(table.full_name)
        return select(lake, table)

    monkeypatch.setattr(duckdb_views, "select_of", noted)
    return names


@pytest.mark.slow(covered=True)
def test_only_views_of_tables_that_changed_are_written_and_the_catalog_is_that_of_a_first_run(
    shown: Lake, written: list[str]
) -> None:
    land(shown, "b.csv", sales_csv(day("2011-03-02")))
    ingest(shown)
    publish(shown)

    names = duckdb_views.rebuild(shown)

    assert "silver.sales" in written
    assert not [name for name in written if name.startswith("gold.")]
    found = views(shown)
    shown.store.delete(duckdb_views.PATH)
    assert duckdb_views.rebuild(shown) == names
    assert views(shown) == found
    assert {name for name, _, _ in found} == set(names) == {*written, *shown.registry.views}


@pytest.mark.slow(covered=True)
def test_a_table_that_is_no_longer_declared_has_no_view(shown: Lake) -> None:
    without = replace(shown, registry=Registry([sales(shown)], []))
    assert [name for name, _, _ in views(shown) if name.startswith("gold.")]

    duckdb_views.rebuild(without)

    assert not [name for name, _, _ in views(without) if name.startswith("gold.")]


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize("file", ["catalog.duckdb", "catalog.json"])
def test_a_damaged_catalog_is_written_from_nothing(shown: Lake, written: list[str], file: str) -> None:
    found = views(shown)
    shown.store.replace(file, b"not what it was")
    assert duckdb_views.state(shown).pending

    names = duckdb_views.rebuild(shown)

    assert views(shown) == found
    assert set(written) | set(shown.registry.views) == set(names)
