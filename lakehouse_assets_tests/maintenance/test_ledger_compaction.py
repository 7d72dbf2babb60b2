"""The ledger compacts itself as it grows; two that do it at once must not double what it says."""

from collections.abc import Callable
from typing import Any

import pytest
from deltalake import DeltaTable

from lakehouse_assets.context import Lake
from lakehouse_assets.ledger.ledger import TABLE, Entry, Ledger, ObjectVersion


def _version(key: str) -> ObjectVersion:
    return ObjectVersion("sales", key, "token", 1, "contract", (Entry(key, key, {"2011-03-01": 1}),))


class Interrupted(DeltaTable):
    """A ledger's table, between whose append and whatever follows it somebody else does something."""

    meanwhile: Callable[[], None] | None = None
    before: int

    def get_add_actions(self, *arguments: Any, **options: Any) -> Any:
        found = super().get_add_actions(*arguments, **options)
        if (do := self.meanwhile) is not None and self.version() > self.before:
            self.meanwhile = None
            do()
        return found


@pytest.mark.slow
def test_of_two_that_append_and_compact_at_once_both_are_recorded_once(lake: Lake) -> None:
    for number in range(40):  # one more and it compacts itself
        Ledger.load(lake.store).append([_version(f"before-{number}.csv")], "run")
    known = Ledger.load(lake.store).rows
    table = Interrupted(lake.store.uri(TABLE.path))
    table.before = table.version()
    table.meanwhile = lambda: Ledger.load(lake.store).append([_version("other.csv")], "run")
    Ledger(lake.store, table).append([_version("mine.csv")], "run")
    assert table.meanwhile is None
    keys = sorted(Ledger.load(lake.store).rows["source_key"])
    assert keys == sorted([*known["source_key"], "mine.csv", "other.csv"])
