"""A process follows a table's log: it sees every change, and looks at little where there is none."""

import shutil
from collections.abc import Iterator

import polars as pl
import pytest

from lakehouse_assets.contracts.partitioning import Partitioning
from lakehouse_assets.storage import delta, delta_log
from lakehouse_assets.storage.schema_evolution import open_table
from lakehouse_assets.storage.stores import LocalStore, Stored

_PATH = "silver/x"
_ROWS = pl.DataFrame({"n": [1]})


class Listing(LocalStore):
    """A local store that counts listings and reads."""

    calls = 0

    def list(self, prefix: str, after: str = "") -> Iterator[Stored]:
        self.calls += 1
        return super().list(prefix, after)

    def read(self, path: str, token: str | None = None) -> bytes:
        self.calls += 1
        return super().read(path, token)


@pytest.fixture
def store(tmp_path_factory: pytest.TempPathFactory) -> Listing:
    return Listing(str(tmp_path_factory.mktemp("lake")))


def _publish(store: Listing, fingerprint: int) -> None:
    table = open_table(store, _PATH, dict(_ROWS.schema), Partitioning.SNAPSHOT)
    delta.replace(store, table, _ROWS, None, {"whole": fingerprint})


def test_a_table_that_is_not_there_has_no_version(store: Listing) -> None:
    assert delta_log.read(store, _PATH).version == -1
    _publish(store, 1)
    assert delta_log.read(store, _PATH).version == 1


@pytest.mark.slow
def test_every_commit_is_seen_and_an_unchanged_log_is_neither_listed_nor_read(store: Listing) -> None:
    for number in range(1, 45):  # beyond two checkpoints
        _publish(store, number)
        found = delta_log.read(store, _PATH)
        assert (found.version, found.transactions) == (number, {"whole": number})
        before = store.calls
        assert delta_log.read(store, _PATH) is found
        assert store.calls == before


def test_a_table_that_was_removed_and_made_anew_is_read_anew(store: Listing) -> None:
    _publish(store, 1)
    assert delta.fingerprints(store, _PATH) == {"whole": 1}
    shutil.rmtree(store.uri(_PATH))
    assert delta.fingerprints(store, _PATH) == {}
    _publish(store, 2)
    assert delta.fingerprints(store, _PATH) == {"whole": 2}
