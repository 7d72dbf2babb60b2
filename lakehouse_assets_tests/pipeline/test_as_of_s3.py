"""Sales enriched as of their time, on S3."""

from pathlib import Path

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets_tests.pipeline.enriched import (
    CUSTOMERS,
    DAYS,
    PRODUCTS,
    SALES,
    Version,
    built,
    expected,
    feeds,
    model,
    pending,
    put,
    rows,
)


@pytest.mark.slow
def test_a_late_customer_reopens_its_dates_on_s3(s3_lake: Lake, tmp_path: Path) -> None:
    lake = Lake(s3_lake.store, s3_lake.settings, Registry(feeds(buckets=1), [model(tmp_path)]))
    put(lake, "first", CUSTOMERS, PRODUCTS, SALES)
    assert built(lake) == DAYS
    late = [Version("anna", "vip", 5)]
    put(lake, "late", late)
    assert built(lake) == DAYS[:2]
    assert rows(lake) == expected([*CUSTOMERS, *late], PRODUCTS, SALES)
    assert pending(lake) == []
