"""A look at landing takes a bounded time and a page of each feed; the looks after it come to everything."""

from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.sources.landing import key_of
from lakehouse_assets.sources.listing import Listing
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.contracts.orders import orders

_FILES = {"sales": 12, "products": 3, "customers": 1}


def _landed(tmp_path: Path, listing_s: float) -> Lake:
    lake = lake_at(str(tmp_path / "lake"), listing_page=4, listing_s=listing_s)
    lake = replace(lake, registry=Registry([replace(orders(), name=name) for name in _FILES], []))
    for name, files in _FILES.items():
        for number in range(files):
            lake.store.replace(f"{lake.registry.feed(name).landing}/{number:02}.csv", b"x")
    return lake


@pytest.mark.parametrize(("seconds", "looks"), [(1_000, 4), (3, 9), (0.5, 20)])
def test_everything_is_listed_once_whatever_time_a_look_has(tmp_path: Path, seconds: float, looks: int) -> None:
    lake, clock = _landed(tmp_path, seconds), count()
    after: dict[str, str] = {}
    listed: list[tuple[str, str]] = []
    for _ in range(looks):
        # A second passes with each question for the time: at the begin, before a feed, and after each object.
        listing = Listing(lake, after, lambda: next(clock))
        pages = [(page.feed.name, key_of(page.feed, stored)) for page in listing.pages() for stored in page.objects]
        assert len(pages) <= max(1, seconds)
        listed += [found for found in pages if found not in listed]
        after = listing.after
        if not after:
            break
    assert sorted(listed) == sorted((name, f"{number:02}.csv") for name, n in _FILES.items() for number in range(n))
    assert after == {}


def test_a_feed_that_the_time_did_not_suffice_for_is_the_first_of_the_next_look(tmp_path: Path) -> None:
    lake, clock = _landed(tmp_path, 1), count()
    first = Listing(lake, {}, lambda: next(clock))
    [seen] = [page.feed.name for page in first.pages()]
    second = Listing(lake, first.after, lambda: next(clock))
    assert next(second.pages()).feed.name != seen


def test_a_feed_that_is_declared_no_more_holds_nothing_up(tmp_path: Path) -> None:
    listing = Listing(_landed(tmp_path, 1_000), {"gone": "a.csv"})
    assert "gone" not in {page.feed.name for page in listing.pages()}
    assert "gone" not in listing.after
