"""Objects in a folder and in a bucket behave the same, and readers see whole ones only."""

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse_assets.context import Lake
from lakehouse_assets.storage.stores import LocalStore, StorageError, Store, store_for

_KIB = 1024


@pytest.fixture(params=["local", pytest.param("s3", marks=pytest.mark.slow)])
def store(request: pytest.FixtureRequest) -> Store:
    """The storage of a fresh lake, of each kind."""
    lake: Lake = request.getfixturevalue("lake" if request.param == "local" else "s3_lake")
    return lake.store


def _paths(found: Iterator[object]) -> list[str]:
    return [stored.path for stored in found]  # type: ignore[attr-defined]


def test_what_is_written_is_read_back(store: Store) -> None:
    store.replace("a/b c/é+%.bin", b"\0\xff")
    assert store.read("a/b c/é+%.bin") == b"\0\xff"
    stat = store.stat("a/b c/é+%.bin")
    assert stat is not None
    assert (stat.path, stat.size) == ("a/b c/é+%.bin", 2)
    assert list(store.list("a")) == [stat]


def test_create_writes_only_where_nothing_is(store: Store) -> None:
    assert store.create("a/x", b"first")
    assert not store.create("a/x", b"second")
    assert store.read("a/x") == b"first"
    assert _paths(store.list("a")) == ["a/x"]


def test_of_many_creators_exactly_one_wins_and_its_bytes_stand(store: Store) -> None:
    for attempt in range(5):
        path, start = f"race/{attempt}", threading.Barrier(8)

        def create(number: int, path: str = path, start: threading.Barrier = start) -> bool:
            start.wait()
            return store.create(path, bytes([number]) * 256 * _KIB)

        with ThreadPoolExecutor(8) as pool:
            won = list(pool.map(create, range(8)))
        assert won.count(True) == 1
        assert store.read(path) == bytes([won.index(True)]) * 256 * _KIB


def test_a_reader_sees_the_old_or_the_new_object_whole(store: Store) -> None:
    size, stop = 2 * _KIB * _KIB, threading.Event()
    store.replace("a/x", b"a" * size)

    def write() -> None:
        while not stop.is_set():
            store.replace("a/x", b"b" * size)
            store.replace("a/x", b"a" * size)

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        try:
            for _ in range(20):
                data = store.read("a/x")
                assert len(data) == size
                assert data.count(data[:1]) == size
        finally:
            stop.set()
        writing.result()


def test_replace_overwrites(store: Store) -> None:
    store.replace("a/x", b"old")
    store.replace("a/x", b"newer")
    assert store.read("a/x") == b"newer"


def test_the_token_changes_when_other_bytes_of_the_same_size_are_written(store: Store) -> None:
    tokens = set()
    for data in (b"aaaa", b"bbbb", b"cccc"):
        store.replace("a/x", data)
        stat = store.stat("a/x")
        assert stat is not None
        tokens.add(stat.token)
    assert len(tokens) == 3


def test_the_token_stays_while_nobody_writes(store: Store) -> None:
    store.replace("a/x", b"aaaa")
    assert store.stat("a/x") == store.stat("a/x") == next(store.list("a"))


def test_an_absent_object_has_no_stat_and_reading_it_says_what_to_do(store: Store) -> None:
    store.replace("a/x", b"")
    assert store.stat("a/y") is None
    assert store.stat("a/x/y") is None
    with pytest.raises(StorageError, match=r"a/y: .*\. It could not be read; ") as error:
        store.read("a/y")
    assert "\n" not in str(error.value)
    assert list(store.list("nothing")) == []


# AWS lists by the bytes of the key. So does a folder here; the S3 server of the tests lists folder by folder, which
# differs for names that others begin with.
PLAIN = ["A", "a/b/c", "a/b/d/e", "a/c", "b.csv", "b0", "z z", "é", "\uff5e", "😀"]
AWKWARD = [*PLAIN, "a-b/x", "a.b", "a/b-c", "a/b.csv", "a/b0", "a0"]


def _ordered(store: Store) -> list[str]:
    names = AWKWARD if isinstance(store, LocalStore) else PLAIN
    for name in names:
        store.create(f"landing/{name}", b"")
    return sorted((f"landing/{name}" for name in names), key=str.encode)


def test_listing_is_in_the_order_of_the_keys_bytes(store: Store) -> None:
    ordered = _ordered(store)
    assert _paths(store.list("landing")) == ordered
    assert _paths(store.list("landing/")) == ordered
    assert _paths(store.list("landing/a")) == [p for p in ordered if p.startswith("landing/a/")]


