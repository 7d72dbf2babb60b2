"""What is live follows from each key's latest version, and from nothing else."""

import datetime as dt
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from lakehouse_assets.context import Lake
from lakehouse_assets.ledger.ledger import TABLE, FeedLedger, Ledger
from lakehouse_assets.storage import delta, delta_files
from lakehouse_assets.storage.delta import Conflict
from lakehouse_assets.storage.stores import Store
from lakehouse_assets_tests.ledger.versions import live, recorded, states, version_of


@pytest.fixture
def store(lake: Lake) -> Store:
    return lake.store


def test_an_accepted_object_is_live_on_each_of_its_dates(store: Store) -> None:
    ledger = recorded(store, [version_of("k", "aab")])
    assert live(ledger) == {("2011-03-01", "aab", "k", 2), ("2011-03-02", "aab", "k", 1)}
    assert ledger.partitions == ["2011-03-01", "2011-03-02"]
    assert states(ledger) == [(1, "k", "accepted")]


@pytest.mark.parametrize("batched", [True, False], ids=["in one commit", "in three"])
def test_v1_v2_v1_ends_at_v1(store: Store, *, batched: bool) -> None:
    versions = [version_of("k", "a"), version_of("k", "b"), version_of("k", "a")]
    ledger = recorded(store, versions) if batched else recorded(store, *([version] for version in versions))
    assert live(ledger) == {("2011-03-01", "a", "k", 1)}
    assert ledger.partitions == ["2011-03-01", "2011-03-02"]
    assert states(ledger) == [(1, "k", "superseded"), (2, "k", "superseded"), (3, "k", "accepted")]


def test_the_same_content_under_two_keys_is_live_once_under_the_smaller(store: Store) -> None:
    ledger = recorded(store, [version_of("z", "a")], [version_of("k", "a")])
    assert live(ledger) == {("2011-03-01", "a", "k", 1)}
    assert states(ledger) == [(1, "z", "alias"), (2, "k", "accepted")]


def test_when_one_of_two_keys_with_the_same_content_is_replaced_the_other_keeps_it_live(store: Store) -> None:
    before = [[version_of("k", "a")], [version_of("z", "a")]]
    ledger = recorded(store, *before, [version_of("k", "b")])
    assert live(ledger) == {("2011-03-01", "a", "z", 1), ("2011-03-02", "b", "k", 1)}
    assert states(ledger) == [(1, "k", "superseded"), (2, "z", "accepted"), (3, "k", "accepted")]


def test_a_member_that_a_zips_new_version_lacks_is_gone(store: Store) -> None:
    ledger = recorded(store, [version_of("z", {"z!x": "a", "z!y": "b"})], [version_of("z", {"z!x": "a"})])
    assert live(ledger) == {("2011-03-01", "a", "z!x", 1)}
    assert states(ledger) == [(1, "z!x", "superseded"), (1, "z!y", "superseded"), (2, "z!x", "accepted")]


def test_a_key_that_turns_from_a_zip_into_a_plain_object_has_no_members_left(store: Store) -> None:
    ledger = recorded(store, [version_of("k", {"k!x": "a", "k!y": "b"})], [version_of("k", "c")])
    assert live(ledger) == {("2011-03-03", "c", "k", 1)}


def test_a_rejected_new_version_keeps_the_last_good_one(store: Store) -> None:
    ledger = recorded(store, [version_of("k", "a")], [version_of("k", None)])
    assert live(ledger) == {("2011-03-01", "a", "k", 1)}
    assert states(ledger) == [(1, "k", "accepted"), (2, "k", "rejected")]
    assert ledger.refused.select("object_key", "state", "reason").rows() == [("k", "rejected", "it cannot be read")]


def test_a_rejected_member_keeps_its_last_good_version_while_the_others_move_on(store: Store) -> None:
    ledger = recorded(
        store,
        [version_of("z", {"z!x": "a", "z!y": "b"})],
        [version_of("z", {"z!x": None, "z!y": "c"})],
        [version_of("z", {"z!x": None, "z!y": "d"})],
    )
    assert live(ledger) == {("2011-03-01", "a", "z!x", 1), ("2011-03-04", "d", "z!y", 1)}


def test_a_zip_whose_new_version_cannot_be_opened_keeps_all_its_members(store: Store) -> None:
    ledger = recorded(store, [version_of("z", {"z!x": "a", "z!y": "b"})], [version_of("z", None)])
    assert live(ledger) == {("2011-03-01", "a", "z!x", 1), ("2011-03-02", "b", "z!y", 1)}


def test_a_member_that_was_taken_out_does_not_come_back_because_it_is_rejected_later(store: Store) -> None:
    ledger = recorded(
        store,
        [version_of("z", {"z!x": "a", "z!y": "b"})],
        [version_of("z", {"z!x": "a"})],
        [version_of("z", {"z!x": "a", "z!y": None})],
    )
    assert live(ledger) == {("2011-03-01", "a", "z!x", 1)}


