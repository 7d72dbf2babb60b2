"""A writer whose version of a table is gone from the log is late like any other: it conflicts, and decides again."""

import polars as pl
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.partitioning import Partitioning
from lakehouse_assets.storage import delta
from lakehouse_assets.storage.schema_evolution import open_table

LAYOUT = Partitioning.SNAPSHOT
COLUMNS = {"n": pl.Int64()}


def test_a_writer_whose_version_is_gone_conflicts(lake: Lake) -> None:
    store = lake.store
    late, serial = (open_table(store, "t", COLUMNS, LAYOUT) for _ in range(2))
    for n in range(3):
        now = open_table(store, "t", COLUMNS, LAYOUT)
        delta.replace(store, now, pl.DataFrame({"n": [n]}), None, {"whole": n + 1})
    now = open_table(store, "t", COLUMNS, LAYOUT)
    now.create_checkpoint()
    for version in range(now.version()):
        store.delete(f"t/_delta_log/{version:020}.json")

    with pytest.raises(delta.Conflict):
        delta.replace(store, late, pl.DataFrame({"n": [9]}), None, {"whole": 9})
    with pytest.raises(delta.Conflict):
        delta.write_serially(store, serial, pl.DataFrame({"n": [9]}), ["stream"])

    assert delta.scan(store, "t", COLUMNS).collect().rows() == [(2,)]
