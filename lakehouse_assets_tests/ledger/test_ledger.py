"""What is live follows from each key's latest version, and from nothing else."""

import datetime as dt
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse_assets.context import Lake
from lakehouse_assets.ledger.ledger import TABLE, Entry, FeedLedger, Ledger, ObjectVersion
from lakehouse_assets.storage import delta, delta_files
from lakehouse_assets.storage.delta import Conflict
from lakehouse_assets.storage.stores import Store, store_for

Members = dict[str, str | None]
"""Source key to content, None for a rejected one. A content is a word of letters: each letter a row of that day."""


def _entry(key: str, content: str | None) -> Entry:
    if content is None:
        return Entry(key, None, {}, "it cannot be read")
    return Entry(key, f"hash-{content}", _parts(content))


def _parts(content: str) -> dict[str, int]:
    return {f"2011-03-{ord(letter) - ord('a') + 1:02}": content.count(letter) for letter in sorted(set(content))}


def _version(key: str, content: str | Members | None, feed: str = "sales", contract: str = "c1") -> ObjectVersion:
    members = content if isinstance(content, dict) else {key: content}
    entries = tuple(_entry(source, inside) for source, inside in members.items())
    return ObjectVersion(feed, key, f"token-{content}", 10, contract, entries)


def _recorded(store: Store, *batches: Sequence[ObjectVersion]) -> FeedLedger:
    for number, batch in enumerate(batches):
        ledger = Ledger.load(store)
        ledger.of_feed("sales").live  # noqa: B018 - so that what follows is computed from it, and not anew
        ledger.append(batch, f"run-{number}")
    return Ledger.load(store).of_feed("sales")


def _live(ledger: FeedLedger) -> set[tuple[str, str, str, int]]:
    """What is live as (part, content, source key, rows)."""
    return set(
        ledger.live.select("part", pl.col("source_hash").str.strip_prefix("hash-"), "source_key", "rows").iter_rows()
    )


def _states(ledger: FeedLedger) -> list[tuple[int, str, str]]:
    return sorted(set(ledger.shown.select("version", "source_key", "state").iter_rows()))


@pytest.fixture
def store(lake: Lake) -> Store:
    return lake.store


def test_an_accepted_object_is_live_on_each_of_its_dates(store: Store) -> None:
    ledger = _recorded(store, [_version("k", "aab")])
    assert _live(ledger) == {("2011-03-01", "aab", "k", 2), ("2011-03-02", "aab", "k", 1)}
    assert ledger.partitions == ["2011-03-01", "2011-03-02"]
    assert _states(ledger) == [(1, "k", "accepted")]


@pytest.mark.parametrize("batched", [True, False], ids=["in one commit", "in three"])
def test_v1_v2_v1_ends_at_v1(store: Store, *, batched: bool) -> None:
    versions = [_version("k", "a"), _version("k", "b"), _version("k", "a")]
    ledger = _recorded(store, versions) if batched else _recorded(store, *([version] for version in versions))
    assert _live(ledger) == {("2011-03-01", "a", "k", 1)}
    assert ledger.partitions == ["2011-03-01", "2011-03-02"]
    assert _states(ledger) == [(1, "k", "superseded"), (2, "k", "superseded"), (3, "k", "accepted")]


def test_the_same_content_under_two_keys_is_live_once_under_the_smaller(store: Store) -> None:
    ledger = _recorded(store, [_version("z", "a")], [_version("k", "a")])
    assert _live(ledger) == {("2011-03-01", "a", "k", 1)}
    assert _states(ledger) == [(1, "z", "alias"), (2, "k", "accepted")]


def test_when_one_of_two_keys_with_the_same_content_is_replaced_the_other_keeps_it_live(store: Store) -> None:
    before = [[_version("k", "a")], [_version("z", "a")]]
    ledger = _recorded(store, *before, [_version("k", "b")])
    assert _live(ledger) == {("2011-03-01", "a", "z", 1), ("2011-03-02", "b", "k", 1)}
    assert _states(ledger) == [(1, "k", "superseded"), (2, "z", "accepted"), (3, "k", "accepted")]


