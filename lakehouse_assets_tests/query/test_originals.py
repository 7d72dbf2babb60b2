"""What bronze holds is what the landed originals say, as far as landing still has them."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.query import originals
from lakehouse_assets.query.originals import disagreements
from lakehouse_assets.query.verify import verify
from lakehouse_assets_tests.decisions.manifests import promise
from lakehouse_assets_tests.retail import DAY, day, ingest, land, line, publish, sales, sales_csv, zipped

NEXT = "2011-03-02"


@pytest.fixture
def landed(lake: Lake) -> Lake:
    """A lake of a file, a zip with a rejected member, a rejected, a held and an empty object."""
    land(lake, "x.csv", sales_csv([*day(DAY), line(Quantity="six"), line(InvoiceDate="yesterday")]))
    land(lake, "drop.zip", zipped({"a.csv": sales_csv(4, NEXT), "b.csv": b"nothing"}))
    promise(lake, "held.csv.manifest.json", rows=99)
    land(lake, "held.csv", sales_csv([line(Quantity="1000")]))
    land(lake, "bad.csv", b"")
    land(lake, "none.csv", sales_csv(0))
    ingest(lake)
    publish(lake)
    return lake


def _found(lake: Lake, *, deep: bool = True) -> list[str]:
    return [finding.what for finding in disagreements(lake, sales(lake), deep=deep)]


def _change(lake: Lake, key: str, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    """Change the bronze records of a source object behind the lake's back, then compute its dates again."""
    live = lake.ledger_of(sales(lake)).live.filter(pl.col("source_key") == key)
    for partition, file in live.select("part", "file").iter_rows():
        for path in Path(lake.settings.root).glob(f"bronze/sales/dt={partition}/{file}.parquet"):
            change(pl.read_parquet(path, hive_partitioning=False)).write_parquet(path)
    publish(lake, force=True)


@pytest.mark.slow(covered=True)
def test_what_was_only_ingested_agrees(landed: Lake) -> None:
    assert _found(landed) == []


@pytest.mark.slow
@pytest.mark.parametrize("key", ["x.csv", "drop.zip!a.csv"])
def test_bronze_that_holds_other_values_is_found_though_all_that_follows_from_it_agrees(landed: Lake, key: str) -> None:
    _change(landed, key, lambda rows: rows.with_columns(pl.lit("Narnia").alias("Country")))
    expected = (
        f"bronze.sales: what bronze holds of {key} is not what its landed original says; `lakehouse run bronze.sales"
    )
    [found] = [str(finding) for finding in verify(landed)]
    assert found.startswith(expected)


@pytest.mark.slow(covered=True)
def test_a_column_that_bronze_lost_is_found(landed: Lake) -> None:
    _change(landed, "x.csv", lambda rows: rows.drop("CustomerID"))
    assert len(_found(landed)) == 1


@pytest.mark.slow(covered=True)
def test_originals_that_are_gone_or_replaced_are_for_others_to_tell_of(landed: Lake) -> None:
    _change(landed, "x.csv", lambda rows: rows.drop("CustomerID"))
    land(landed, "x.csv", sales_csv(2))
    (Path(landed.settings.root) / "landing/sales/drop.zip").unlink()
    assert _found(landed) == []


@pytest.mark.slow(covered=True)
def test_a_sample_is_read_unless_all_are_asked_for(landed: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    for key in ("x.csv", "drop.zip!a.csv"):
        _change(landed, key, lambda rows: rows.with_columns(pl.lit("Narnia").alias("Country")))
    assert len(_found(landed, deep=False)) == 2  # fewer objects than a sample
    monkeypatch.setattr(originals, "SAMPLE", 0)
    assert _found(landed, deep=False) == []
    assert len(_found(landed)) == 2
