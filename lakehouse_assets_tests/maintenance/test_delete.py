"""Removing objects: the same in a folder and in a bucket, and never another version than the one meant."""

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.storage.stores import StorageError, Store


@pytest.fixture(params=["local", pytest.param("s3", marks=pytest.mark.slow)])
def store(request: pytest.FixtureRequest) -> Store:
    """The storage of a fresh lake, of each kind."""
    lake: Lake = request.getfixturevalue("lake" if request.param == "local" else "s3_lake")
    return lake.store


def test_a_removed_object_is_gone_and_its_neighbours_stay(store: Store) -> None:
    for path in ("a/x", "a/x y", "a/é+%.bin"):
        store.replace(path, b"1")
    assert store.delete("a/x")
    assert store.delete("a/é+%.bin")
    assert [stored.path for stored in store.list("a")] == ["a/x y"]


def test_removing_what_is_not_there_is_no_error_and_is_told(store: Store) -> None:
    store.replace("a/x", b"1")
    assert not store.delete("a/y")
    assert not store.delete("a/x/y")
    assert store.delete("a/x")
    assert not store.delete("a/x")


def test_a_version_that_was_replaced_is_not_removed(store: Store) -> None:
    store.replace("a/x", b"first")
    first = store.stat("a/x")
    assert first is not None
    store.replace("a/x", b"other")
    assert not store.delete("a/x", first.token)
    assert store.read("a/x") == b"other"
    second = store.stat("a/x")
    assert second is not None
    assert store.delete("a/x", second.token)
    assert store.stat("a/x") is None


def test_a_folder_is_no_object_to_remove(lake: Lake) -> None:
    lake.store.replace("a/x", b"1")
    with pytest.raises(StorageError, match="was not removed"):
        lake.store.delete("a")
    assert lake.store.read("a/x") == b"1"
