"""A customer who is forgotten, in what was enriched with what was known of them."""

from pathlib import Path

import pytest

from lakehouse_assets.forgetting import service
from lakehouse_assets.forgetting.request import ask
from lakehouse_assets.query.verify import verify
from lakehouse_assets_tests.erasure.traces import traces
from lakehouse_assets_tests.pipeline.enriched import (
    CUSTOMERS,
    DAYS,
    PRODUCTS,
    SALES,
    Sale,
    Version,
    built,
    expected,
    lake_of,
    pending,
    put,
    rows,
)
from lakehouse_assets_tests.retail import ingest, publish

PERSON = "customer-987654321"
THEIRS = [Version(PERSON, "vip", 0, "0441"), Version(PERSON, "gold", 30)]
THEIR_SALES = [Sale(20, PERSON, "a", 3), Sale(21, PERSON, "a", 40)]


@pytest.mark.slow
def test_a_forgotten_customer_leaves_the_dates_that_knew_them_and_the_past_of_the_index(tmp_path: Path) -> None:
    lake = lake_of(tmp_path)
    sales = [*SALES, *THEIR_SALES]
    put(lake, "first", [*CUSTOMERS, *THEIRS], PRODUCTS, sales)
    assert built(lake) == DAYS

    def run() -> None:
        ingest(lake, feed="customers")
        publish(lake, feed="customers")
        assert built(lake) == DAYS[:2]

    request = ask(lake, lake.registry.feed("customers"), f"customer_id={PERSON}", "asked")
    assert service.forget(request, run, lambda _: None).problems == []
    assert rows(lake) == expected(CUSTOMERS, PRODUCTS, sales)
    assert [trace for trace in traces(lake, PERSON) if "/sales/" not in trace] == []
    kept = [stored.path for stored in lake.store.list("ops/enriched_as_of/_delta_log") if stored.path.endswith(".json")]
    assert len(kept) == 1, "no earlier version of the index is left"
    assert pending(lake) == []
    assert list(verify(lake)) == []
