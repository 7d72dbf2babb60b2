"""Fingerprints of a feed's inputs: as they always were, and computed anew only where something changed."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse_assets.context import Lake, current
from lakehouse_assets.contracts.partitioning import WHOLE
from lakehouse_assets.ledger.entries import WORKING
from lakehouse_assets.ledger.ledger import Ledger
from lakehouse_assets.ledger.state import FeedLedger
from lakehouse_assets.pipeline import inputs
from lakehouse_assets.pipeline.inputs import fingerprint, input_fingerprints
from lakehouse_assets.pipeline.pending import FeedState, ModelState
from lakehouse_assets_tests import retail
from lakehouse_assets_tests.retail import sales, sales_csv

DAY, NEXT = "2011-03-01", "2011-03-02"


@pytest.mark.slow(covered=True)
@given(
    keys=st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1, max_size=5, unique=True)
)
@settings(max_examples=50, deadline=None)
def test_a_fingerprint_is_that_of_the_sorted_contents_with_their_keys_as_json(keys: list[str]) -> None:
    feed = sales(current())
    entries = pl.DataFrame(
        {"object_key": keys, "source_key": keys, "source_hash": [f"{len(keys) - n}" for n in range(len(keys))]}
    ).with_columns(pl.lit("accepted").alias("state"), pl.lit(DAY).alias("part"), version=pl.int_range(1, pl.len() + 1))
    ledger = FeedLedger(pl.concat([Ledger.nothing().select(WORKING), entries], how="diagonal"))
    sources = sorted([content, key] for key, content in entries.select("source_key", "source_hash").iter_rows())
    found = input_fingerprints(feed, ledger, [DAY, NEXT], frozenset({NEXT}), {})
    assert found == {
        DAY: fingerprint([feed.version, False, sources, []]),
        NEXT: fingerprint([feed.version, True, [], []]),
    }


@pytest.mark.slow(covered=True)
@given(
    version=st.text(),
    upstream=st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"])),
        st.dictionaries(st.sampled_from([DAY, NEXT, WHOLE]), st.integers(0)),
        min_size=1,
    ),
)
@settings(max_examples=50, deadline=None)
def test_a_fingerprint_of_a_model_is_that_of_its_version_and_what_it_reads_as_json(
    version: str, upstream: dict[str, dict[str, int]]
) -> None:
    assert inputs.fingerprints_by_date(version, upstream, [DAY, NEXT]) == {
        date: fingerprint([version, {name: read.get(date, read.get(WHOLE)) for name, read in upstream.items()}])
        for date in (DAY, NEXT)
    }


def test_one_more_object_makes_the_fingerprint_of_its_date_be_computed_anew(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    retail.land(lake, "first.csv", sales_csv(1, DAY))
    retail.land(lake, "second.csv", sales_csv(1, NEXT))
    retail.ingest(lake)
    before = FeedState.of(lake, sales(lake)).inputs
    asked: list[list[str]] = []
    sources = inputs._sources

    def spied(ledger: FeedLedger, partitions: list[str], landings: None) -> dict[str, str]:
        asked.append(partitions)
        return sources(ledger, partitions, landings)

    monkeypatch.setattr(inputs, "_sources", spied)
    assert FeedState.of(lake, sales(lake)).inputs == before
    retail.land(lake, "third.csv", sales_csv(2, NEXT))
    retail.ingest(lake)
    after = FeedState.of(lake, sales(lake)).inputs
    assert asked == [[NEXT]]
    assert after[DAY] == before[DAY]
    assert after[NEXT] != before[NEXT]


@pytest.mark.slow
def test_a_state_is_computed_anew_only_when_something_it_follows_from_is_another_one(lake: Lake) -> None:
    retail.land(lake, "first.csv", sales_csv(1, DAY))
    retail.run(lake)
    feed, model = sales(lake), lake.registry.models["daily_sales"]
    before = FeedState.of(lake, feed), ModelState.read(lake, model)
    assert FeedState.of(lake, feed) is before[0]
    assert ModelState.read(lake, model) is before[1]

    retail.land(lake, "second.csv", sales_csv(1, NEXT))
    retail.ingest(lake)
    assert FeedState.of(lake, feed).pending == [NEXT]
    retail.publish(lake)
    assert FeedState.of(lake, feed).pending == []
    assert ModelState.read(lake, model).pending == [NEXT]
    retail.run(lake)
    assert ModelState.read(lake, model).pending == []
