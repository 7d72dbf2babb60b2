"""The date in a key, and the patterns that can be declared for it."""

import pytest

from lakehouse_assets.contracts.deliveries import delivered_at, refusal


@pytest.mark.parametrize(
    ("key", "pattern", "date"),
    [
        ("products-2026-11-20.csv", "%Y-%m-%d", "2026-11-20T00:00:00"),
        ("2025/01/01/products_20261120.zip", "products_%Y%m%d", "2026-11-20T00:00:00"),
        ("2026/11/20/products.csv", "%Y/%m/%d", "2026-11-20T00:00:00"),
        ("2026-01-01/products-2026-11-20.csv", "%Y-%m-%d", "2026-11-20T00:00:00"),
        ("p.20261120T0630.csv", "%Y%m%dT%H%M", "2026-11-20T06:30:00"),
        ("prices 20.11.2026.csv", "%d.%m.%Y", "2026-11-20T00:00:00"),
        ("p-2026-11.csv", "p-%Y-%m", "2026-11-01T00:00:00"),
        ("2026-11-20/p-2026-13-45.csv", "%Y-%m-%d", "2026-11-20T00:00:00"),
        ("p-2026-13-45.csv", "%Y-%m-%d", None),
        ("p-120261120.csv", "%Y%m%d", None),
        ("p-202611201.csv", "%Y%m%d", None),
        ("products.csv", "%Y-%m-%d", None),
        ("products+2026.csv", "products+%Y", "2026-01-01T00:00:00"),
    ],
)
def test_the_date_of_a_key(key: str, pattern: str, date: str | None) -> None:
    assert delivered_at(key, pattern) == date
    assert refusal(pattern) is None


@pytest.mark.parametrize("pattern", ["", "products", "%m-%d", "%Y-%d", "%y%m%d", "%Y%Y", "%Y-%m-%d%", "%Y%j", "%d.%m"])
def test_a_pattern_that_orders_nothing_is_refused(pattern: str) -> None:
    assert "%Y, then %m" in str(refusal(pattern))