def test_an_object_named_like_a_member_of_a_zip_hides_neither(store: Store) -> None:
    ledger = recorded(store, [version_of("z", {"z!x": "a"})], [version_of("z!x", "b")])
    assert {content for _, content, _, _ in live(ledger)} == {"a", "b"}


def test_an_empty_new_version_takes_the_old_rows_away(store: Store) -> None:
    ledger = recorded(store, [version_of("k", "a")], [version_of("k", "")])
    assert live(ledger) == set()
    assert ledger.partitions == ["2011-03-01"]
    assert states(ledger) == [(1, "k", "superseded"), (2, "k", "accepted")]


def test_a_rejection_ends_with_the_next_version(store: Store) -> None:
    ledger = recorded(store, [version_of("k", None)], [version_of("k", "a")])
    assert ledger.refused.height == 0
    assert live(ledger) == {("2011-03-01", "a", "k", 1)}
    assert states(ledger) == [(1, "k", "rejected"), (2, "k", "accepted")]


def test_feeds_do_not_see_each_other(store: Store) -> None:
    Ledger.load(store).append([version_of("k", "a"), version_of("k", "b", feed="products")], "run")
    ledger = Ledger.load(store)
    assert live(ledger.of_feed("sales")) == {("2011-03-01", "a", "k", 1)}
    assert live(ledger.of_feed("products")) == {("2011-03-02", "b", "k", 1)}
    assert ledger.of_feed("products").known_versions.keys() == {"k"}


def test_seen_tells_the_latest_token_whether_it_was_rejected_and_under_which_contract(store: Store) -> None:
    ledger = recorded(
        store,
        [version_of("k", "a"), version_of("z", {"z!x": "a", "z!y": None})],
        [version_of("k", "b", contract="c2")],
    )
    assert {
        key: (known_versions.token, known_versions.state, known_versions.contract)
        for key, known_versions in ledger.known_versions.items()
    } == {
        "k": ("token-b", "accepted", "c2"),
        "z": (f"token-{ {'z!x': 'a', 'z!y': None} }", "rejected", "c1"),
    }


def test_a_held_new_version_keeps_the_last_good_one_until_the_next(store: Store) -> None:
    held = replace(version_of("k", "b"), object_hash="b", held="the totals differ")
    ledger = recorded(store, [replace(version_of("k", "a"), object_hash="a")], [held])
    assert live(ledger) == {("2011-03-01", "a", "k", 1)}
    assert states(ledger) == [(1, "k", "accepted"), (2, "k", "held")]
    assert ledger.refused.select("object_key", "state", "reason").rows() == [("k", "held", "the totals differ")]
    Ledger.load(store).append([replace(version_of("k", "c"), object_hash="c")], "next")
    assert live(Ledger.load(store).of_feed("sales")) == {("2011-03-03", "c", "k", 1)}


def test_an_object_that_turns_out_to_be_held_was_never_good(store: Store) -> None:
    good, held = version_of("k", "a"), replace(version_of("k", "b"), object_hash="b")
    ledger = recorded(store, [good], [held], [replace(held, held="its manifest came late")])
    assert live(ledger) == {("2011-03-01", "a", "k", 1)}


def test_contents_know_every_content_ever_accepted(store: Store) -> None:
    ledger = recorded(
        store, [version_of("k", "aab"), version_of("m", "")], [version_of("k", "c")], [version_of("k", None)]
    )
    contents = ("hash-aab", "hash-", "hash-c", "hash-b")
    assert [[(r.file, r.rows) for r in ledger.readings(content)] for content in contents] == [
        [("hash-aab", {"2011-03-01": 2, "2011-03-02": 1})],
        [("hash-", {})],
        [("hash-c", {"2011-03-03": 1})],
        [],
    ]


def test_the_ledger_records_when_by_which_run_and_in_which_order(store: Store) -> None:
    before = dt.datetime.now(dt.UTC)
    ledger = recorded(store, [version_of("k", "a"), version_of("m", "b")], [version_of("a", "c")])
    rows = ledger.rows.sort("version")
    assert rows["object_key"].to_list() == ["k", "m", "a"]
    assert rows["version"].to_list() == [1, 2, 3]
    assert rows["run_id"].to_list() == ["run-0", "run-0", "run-1"]
    assert all(before <= moment <= dt.datetime.now(dt.UTC) for moment in rows["ingested_at"].to_list())


def test_a_ledger_read_before_another_append_cannot_append(store: Store) -> None:
    Ledger.load(store)
    stale, other = Ledger.load(store), Ledger.load(store)
    other.append([version_of("k", "a")], "other")
    with pytest.raises(Conflict):
        stale.append([version_of("m", "b")], "stale")
    assert live(Ledger.load(store).of_feed("sales")) == {("2011-03-01", "a", "k", 1)}


