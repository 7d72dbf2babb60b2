"""Order and kills with several feeds: histories, repeated events, and what joins them, follow from what is live alone.

`test_order` and `test_kills` try sales in more ways: refused objects, held dates, several batches, Dagster.
"""

import datetime as dt
import functools
import shutil
import signal
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakehouse_assets.context import Lake
from lakehouse_assets.maintenance.policy import Policy
from lakehouse_assets_tests import retail, shop
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.faults import scenario
from lakehouse_assets_tests.faults.conftest import EVERYTHING, TIMEOUT, Tell
from lakehouse_assets_tests.faults.killed import Boundary, watch
from lakehouse_assets_tests.faults.reading import Tables, differences, tables_of, unsettled
from lakehouse_assets_tests.forked import Forked
from lakehouse_assets_tests.maintenance.aging import done
from lakehouse_assets_tests.retail import gzipped, line, sales_csv
from lakehouse_assets_tests.shop import Objects, acted, offered, page, registered, stream

pytestmark = [pytest.mark.slow, pytest.mark.timeout(TIMEOUT)]
_EXAMPLES = 200 if EVERYTHING else 3
_AT_ONCE = Policy(dt.timedelta(), below_seven_days=True, small_files=1)
_NOON = "2011-03-01T12:00:00Z"
_VIEWS = [acted(at, f"2011-03-01T10:0{at}:00Z", customer_id="17850") for at in range(3)]
_SALES = [
    line(Quantity="1", InvoiceDate="2011-03-01 09:00:00"),
    line(Quantity="2", InvoiceDate="2011-03-01 13:00:00"),
    line(Quantity="3", InvoiceDate="2011-03-02 09:00:00", CustomerID="13047"),
    line(Quantity="4", InvoiceDate="2011-03-02 10:00:00", CustomerID=None, StockCode="22423"),
]

CONTENTS: dict[str, list[bytes]] = {
    "customers": [
        page(registered("17850", "2011-01-01T00:00:00Z"), registered("13047", "2011-01-01T00:00:00Z")),
        page(registered("17850", _NOON, segment="vip"), registered("17850", "2011-02-01T00:00:00Z", segment="new")),
        page(registered("17850.0", _NOON, segment="lapsed"), registered("13047", "2011-03-02T08:00:00Z")),
        page(registered("13047", "2011-03-02T09:00:00Z", segment="late"), registered("12583", _NOON)),
        page(next="7"),
    ],
    "products": [
        page(offered("85123A", "2011-01-01T00:00:00Z"), offered("22423", "2011-03-02T10:00:00Z", "2.5")),
        page(offered(" 85123a", _NOON, "3")),
        page(offered("85123A", _NOON, "2"), offered("22423", "2011-03-02T10:00:01Z", "4")),
    ],
    "sales": [sales_csv(_SALES[:2]), sales_csv(_SALES[1:]), sales_csv(_SALES), sales_csv([])],
    "web_events": [
        stream(*_VIEWS),
        gzipped(stream(*_VIEWS[1:], acted("late", "2011-02-27T23:59:59Z", "purchase"), separator="")),
        stream({**_VIEWS[0], "session_id": "s2"}, {**_VIEWS[1], "event_time": "2011-03-02T00:30:00Z"}, separator=" "),
        stream(acted(7, "2011-03-02T10:00:00Z", "cart"), acted(8, "2011-03-05T10:00:00Z", "steal"), separator=""),
    ],
}
"""Few of them, so that keys and events come again, in other versions, at the same time, late, and are replaced.

What is bad is on a date of its own: one that is held shows what was published last (see `test_order`).
"""

landings = st.sampled_from(shop.FEEDS).flatmap(
    lambda feed: st.tuples(
        st.sampled_from([f"{feed}/{at}" for at in range(3)]),
        st.sampled_from(CONTENTS[feed]),
        st.sampled_from(["", "", "ingest", "feed", "gold", "run", "run", "maintain"]),
    )
)


