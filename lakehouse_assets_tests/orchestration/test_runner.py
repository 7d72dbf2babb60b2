"""What a session of runs looks at, and in which order: landing before and after the tables, and not between them."""

from collections.abc import Iterator

import pytest

from lakehouse_assets.catalog.duckdb_views import DuckDbViews
from lakehouse_assets.context import Lake
from lakehouse_assets.orchestration.runner import _waves
from lakehouse_assets.storage.local import LocalStore
from lakehouse_assets.storage.stores import Stored
from lakehouse_assets_tests import retail
from lakehouse_assets_tests.retail import sales_csv


@pytest.mark.slow(covered=True)
def test_landing_is_listed_before_and_after_the_tables_and_what_lands_meanwhile_is_ingested(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed: list[str] = []
    listing = LocalStore.list

    def counted(store: LocalStore, prefix: str, after: str = "") -> Iterator[Stored]:
        listed.append(prefix)
        return listing(store, prefix, after)

    retail.land(lake, "1.csv", sales_csv(2, "2011-03-01"))
    monkeypatch.setattr(LocalStore, "list", counted)
    exhausted: dict[tuple[str, str], int] = {}
    waves = _waves(lake, exhausted)

    assert next(waves).wave == "ingest"
    assert listed.count("landing/sales") == 1
    retail.ingest(lake)
    listed.clear()
    assert next(waves).wave == "publish"
    retail.publish(lake)
    assert next(waves).wave == "build-0"
    retail.build(lake)
    assert next(waves).wave == "catalog"
    DuckDbViews().refresh(lake)
    assert "landing/sales" not in listed

    retail.land(lake, "2.csv", sales_csv(2, "2011-03-02"))
    again = next(waves)
    assert (again.wave, list(again.tables["landing/sales"])) == ("ingest", ["2.csv"])
    exhausted |= {("landing/sales", key): value for key, value in again.tables["landing/sales"].items()}
    assert list(waves) == [], "it could not be done now"