def test_a_member_that_a_zips_new_version_lacks_is_gone(store: Store) -> None:
    ledger = _recorded(store, [_version("z", {"z!x": "a", "z!y": "b"})], [_version("z", {"z!x": "a"})])
    assert _live(ledger) == {("2011-03-01", "a", "z!x", 1)}
    assert _states(ledger) == [(1, "z!x", "superseded"), (1, "z!y", "superseded"), (2, "z!x", "accepted")]


def test_a_key_that_turns_from_a_zip_into_a_plain_object_has_no_members_left(store: Store) -> None:
    ledger = _recorded(store, [_version("k", {"k!x": "a", "k!y": "b"})], [_version("k", "c")])
    assert _live(ledger) == {("2011-03-03", "c", "k", 1)}


def test_a_rejected_new_version_keeps_the_last_good_one(store: Store) -> None:
    ledger = _recorded(store, [_version("k", "a")], [_version("k", None)])
    assert _live(ledger) == {("2011-03-01", "a", "k", 1)}
    assert _states(ledger) == [(1, "k", "accepted"), (2, "k", "rejected")]
    assert ledger.refused.select("object_key", "state", "reason").rows() == [("k", "rejected", "it cannot be read")]


def test_a_rejected_member_keeps_its_last_good_version_while_the_others_move_on(store: Store) -> None:
    ledger = _recorded(
        store,
        [_version("z", {"z!x": "a", "z!y": "b"})],
        [_version("z", {"z!x": None, "z!y": "c"})],
        [_version("z", {"z!x": None, "z!y": "d"})],
    )
    assert _live(ledger) == {("2011-03-01", "a", "z!x", 1), ("2011-03-04", "d", "z!y", 1)}


def test_a_zip_whose_new_version_cannot_be_opened_keeps_all_its_members(store: Store) -> None:
    ledger = _recorded(store, [_version("z", {"z!x": "a", "z!y": "b"})], [_version("z", None)])
    assert _live(ledger) == {("2011-03-01", "a", "z!x", 1), ("2011-03-02", "b", "z!y", 1)}


def test_a_member_that_was_taken_out_does_not_come_back_because_it_is_rejected_later(store: Store) -> None:
    ledger = _recorded(
        store,
        [_version("z", {"z!x": "a", "z!y": "b"})],
        [_version("z", {"z!x": "a"})],
        [_version("z", {"z!x": "a", "z!y": None})],
    )
    assert _live(ledger) == {("2011-03-01", "a", "z!x", 1)}


def test_an_object_named_like_a_member_of_a_zip_hides_neither(store: Store) -> None:
    ledger = _recorded(store, [_version("z", {"z!x": "a"})], [_version("z!x", "b")])
    assert {content for _, content, _, _ in _live(ledger)} == {"a", "b"}


def test_an_empty_new_version_takes_the_old_rows_away(store: Store) -> None:
    ledger = _recorded(store, [_version("k", "a")], [_version("k", "")])
    assert _live(ledger) == set()
    assert ledger.partitions == ["2011-03-01"]
    assert _states(ledger) == [(1, "k", "superseded"), (2, "k", "accepted")]


def test_a_rejection_ends_with_the_next_version(store: Store) -> None:
    ledger = _recorded(store, [_version("k", None)], [_version("k", "a")])
    assert ledger.refused.height == 0
    assert _live(ledger) == {("2011-03-01", "a", "k", 1)}
    assert _states(ledger) == [(1, "k", "rejected"), (2, "k", "accepted")]


def test_feeds_do_not_see_each_other(store: Store) -> None:
    Ledger.load(store).append([_version("k", "a"), _version("k", "b", feed="products")], "run")
    ledger = Ledger.load(store)
    assert _live(ledger.of_feed("sales")) == {("2011-03-01", "a", "k", 1)}
    assert _live(ledger.of_feed("products")) == {("2011-03-02", "b", "k", 1)}
    assert ledger.of_feed("products").known_versions.keys() == {"k"}


