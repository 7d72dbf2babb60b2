"""A ledger of many entries answers as one in memory does, and reads only the entries that a question is about."""

import gc
import random
import weakref
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from lakehouse_assets.context import Lake
from lakehouse_assets.ledger import ledger as ledgers
from lakehouse_assets.ledger.entries import SCHEMA
from lakehouse_assets.ledger.large import LargeFeedLedger
from lakehouse_assets.ledger.ledger import TABLE, FeedLedger, Ledger, ObjectVersion, ledger_of, summarise
from lakehouse_assets.ledger.selection import Selection
from lakehouse_assets.storage.local import LocalStore
from lakehouse_assets.storage.stores import Store
from lakehouse_assets_tests.ledger.versions import Members, version_of

_CONTENTS = ("a", "b", "ab", "cc", "abc", None)
_KEYS = [f"k{number}" for number in range(6)]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return LocalStore(str(tmp_path / "lake"))


@pytest.fixture
def is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledgers, "_ENTRIES_IN_MEMORY", -1)


def _batches(seed: int) -> list[list[ObjectVersion]]:
    """New versions of few keys with few contents, some of them rejected, some in archives, some read another way."""
    chosen = random.Random(seed)  # noqa: S311 - not a secret

    def content(key: str) -> str | Members | None:
        if chosen.random() < 0.3:
            return {f"{key}!{name}": chosen.choice(_CONTENTS) for name in ("x", "y")}
        return chosen.choice(_CONTENTS)

    def version(key: str) -> ObjectVersion:
        recorded = version_of(key, content(key), contract=chosen.choice(("c1", "c2")))
        return replace(recorded, object_hash=f"bytes of {recorded.token}")

    return [[version(key) for key in chosen.sample(_KEYS, 3)] for _ in range(5)]


def _forget() -> None:
    """Make this process know as little as a new one."""
    ledgers._REMEMBERED.clear()
    ledgers._LOGS.clear()


def _recorded(store: Store, batches: Sequence[list[ObjectVersion]]) -> FeedLedger:
    for number, batch in enumerate(batches):
        Ledger.load(store).append(batch, f"run-{number}")
        if number == 1:
            ledger_of(store, "sales")
            summarise(store, "sales")
            _forget()  # it was read for its summary
    return ledger_of(store, "sales")


def _said(ledger: FeedLedger) -> list[object]:
    """Everything that is asked of a ledger about some of its entries."""
    keys, parts = _KEYS[:2], ["2011-03-01", "2011-03-03"]
    contents = pl.Series(["hash-a", "hash-abc", "hash-unknown"])
    return [
        ledger.known_among([*keys, "unknown"]),
        ledger.rows_of(keys),
        ledger.live_of(parts).rows(),
        ledger.live_of_contents(contents).rows(),
        ledger.live_of_objects(keys).rows(),
        [ledger.readings(content) for content in contents],
        ledger.refused.select("object_key", "source_key", "state").rows(),
        ledger.was_taken("k1", "unknown"),
        ledger.object_keys.sort().to_list(),
        ledger.last_version,
        replace(ledger.summary, fingerprints={}),
    ]


@pytest.mark.slow
@pytest.mark.usefixtures("is_large")
@pytest.mark.parametrize("seed", range(8))
def test_it_answers_as_one_in_memory_does(store: Store, seed: int) -> None:
    ledger = _recorded(store, _batches(seed))
    rows = Ledger.load(store).rows
    whole = FeedLedger(rows, rows.lazy())
    last = sorted(whole.known_versions.items())[:3]
    retracted = frozenset((key, str(version.object_hash)) for key, version in last)
    assert isinstance(ledger, LargeFeedLedger)
    assert _said(ledger) == _said(whole)
    assert _said(ledger.without(retracted)) == _said(whole.without(retracted))
    _forget()
    later = ledger_of(store, "sales")  # in a new process, with the summary of then
    assert _said(later) == _said(whole)
    assert not any(known.is_read for known in (ledger, ledger.without(retracted), later))


@pytest.mark.usefixtures("is_large")
def test_fingerprints_of_dates_that_later_entries_do_not_touch_are_kept(store: Store) -> None:
    ledger = _recorded(store, [[version_of("k0", "a"), version_of("k1", "b")]] * 2)
    ledger.fingerprints["c1"] = {"2011-03-01": 1, "2011-03-02": 2}
    Ledger.load(store).append([version_of("k1", "c")], "run")
    assert ledger_of(store, "sales").fingerprints == {"c1": {"2011-03-01": 1}}


@pytest.mark.slow
@pytest.mark.usefixtures("is_large")
def test_a_ledger_with_later_entries_does_not_keep_the_one_before_it(store: Store) -> None:
    before = weakref.ref(_recorded(store, [[version_of("k0", "a")]]))
    Ledger.load(store).append([version_of("k1", "b")], "run")
    assert ledger_of(store, "sales").object_keys.len() == 2
    gc.collect()
    assert before() is None


@pytest.mark.slow
def test_many_looks_end_in_reading_all(store: Store, monkeypatch: pytest.MonkeyPatch, is_large: None) -> None:  # noqa: ARG001
    ledger = _recorded(store, _batches(2))
    monkeypatch.setattr("lakehouse_assets.ledger.large._LOOKS", 0)
    said = _said(ledger)
    assert ledger.is_read
    rows = Ledger.load(store).rows
    assert said == _said(FeedLedger(rows, rows.lazy()))


@pytest.mark.slow
def test_only_the_last_entries_are_written_anew_while_most_files_hold_few_of_them(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledgers, "_COMPACT_ABOVE", 4)
    monkeypatch.setattr(ledgers, "_ENTRIES_IN_MEMORY", 10)
    Ledger.load(store).append([version_of(f"k{number}", "a") for number in range(20)], "run")
    large = set(DeltaTable(store.uri(TABLE.path)).file_uris())
    for number in range(9):
        Ledger.load(store).append([version_of(f"m{number}", "b")], "run")
    files = DeltaTable(store.uri(TABLE.path)).file_uris()
    assert large < set(files)
    assert len(files) < 8
    rows = Ledger.load(store).rows
    assert sorted(rows["version"]) == list(range(1, 30))
    assert rows["object_key"].n_unique() == 29


@pytest.mark.slow
def test_a_lake_on_s3_keeps_and_answers_the_same(s3_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledgers, "_COMPACT_ABOVE", 3)
    monkeypatch.setattr(ledgers, "_ENTRIES_IN_MEMORY", 3)
    for number in range(7):
        Ledger.load(s3_lake.store).append([version_of(f"k{number}", "ab"[number % 2])], "run")
    rows = Ledger.load(s3_lake.store).rows
    assert sorted(rows["version"]) == list(range(1, 8))
    ledger = ledger_of(s3_lake.store, "sales")
    assert isinstance(ledger, LargeFeedLedger)
    assert _said(ledger)[:-1] == _said(FeedLedger(rows, rows.lazy()))[:-1]


def test_of_no_keys_no_entry_is_read(tmp_path: Path) -> None:
    entries = Selection(pl.scan_parquet(tmp_path / "gone.parquet", schema=SCHEMA), pl.LazyFrame.collect)
    assert entries.of_keys(pl.Series([], dtype=pl.String)).is_empty()
    with pytest.raises(FileNotFoundError):
        entries.of_keys(pl.Series(["a.csv"]))
