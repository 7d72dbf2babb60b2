"""The events of a gold table: one materialization per date, and the whole table shown once per run."""

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.orchestration.model_assets import _built
from lakehouse_assets_tests import retail
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.retail import sales_csv


@pytest.mark.slow(covered=True)
def test_the_whole_table_is_read_for_display_once_however_many_batches_there_are(lake: Lake) -> None:
    dates = [f"2011-03-0{day}" for day in (1, 2, 3)]
    for date in dates:
        retail.land(lake, f"{date}.csv", sales_csv(2, date))
    retail.ingest(lake)
    retail.publish(lake)
    lake = lake_at(lake.settings.root, publish_batch_rows=1)
    batches = list(_built(lake, lake.registry.models["daily_sales"], dates, force=False))
    assert [[event.partition for event in batch] for batch in batches] == [[date] for date in dates]
    assert [event.partition for batch in batches for event in batch if "preview" in event.metadata] == dates[-1:]
