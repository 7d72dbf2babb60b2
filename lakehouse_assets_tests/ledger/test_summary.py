"""A ledger's summary spares reading its entries, and is believed only if it is that of the ledger's files."""

import json
from pathlib import Path

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.ledger import ledger as ledgers
from lakehouse_assets.ledger import summary
from lakehouse_assets.pipeline.pending import FeedState
from lakehouse_assets.query.overview import sizes
from lakehouse_assets_tests import retail
from lakehouse_assets_tests.conftest import copied, lake_at
from lakehouse_assets_tests.retail import sales, sales_csv

_PATH = "ledger_summary/sales.json"


@pytest.fixture(scope="module")
def published_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake in which two dates are published, one of them after today. Read only."""
    lake = lake_at(str(tmp_path_factory.mktemp("published") / "lake"))
    for key, date in (("a.csv", "2011-03-01"), ("b.csv", "2999-01-01")):
        retail.land(lake, key, sales_csv(2, date))
        retail.ingest(lake)
        retail.publish(lake)
    return lake


@pytest.fixture
def published(published_lake: Lake, tmp_path: Path) -> Lake:
    """A copy of that lake."""
    return copied(published_lake, tmp_path / "lake")


def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make this process know as little as a new one."""
    monkeypatch.setattr(ledgers, "_REMEMBERED", {})
    monkeypatch.setattr(ledgers, "_LOGS", {})


@pytest.mark.slow(covered=True)
def test_a_new_process_reads_no_entry_of_an_unchanged_ledger(published: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    before = FeedState.of(published, sales(published)).inputs, sizes(published)
    _forget(monkeypatch)
    assert (FeedState.of(published, sales(published)).inputs, sizes(published)) == before
    assert not published.ledger_of(sales(published)).is_read


@pytest.mark.parametrize("damage", ["gone", "cut", "of other files"])
def test_a_summary_that_is_not_the_ledgers_is_not_believed(
    published: Lake, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = FeedState.of(published, sales(published)).inputs
    data = published.store.read(_PATH)
    if damage == "gone":
        published.store.delete(_PATH)
    elif damage == "cut":
        published.store.replace(_PATH, data[:-9])
    else:
        found = json.loads(data)
        for fingerprints in found["summary"]["fingerprints"].values():
            fingerprints.update(dict.fromkeys(fingerprints, 1))
        published.store.replace(_PATH, json.dumps(found | {"files": "0" * 64}).encode())
    _forget(monkeypatch)
    assert FeedState.of(published, sales(published)).inputs == before


def test_what_lands_after_it_is_counted(published: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    retail.land(published, "c.csv", sales_csv(3, "2011-03-01"))
    retail.ingest(published)  # and killed before it is published
    _forget(monkeypatch)
    ledger = published.ledger_of(sales(published))
    assert ledger.summary.partitions == {"2011-03-01": 5, "2999-01-01": 2}
    assert FeedState.of(published, sales(published)).pending == ["2011-03-01"]


def test_a_summary_of_another_version_of_the_code_is_not_believed(lake: Lake) -> None:
    lake.store.replace(_PATH, b'{"files": "", "summary": {"other": 1}}')
    assert summary.read(lake.store, "sales", frozenset()) is None