def test_seen_tells_the_latest_token_whether_it_was_rejected_and_under_which_contract(store: Store) -> None:
    ledger = _recorded(
        store,
        [_version("k", "a"), _version("z", {"z!x": "a", "z!y": None})],
        [_version("k", "b", contract="c2")],
    )
    assert {
        key: (known_versions.token, known_versions.state, known_versions.contract)
        for key, known_versions in ledger.known_versions.items()
    } == {
        "k": ("token-b", "accepted", "c2"),
        "z": (f"token-{ {'z!x': 'a', 'z!y': None} }", "rejected", "c1"),
    }


def test_a_held_new_version_keeps_the_last_good_one_until_the_next(store: Store) -> None:
    held = replace(_version("k", "b"), object_hash="b", held="the totals differ")
    ledger = _recorded(store, [replace(_version("k", "a"), object_hash="a")], [held])
    assert _live(ledger) == {("2011-03-01", "a", "k", 1)}
    assert _states(ledger) == [(1, "k", "accepted"), (2, "k", "held")]
    assert ledger.refused.select("object_key", "state", "reason").rows() == [("k", "held", "the totals differ")]
    Ledger.load(store).append([replace(_version("k", "c"), object_hash="c")], "next")
    assert _live(Ledger.load(store).of_feed("sales")) == {("2011-03-03", "c", "k", 1)}


def test_an_object_that_turns_out_to_be_held_was_never_good(store: Store) -> None:
    good, held = _version("k", "a"), replace(_version("k", "b"), object_hash="b")
    ledger = _recorded(store, [good], [held], [replace(held, held="its manifest came late")])
    assert _live(ledger) == {("2011-03-01", "a", "k", 1)}


def test_contents_know_every_content_ever_accepted(store: Store) -> None:
    ledger = _recorded(store, [_version("k", "aab"), _version("m", "")], [_version("k", "c")], [_version("k", None)])
    contents = ("hash-aab", "hash-", "hash-c", "hash-b")
    assert [[(r.file, r.rows) for r in ledger.readings(content)] for content in contents] == [
        [("hash-aab", {"2011-03-01": 2, "2011-03-02": 1})],
        [("hash-", {})],
        [("hash-c", {"2011-03-03": 1})],
        [],
    ]


def test_the_ledger_records_when_by_which_run_and_in_which_order(store: Store) -> None:
    before = dt.datetime.now(dt.UTC)
    ledger = _recorded(store, [_version("k", "a"), _version("m", "b")], [_version("a", "c")])
    rows = ledger.rows.sort("version")
    assert rows["object_key"].to_list() == ["k", "m", "a"]
    assert rows["version"].to_list() == [1, 2, 3]
    assert rows["run_id"].to_list() == ["run-0", "run-0", "run-1"]
    assert all(before <= moment <= dt.datetime.now(dt.UTC) for moment in rows["ingested_at"].to_list())


def test_a_ledger_read_before_another_append_cannot_append(store: Store) -> None:
    Ledger.load(store)
    stale, other = Ledger.load(store), Ledger.load(store)
    other.append([_version("k", "a")], "other")
    with pytest.raises(Conflict):
        stale.append([_version("m", "b")], "stale")
    assert _live(Ledger.load(store).of_feed("sales")) == {("2011-03-01", "a", "k", 1)}


def test_an_append_is_all_or_nothing(store: Store) -> None:
    Ledger.load(store)
    stale = Ledger.load(store)
    _recorded(store, [_version("k", "a")])
    with pytest.raises(Conflict):
        stale.append([_version("m", "b"), _version("n", "c")], "stale")
    assert Ledger.load(store).rows["object_key"].to_list() == ["k"]


@pytest.mark.slow
def test_many_small_appends_do_not_pile_up_as_files(store: Store) -> None:
    for number in range(45):
        Ledger.load(store).append([_version(f"k{number:02}", "a")], "run")
    assert Ledger.load(store).rows.height == 45
    table = delta.opened(store, "ops/ledger")
    assert delta.rows(store, table).select(pl.len()).collect().item() == 45
    assert len(table.file_uris()) <= 41