def test_listing_goes_on_after_any_key_even_one_that_is_gone(store: Store) -> None:
    ordered = _ordered(store)
    for after in [*ordered, "landing/a/", "landing/a/b/", "landing/zz", "landing/a/b/cc", "landing/!"]:
        assert _paths(store.list("landing", after)) == [p for p in ordered if p.encode() > after.encode()], after


def test_hidden_files_and_folders_are_no_objects(store: Store) -> None:
    for path in ("a/.hidden", "a/.folder/x", "a/b/.folder/c/x", "a/b/x"):
        store.replace(path, b"")
    assert _paths(store.list("a")) == ["a/b/x"]


@given(
    keys=st.sets(st.text("ab-./0é", min_size=1, max_size=6), max_size=12),
    after=st.text("ab-./0é", max_size=6),
)
@settings(max_examples=60, deadline=None)
def test_a_folder_lists_as_a_bucket_would(keys: set[str], after: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    store = LocalStore(str(tmp_path_factory.mktemp("list")))
    stored = []
    for key in sorted(keys):
        partitions = key.split("/")
        if any(partition in {"", ".", ".."} or partition.startswith(".") for partition in partitions):
            continue
        if any("/".join(partitions[:at]) in stored for at in range(1, len(partitions))):
            continue  # a folder cannot have the name of a file
        store.create(f"l/{key}", b"")
        stored.append(key)
    expected = [f"l/{key}" for key in sorted(stored, key=str.encode) if f"l/{key}".encode() > f"l/{after}".encode()]
    assert _paths(store.list("l", f"l/{after}")) == expected


@pytest.mark.parametrize("path", ["a/file/below", f"a/{'x' * 1024}", "a"], ids=["below a file", "too long", "a folder"])
def test_a_refused_write_leaves_nothing_and_is_one_clear_error(lake: Lake, path: str) -> None:
    lake.store.replace("a/file", b"")
    with pytest.raises(StorageError, match=r"Nothing was written; check the name"):
        lake.store.replace(path, b"data")
    if path != "a":
        with pytest.raises(StorageError, match=r"Nothing was written; check the name"):
            lake.store.create(path, b"data")
    assert [p.name for p in Path(lake.store.root).rglob("*")] == ["a", "file"]


def test_a_name_that_the_file_system_refuses_is_absent_not_a_crash(lake: Lake) -> None:
    lake.store.replace("a/file", b"")
    assert lake.store.stat(f"a/{'x' * 1024}") is None


def test_a_local_file_rewritten_in_place_with_its_old_times_has_another_token(tmp_path: Path) -> None:
    store = store_for(str(tmp_path))
    file = tmp_path / "x"
    file.write_bytes(b"aaaa")
    before, times = store.stat("x"), file.stat()
    time.sleep(0.02)  # longer than the tick of the file system's clock
    file.write_bytes(b"bbbb")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    after = store.stat("x")
    assert before is not None
    assert after is not None
    assert before.size == after.size
    assert before.token != after.token


def test_a_file_that_vanishes_while_it_is_listed_is_skipped(tmp_path: Path) -> None:
    store = store_for(str(tmp_path))
    for name in ("a", "b", "c"):
        store.replace(f"l/{name}", b"")
    found = store.list("l")
    assert next(found).path == "l/a"
    (tmp_path / "l" / "b").unlink()
    assert _paths(found) == ["l/c"]


@pytest.mark.slow
def test_a_listing_of_a_bucket_goes_past_its_first_page(s3_lake: Lake) -> None:
    names = [f"l/{at:04}" for at in range(1_050)]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda path: s3_lake.store.create(path, b""), names))
    assert _paths(s3_lake.store.list("l")) == names
    assert _paths(s3_lake.store.list("l", "l/0007")) == names[8:]


@pytest.mark.slow
def test_a_bucket_that_is_not_there_is_one_clear_error(s3_lake: Lake) -> None:  # noqa: ARG001 - for its environment
    store = store_for("s3://no-such-bucket/x")
    for call in (lambda: store.read("a"), lambda: list(store.list("a")), lambda: store.create("a", b"")):
        with pytest.raises(StorageError, match=r"^s3://no-such-bucket/x/a: .*; check the ") as error:
            call()
        assert "\n" not in str(error.value)


def test_opening_a_store_opens_no_connection() -> None:
    assert store_for("s3://nowhere/at/all").uri("a/b") == "s3://nowhere/at/all/a/b"
