"""Readers of a process share the latest version of a table, which is never an older one than is stored."""

import shutil
from collections import OrderedDict
from pathlib import Path

import polars as pl
import pytest
from deltalake.exceptions import TableNotFoundError

from lakehouse_assets.contracts.partitioning import Partitioning
from lakehouse_assets.storage import delta, delta_files, delta_latest
from lakehouse_assets.storage.schema_evolution import open_table
from lakehouse_assets.storage.stores import LocalStore

_PATH = "silver/x"
_COLUMNS = {"n": pl.Int64()}


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(str(tmp_path))


def _publish(store: LocalStore, number: int) -> None:
    table = open_table(store, _PATH, _COLUMNS, Partitioning.SNAPSHOT)
    delta.replace(store, table, pl.DataFrame({"n": [number]}), None, {"whole": number})


def _read(store: LocalStore) -> list[int]:
    return delta.scan(store, _PATH, _COLUMNS).collect()["n"].to_list()


def test_it_is_opened_once_while_nobody_commits(store: LocalStore) -> None:
    _publish(store, 1)
    found = delta.latest(store, _PATH)
    assert (_read(store), delta_files.files(store, _PATH)["num_records"].to_list()) == ([1], [1])
    assert delta.latest(LocalStore(store.root), _PATH) is found


def test_what_was_committed_is_read_at_once_and_who_reads_an_older_version_goes_on(store: LocalStore) -> None:
    _publish(store, 1)
    before = delta.scan(store, _PATH, _COLUMNS)
    for number in range(2, 5):
        _publish(store, number)
        assert _read(store) == [number]
    assert before.collect()["n"].to_list() == [1]


def test_no_writer_commits_through_it(store: LocalStore) -> None:
    _publish(store, 1)
    reader = delta.latest(store, _PATH)
    mine, other = (open_table(store, _PATH, _COLUMNS, Partitioning.SNAPSHOT) for _ in range(2))
    delta.replace(store, other, pl.DataFrame({"n": [2]}), None, {"whole": 2})
    assert (reader.version(), delta.latest(store, _PATH).version(), _read(store)) == (1, 2, [2])
    with pytest.raises(delta.Conflict):
        delta.replace(store, mine, pl.DataFrame({"n": [3]}), None, {"whole": 3})


def test_a_table_that_was_removed_and_made_anew_is_opened_anew(store: LocalStore) -> None:
    _publish(store, 1)
    assert _read(store) == [1]
    shutil.rmtree(store.uri(_PATH))
    assert _read(store) == []
    with pytest.raises(TableNotFoundError):
        delta.latest(store, _PATH)
    _publish(store, 2)
    assert _read(store) == [2]


def test_a_version_that_was_committed_while_it_was_opened_is_kept_under_no_older_one(store: LocalStore) -> None:
    _publish(store, 1)

    def opened(store: LocalStore, path: str) -> object:
        _publish(store, 2)
        return delta.opened(store, path)

    assert delta_latest.shared(store, _PATH, opened).version() == 2  # type: ignore[arg-type]
    shutil.rmtree(store.uri(_PATH))
    _publish(store, 3)
    assert (delta.latest(store, _PATH).version(), _read(store)) == (1, [3])


def test_only_so_many_tables_are_kept(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delta_latest, "_KEPT", 1)
    monkeypatch.setattr(delta_latest, "_LATEST", OrderedDict())
    _publish(store, 1)
    found = delta.latest(store, _PATH)
    open_table(store, "silver/y", _COLUMNS, Partitioning.SNAPSHOT)
    assert delta.latest(store, "silver/y").version() == 0
    assert delta.latest(store, _PATH) is not found