class Model:
    """The live set by the book: versions are applied one by one, and a rejection changes nothing of its key."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, tuple[int, str]]] = {}

    def apply(self, number: int, version: ObjectVersion) -> None:
        if all(entry.reason for entry in version.entries):
            return
        before = self.objects.get(version.object_key, {})
        after = {}
        for entry in version.entries:
            if entry.source_hash is not None:
                after[entry.source_key] = (number, entry.source_hash.removeprefix("hash-"))
            elif entry.source_key in before:
                after[entry.source_key] = before[entry.source_key]
        self.objects[version.object_key] = after

    @property
    def standing(self) -> dict[str, tuple[int, str]]:
        return {key: found for members in self.objects.values() for key, found in members.items()}

    def live(self) -> set[tuple[str, str, str, int]]:
        keys: dict[str, str] = {}
        for key, (_, content) in sorted(self.standing.items(), reverse=True):
            keys[content] = key
        return {
            (partition, content, key, rows)
            for content, key in keys.items()
            for partition, rows in _parts(content).items()
        }

    def state(self, number: int, entry: Entry) -> str:
        if entry.reason:
            return "rejected"
        if self.standing.get(entry.source_key, (0, ""))[0] != number:
            return "superseded"
        twins = [key for key, (_, content) in self.standing.items() if entry.source_hash == f"hash-{content}"]
        return "accepted" if entry.source_key == min(twins) else "alias"


CONTENTS = st.one_of(st.none(), st.text("abc", max_size=2).map(lambda text: "".join(sorted(text))))
VERSIONS = st.one_of(
    st.builds(_version, st.sampled_from(["k", "m", "z"]), CONTENTS),
    st.builds(
        lambda members: _version("z", {f"z!{name}": content for name, content in members.items()}),
        st.dictionaries(st.sampled_from("xy"), CONTENTS, min_size=1),
    ),
)


@pytest.mark.slow
@given(versions=st.lists(VERSIONS, max_size=10), cuts=st.sets(st.integers(1, 9), max_size=2))
@settings(max_examples=60, deadline=None)
def test_any_history_in_any_batches_gives_the_live_set_of_its_latest_versions(
    versions: list[ObjectVersion], cuts: set[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    bounds = [0, *sorted(cut for cut in cuts if cut < len(versions)), len(versions)]
    batches = [versions[start:end] for start, end in pairwise(bounds) if start < end]
    ledger = _recorded(store_for(str(tmp_path_factory.mktemp("ledger"))), *batches)
    model = Model()
    for number, version in enumerate(versions, start=1):
        model.apply(number, version)
    assert _live(ledger) == model.live()
    assert _states(ledger) == sorted(
        {
            (number, entry.source_key, model.state(number, entry))
            for number, version in enumerate(versions, start=1)
            for entry in version.entries
        }
    )


@pytest.mark.slow
@given(versions=st.lists(VERSIONS, max_size=8), data=st.data())
@settings(max_examples=40, deadline=None)
def test_the_order_of_different_keys_does_not_matter(
    versions: list[ObjectVersion], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    keys = data.draw(st.permutations([version.object_key for version in versions]))
    queues = {key: iter([v for v in versions if v.object_key == key]) for key in keys}
    shuffled = [next(queues[key]) for key in keys]
    found = [
        _recorded(store_for(str(tmp_path_factory.mktemp("ledger"))), *([order] if order else []))
        for order in (versions, shuffled)
    ]
    assert found[0].live.equals(found[1].live)


HELD_VERSIONS = st.builds(
    lambda version, content, held: replace(version, object_hash=content, held=held),
    VERSIONS,
    st.sampled_from("ab"),
    st.sampled_from([None, "the totals differ"]),
)


@pytest.mark.slow
@given(versions=st.lists(HELD_VERSIONS, max_size=6))
@settings(max_examples=30, deadline=None)
def test_what_is_live_is_the_same_computed_step_by_step_and_at_once(
    versions: list[ObjectVersion], tmp_path_factory: pytest.TempPathFactory
) -> None:
    ledger = _recorded(store_for(str(tmp_path_factory.mktemp("ledger"))), *([version] for version in versions))
    assert ledger.live.equals(FeedLedger(ledger.rows).live)


def test_an_append_makes_a_loaded_process_read_the_new_file_only(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    _recorded(store, [_version("k", "a")], [_version("m", "b", feed="products")])
    read: list[str] = []

    def scan_files(store: Store, path: str, names: list[str], columns: Mapping[str, pl.DataType]) -> pl.LazyFrame:
        def told(frame: pl.DataFrame) -> pl.DataFrame:
            read.extend(names)
            return frame

        return delta_files.scan_files(store, path, names, columns).map_batches(told)

    monkeypatch.setattr("lakehouse_assets.ledger.ledger.delta_files", SimpleNamespace(scan_files=scan_files))
    Ledger.load(store).append([_version("n", "c")], "run")
    assert Ledger.load(store).of_feed("sales").entries.height == 2
    assert len(read) == 1
    assert read[0].startswith("feed=sales/")


def test_a_ledger_of_before_it_was_kept_by_feed_is_carried_over(store: Store) -> None:
    _recorded(store, [_version("k", "a"), _version("k", "b", feed="products")], [_version("m", "a")])
    earlier = Ledger.load(store).rows
    shutil.rmtree(store.uri(TABLE.path))
    write_deltalake(store.uri(TABLE.path), earlier.drop("drift"))

    ledger = Ledger.load(store)
    assert _live(ledger.of_feed("sales")) == {("2011-03-01", "a", "k", 1)}
    columns = ["feed", "object_key", "version", "state", "part", "run_id"]
    assert sorted(ledger.rows.select(columns).rows()) == sorted(earlier.select(columns).rows())
    stale = Ledger.load(store)
    ledger.append([_version("n", "c")], "run")
    with pytest.raises(Conflict):
        stale.append([_version("x", "c", feed="products")], "stale")
    assert DeltaTable(store.uri(TABLE.path)).metadata().partition_columns == ["feed"]
    after = Ledger.load(store)
    assert after.rows.height == earlier.height + 1
    assert _live(after.of_feed("sales")) == {("2011-03-01", "a", "k", 1), ("2011-03-03", "c", "n", 1)}
    assert after.of_feed("sales").entries["version"].max() == 3


def test_feeds_append_at_once_and_do_not_conflict(store: Store) -> None:
    first, second = Ledger.load(store), Ledger.load(store)
    first.append([_version("k", "a")], "run")
    second.append([_version("k", "b", feed="products")], "run")
    assert Ledger.load(store).rows.height == 2


def test_the_files_of_a_ledger_grow_with_its_rows_so_that_an_append_pays_for_a_bounded_rewrite(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lakehouse_assets.ledger.ledger._COMPACT_ABOVE", 2)
    monkeypatch.setattr("lakehouse_assets.ledger.ledger._ROWS_PER_FILE", 10)
    files = []
    for number in range(8):
        Ledger.load(store).append([_version(f"k{number}-{m}", "a") for m in range(10)], "run")
        files.append(len(DeltaTable(store.uri(TABLE.path)).file_uris()))
    assert files == [1, 2, 3, 4, 5, 6, 7, 8]
    for number in range(8):
        Ledger.load(store).append([_version(f"m{number}", "a")], "run")
    assert len(DeltaTable(store.uri(TABLE.path)).file_uris()) < 10


def test_nothing_recorded_means_nothing_live(lake: Lake) -> None:
    ledger = FeedLedger(Ledger.nothing())
    assert ledger.live.height == ledger.refused.height == ledger.shown.height == 0
    assert ledger.partitions == []
    assert ledger.readings("hash-a") == []
    assert ledger.known_versions == {}
    assert lake.ledger_of(lake.registry.feed("sales")).live.height == 0
    assert not Path(lake.settings.root).exists()  # looking creates nothing