def test_an_append_is_all_or_nothing(store: Store) -> None:
    Ledger.load(store)
    stale = Ledger.load(store)
    recorded(store, [version_of("k", "a")])
    with pytest.raises(Conflict):
        stale.append([version_of("m", "b"), version_of("n", "c")], "stale")
    assert Ledger.load(store).rows["object_key"].to_list() == ["k"]


@pytest.mark.slow
def test_many_small_appends_do_not_pile_up_as_files(store: Store) -> None:
    for number in range(45):
        Ledger.load(store).append([version_of(f"k{number:02}", "a")], "run")
    assert Ledger.load(store).rows.height == 45
    table = delta.opened(store, "ops/ledger")
    assert delta.rows(store, table).select(pl.len()).collect().item() == 45
    assert len(table.file_uris()) <= 41


def test_an_append_makes_a_loaded_process_read_the_new_file_only(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded(store, [version_of("k", "a")], [version_of("m", "b", feed="products")])
    read: list[str] = []

    def scan_files(store: Store, path: str, names: list[str], columns: Mapping[str, pl.DataType]) -> pl.LazyFrame:
        def told(frame: pl.DataFrame) -> pl.DataFrame:
            read.extend(names)
            return frame

        return delta_files.scan_files(store, path, names, columns).map_batches(told)

    monkeypatch.setattr("lakehouse_assets.ledger.ledger.delta_files", SimpleNamespace(scan_files=scan_files))
    Ledger.load(store).append([version_of("n", "c")], "run")
    assert Ledger.load(store).of_feed("sales").entries.height == 2
    assert len(read) == 1
    assert read[0].startswith("feed=sales/")


def test_a_ledger_of_before_it_was_kept_by_feed_is_carried_over(store: Store) -> None:
    recorded(store, [version_of("k", "a"), version_of("k", "b", feed="products")], [version_of("m", "a")])
    earlier = Ledger.load(store).rows
    shutil.rmtree(store.uri(TABLE.path))
    write_deltalake(store.uri(TABLE.path), earlier.drop("drift"))

    ledger = Ledger.load(store)
    assert live(ledger.of_feed("sales")) == {("2011-03-01", "a", "k", 1)}
    columns = ["feed", "object_key", "version", "state", "part", "run_id"]
    assert sorted(ledger.rows.select(columns).rows()) == sorted(earlier.select(columns).rows())
    stale = Ledger.load(store)
    ledger.append([version_of("n", "c")], "run")
    with pytest.raises(Conflict):
        stale.append([version_of("x", "c", feed="products")], "stale")
    assert DeltaTable(store.uri(TABLE.path)).metadata().partition_columns == ["feed"]
    after = Ledger.load(store)
    assert after.rows.height == earlier.height + 1
    assert live(after.of_feed("sales")) == {("2011-03-01", "a", "k", 1), ("2011-03-03", "c", "n", 1)}
    assert after.of_feed("sales").entries["version"].max() == 3


def test_feeds_append_at_once_and_do_not_conflict(store: Store) -> None:
    first, second = Ledger.load(store), Ledger.load(store)
    first.append([version_of("k", "a")], "run")
    second.append([version_of("k", "b", feed="products")], "run")
    assert Ledger.load(store).rows.height == 2


@pytest.mark.slow(covered=True)
def test_the_files_of_a_ledger_grow_with_its_rows_so_that_an_append_pays_for_a_bounded_rewrite(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lakehouse_assets.ledger.ledger._COMPACT_ABOVE", 2)
    monkeypatch.setattr("lakehouse_assets.ledger.ledger._ROWS_PER_FILE", 10)
    files = []
    for number in range(8):
        Ledger.load(store).append([version_of(f"k{number}-{m}", "a") for m in range(10)], "run")
        files.append(len(DeltaTable(store.uri(TABLE.path)).file_uris()))
    assert files == [1, 2, 3, 4, 5, 6, 7, 8]
    for number in range(8):
        Ledger.load(store).append([version_of(f"m{number}", "a")], "run")
    assert len(DeltaTable(store.uri(TABLE.path)).file_uris()) < 10


def test_nothing_recorded_means_nothing_live(lake: Lake) -> None:
    ledger = FeedLedger(Ledger.nothing())
    assert ledger.live.height == ledger.refused.height == ledger.shown.height == 0
    assert ledger.partitions == []
    assert ledger.readings("hash-a") == []
    assert ledger.known_versions == {}
    assert lake.ledger_of(lake.registry.feed("sales")).live.height == 0
    assert not Path(lake.settings.root).exists()  # looking creates nothing
