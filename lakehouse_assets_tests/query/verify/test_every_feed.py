"""Damage to histories, events, packs and what joins feeds is found, and named by its table."""

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.maintenance.policy import Policy
from lakehouse_assets_tests import shop
from lakehouse_assets_tests.conftest import copied, lake_at
from lakehouse_assets_tests.decisions.person import findings
from lakehouse_assets_tests.faults.conftest import EVERYTHING
from lakehouse_assets_tests.maintenance.aging import done
from lakehouse_assets_tests.query.verify.tampering import cut, data_file, delete, path_of, update
from lakehouse_assets_tests.retail import DAY, line, sales_csv
from lakehouse_assets_tests.shop import acted, offered, page, registered, stream

pytestmark = pytest.mark.slow
JANUARY = "2011-01-01T00:00:00Z"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake of all feeds, its events packed. Read only."""
    lake = shop.shop_in(lake_at(str(tmp_path_factory.mktemp("good") / "lake")))
    people = (registered("17850", JANUARY), registered("17850", f"{DAY}T00:00:00Z", segment="vip"))
    objects = {
        "customers/1": page(*people),
        "products/1": page(offered("85123A", JANUARY)),
        "sales/1": sales_csv([line()]),
        **{f"web_events/{at}": stream(acted(at, f"{DAY}T10:00:00Z", customer_id="17850")) for at in range(3)},
    }
    shop.land_all(lake, objects)
    shop.run(lake)
    done(lake, Policy(dt.timedelta(), below_seven_days=True, small_files=1))
    assert findings(lake) == []
    return lake


DAMAGES: dict[str, tuple[Callable[[Lake], object], str]] = {
    "a customer's segment changed": (
        update("silver/customers", "true", segment="'gold'"),
        "silver.customers bucket=",
    ),
    "an earlier version of a customer removed": (
        delete("silver/customers_history", "not is_current"),
        "silver.customers_history bucket=",
    ),
    "a version of a customer that begins later": (
        update("silver/customers_history", "is_current", valid_from="valid_from + INTERVAL 1 DAY"),
        "silver.customers_history bucket=",
    ),
    "a product's cost changed": (update("silver/products", "true", unit_cost="9"), "silver.products bucket="),
    "an event removed": (delete("silver/web_events", "event_id = 'e1'"), f"silver.web_events {DAY}"),
    "an event moved to another hour": (
        update("silver/web_events", "event_id = 'e1'", event_time="event_time + INTERVAL 1 HOUR"),
        f"silver.web_events {DAY}",
    ),
    "a pack cut": (lambda lake: cut(path_of(lake, "bronze/web_events/**/pack*")), f"bronze.web_events {DAY}"),
    "a pack deleted": (
        lambda lake: path_of(lake, "bronze/web_events/**/pack*").unlink(),
        f"bronze.web_events {DAY}",
    ),
    "a segment of then changed": (
        update("gold/sales_enriched", "true", customer_segment="'retail'"),
        f"gold.sales_enriched {DAY}",
    ),
    "a count of the funnel changed": (update("gold/funnel_daily", "true", views="4"), f"gold.funnel_daily {DAY}"),
    "an hour removed": (delete("gold/live_sales_hourly", "true"), f"gold.live_sales_hourly {DAY}"),
    "a customer's insight changed": (
        update("gold/customer_insights", "true", frequency="2"),
        "gold.customer_insights whole",
    ),
    "a file of a history deleted": (
        lambda lake: data_file(lake, "silver/customers_history", "bucket=").unlink(),
        "silver.customers_history",
    ),
}
SAMPLE = (
    "an earlier version of a customer removed",
    "an event removed",
    "a pack cut",
    "a segment of then changed",
    "an hour removed",
)


def test_damage_to_any_feed_is_found(good: Lake, tmp_path: Path) -> None:
    missed = []
    for at, name in enumerate(DAMAGES if EVERYTHING else SAMPLE):
        damage, found = DAMAGES[name]
        lake = replace(copied(good, tmp_path / str(at)), registry=good.registry)
        damage(lake)
        told = findings(lake)
        if not any(finding.startswith(found) for finding in told):
            missed.append((name, told))
    assert missed == []