def act(lake: Lake, action: str, key: str) -> None:
    feed = key.partition("/")[0]
    match action:
        case "ingest":
            retail.ingest(lake, feed=feed)
        case "feed":
            retail.ingest(lake, feed=feed)
            retail.publish(lake, feed=feed)
        case "gold":
            retail.build(lake)
        case "run":
            shop.run(lake)
        case "maintain":
            done(lake, _AT_ONCE)


def compared(lake: Lake) -> Tables:
    """Return all that follows from what is live, and nothing of what was before."""
    tables = tables_of(lake)
    return {name: rows for name, rows in tables.items() if not name.startswith("ops.") or name == "ops.accounting"}


def lake_with(objects: Objects, root: str) -> Lake:
    """Return a lake into which some objects landed all at once, and that ran once."""
    lake = shop.shop_in(lake_at(root))
    shop.land_all(lake, objects)
    shop.run(lake)
    return lake


def test_any_order_of_the_objects_of_all_feeds_gives_the_tables_of_what_is_live(tell: Tell) -> None:
    tried = []

    @settings(
        max_examples=_EXAMPLES,
        derandomize=not EVERYTHING,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(st.lists(landings, min_size=4, max_size=9))
    def any_story(story: list[tuple[str, bytes, str]]) -> None:
        tried.append(len(story))
        with tempfile.TemporaryDirectory() as folder:
            lake = shop.shop_in(lake_at(f"{folder}/played"))
            for key, data, action in story:
                shop.land_all(lake, {key: data})
                act(lake, action, key)
            shop.run(lake)
            expected = lake_with({key: data for key, data, _ in story}, f"{folder}/reference")
            told = differences(compared(lake), compared(expected)) + unsettled(lake)
        assert not told, "\n".join(told)

    try:
        any_story()
    finally:
        tell(f"{len(tried)} stories of {sum(tried)} landings of all feeds tried")


FIRST = {f"{feed}/0": CONTENTS[feed][0] for feed in shop.FEEDS}
SECOND = {f"{feed}/{at}": data for feed in shop.FEEDS for at, data in enumerate(CONTENTS[feed][1:])}
# Of a lake each run is killed at the next; in full each point has a lake of its own.
SAMPLE = (
    "after append ops/ledger",  # of the customers: what joins them is not built
    "after overwrite silver/customers_history",  # before the state of now
    "before overwrite gold/sales_enriched",  # after its index
)


def killed_run(point: int | str, trace: Path, root: str) -> None:
    """Run what is pending of the lake at a root, and die at a point."""
    watch(Boundary(point, trace))
    shop.run(shop.shop_in(lake_at(root)))


def run_killed(lake: Lake, point: int | str, trace: Path) -> int:
    program = functools.partial(killed_run, point, trace, lake.settings.root)
    return Forked(env=scenario.environment(lake), program=program).finish().returncode


def test_a_killed_run_over_all_feeds_loses_and_doubles_nothing(tmp_path: Path, tell: Tell) -> None:
    base = lake_with(FIRST, str(tmp_path / "base"))
    shop.land_all(base, SECOND)
    whole = shop.shop_in(scenario.copied_to(base, tmp_path / "whole"))
    assert run_killed(whole, 0, tmp_path / "points") == 0
    expected, points = compared(whole), (tmp_path / "points").read_text().splitlines()
    assert not unsettled(whole)
    assert not differences(expected, compared(lake_with(FIRST | SECOND, str(tmp_path / "at once"))))
    every_point = [(number,) for number in range(1, len(points) + 1)]
    stories: Sequence[tuple[int | str, ...]] = every_point if EVERYTHING else [SAMPLE]
    told = []
    for number, story in enumerate(stories):
        lake = shop.shop_in(scenario.copied_to(base, tmp_path / str(number)))
        for point in story:
            assert run_killed(lake, point, tmp_path / "trace") == -signal.SIGKILL, point
        shop.run(lake)
        wrong = differences(compared(lake), expected) + unsettled(lake)
        labels = ", then ".join(points[point - 1] if isinstance(point, int) else point for point in story)
        told += [f"{labels}: {line}" for line in wrong]
        shutil.rmtree(tmp_path / str(number))
    tell(f"{sum(map(len, stories))} of {len(points)} kill points of a run over all feeds tried")
    assert not told, "\n".join(told)
