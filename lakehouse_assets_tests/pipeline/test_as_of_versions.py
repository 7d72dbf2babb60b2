"""Sums over the versions that rows ask for: the same numbers on every machine, and a change exchanges its part."""

import datetime as dt

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse_assets.pipeline.as_of_versions import USE, VERSION, added, sums

DAY = dt.date(2026, 3, 1)
numbers = st.integers(0, 5)
uses = st.sets(st.tuples(numbers, st.integers(-9, 9), st.dates(DAY, DAY + dt.timedelta(days=2))))
versions = st.dictionaries(st.tuples(numbers, st.integers(-9, 9)), st.integers(1, 2**60 - 1))
Uses = set[tuple[int, int, dt.date]]
Versions = dict[tuple[int, int], int]


def mixed(number: int) -> int:
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        number = (number ^ (number >> shift)) * factor % 2**64
    return number ^ (number >> 31)


def by_hand(join: int, asked: Uses, held: Versions) -> dict[str, int]:
    found: dict[str, int] = {}
    for key, at, date in asked:
        since = max((since for of, since in held if of == key and since <= at), default=None)
        if since is None:
            continue
        number = join
        for value in (key, at, held[key, since]):
            number = mixed((number + value) % 2**64)
        found[str(date)] = (found.get(str(date), 0) + number) % 2**60
    return found


def computed(join: int, asked: Uses, held: Versions) -> dict[str, int]:
    rows = [(*place, version) for place, version in held.items()]
    return sums(join, pl.DataFrame(list(asked), USE, orient="row"), pl.DataFrame(rows, VERSION, orient="row"))


@settings(max_examples=60, deadline=None)
@given(numbers, uses, versions)
def test_each_row_counts_with_the_version_that_held(join: int, asked: Uses, held: Versions) -> None:
    assert computed(join, asked, held) == by_hand(join, asked, held)


@pytest.mark.slow(covered=True)
@settings(max_examples=60, deadline=None)
@given(uses, versions, versions, st.sets(numbers))
def test_what_changed_keys_add_leads_to_the_same_sums(
    asked: Uses, before: Versions, new: Versions, keys: set[int]
) -> None:
    after = {place: v for place, v in before.items() if place[0] not in keys}
    after |= {place: v for place, v in new.items() if place[0] in keys}
    theirs = {one for one in asked if one[0] in keys}
    out = {date: -value for date, value in computed(0, theirs, before).items()}
    exchanged = added(computed(0, asked, before), out, computed(0, theirs, after))
    assert {date: value for date, value in exchanged.items() if value} == computed(0, asked, after)
