"""A lake that is packed while objects land, persons are forgotten and processes are killed is as one that never is."""

import contextlib
import itertools
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lakehouse_assets.context import Lake
from lakehouse_assets.decisions.recorded import record
from lakehouse_assets.forgetting import service
from lakehouse_assets.forgetting.request import ask
from lakehouse_assets.maintenance.policy import Policy
from lakehouse_assets.operations.decision_commands import retract
from lakehouse_assets.pipeline import packs
from lakehouse_assets.storage.local import LocalStore
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.erasure.everywhere import PERSON
from lakehouse_assets_tests.erasure.traces import traces
from lakehouse_assets_tests.faults.conftest import EVERYTHING, ORDER
from lakehouse_assets_tests.faults.reading import differences, tables_of
from lakehouse_assets_tests.faults.scenario import copied_to
from lakehouse_assets_tests.maintenance import aging
from lakehouse_assets_tests.maintenance.aging import assert_sound, done
from lakehouse_assets_tests.maintenance.packed import (
    AT_ONCE,
    KEPT,
    NEXT,
    NOW,
    bronze,
    land_minutes,
    minute,
    packs_of,
    publish_minutes,
    read_again,
)
from lakehouse_assets_tests.retail import DAY, day, land, line, run, sales, sales_csv

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("land"), st.integers(0, 30), st.sampled_from([DAY, NEXT])),
        st.tuples(st.just("send again"), st.integers(0, 5), st.sampled_from([DAY, NEXT])),
        st.tuples(st.just("alias"), st.integers(0, 5), st.just(DAY)),
        st.tuples(st.just("retract"), st.integers(0, 5), st.just(DAY)),
        st.tuples(st.just("read again"), st.just(0), st.sampled_from([DAY, NEXT])),
        st.tuples(st.sampled_from(["keep", "remove"]), st.just(0), st.just("")),
    ),
    min_size=3,
    max_size=5,
)


def _step(lake: Lake, what: str, at: int, date: str, *, is_packed: bool) -> None:
    if what in {"keep", "remove"}:
        if is_packed:
            done(lake, KEPT if what == "keep" else AT_ONCE)
        return
    if what == "land":
        land_minutes(lake, 2, first=at, date=date)
    elif what == "send again":
        land(lake, f"{DAY}-{at:04}.csv", minute(100 + at, date))
    elif what == "alias":
        land(lake, f"alias-{at}.csv", minute(at))
    elif what == "retract":
        feed, key = sales(lake), f"{DAY}-{at:04}.csv"
        if key in set(lake.counting(feed).live["source_key"]):
            record(lake.store, retract(lake, feed, key, "wrong"))
    else:
        read_again(lake, date)
    run(lake)


@pytest.mark.slow
@settings(
    max_examples=20 if EVERYTHING else 1, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
@given(STEPS)
@example([("land", 3, DAY), ("send again", 1, NEXT), ("remove", 0, ""), ("retract", 2, DAY), ("read again", 0, DAY)])
def test_a_lake_that_is_packed_now_and_then_is_one_that_never_is(steps: list[tuple[str, int, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        plain, packed = (lake_at(f"{folder}/{name}") for name in ("plain", "packed"))
        for lake in (plain, packed):
            publish_minutes(lake, 4)
            for step in [("keep", 0, ""), *steps, ("remove", 0, "")]:
                _step(lake, *step, is_packed=lake is packed)
        found, expected = (
            {name: rows for name, rows in tables_of(lake, without=ORDER).items() if name != "ops.decisions"}
            for lake in (packed, plain)
        )
        assert differences(found, expected) == []
        assert len(bronze(packed)) < len(bronze(plain))
        assert_sound(packed)


class Killed(BaseException):
    """What nothing of the package catches, as a kill."""


def _killed_at(lake: Lake, point: int, policy: Policy) -> str | None:
    """Maintain a lake until a call that packing makes of its storage; return which it was, None if there is none."""
    calls, at = itertools.count(1), None

    def watched(name: str, original: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **named: object) -> object:
            nonlocal at
            if at is None and next(calls) == point:
                at = name
                if point % 2:
                    original(*arguments, **named)  # killed after it
            if at is not None:
                raise Killed
            return original(*arguments, **named)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for owner, name in ((LocalStore, "create"), (LocalStore, "delete"), (packs, "opened"), (packs, "write")):
            patch.setattr(owner, name, watched(name, getattr(owner, name)))
        with contextlib.suppress(Killed):
            done(lake, policy)
    return at


@pytest.mark.slow
def test_killed_anywhere_it_is_finished_by_the_next(lake: Lake) -> None:
    land_minutes(lake, 5)
    land_minutes(lake, 5, date=NEXT)
    run(lake)
    expected, base, seen = tables_of(lake), Path(lake.settings.root), set[str]()
    for point in itertools.count(1, 1 if EVERYTHING else 3):
        copy = copied_to(lake, base.parent / str(point))
        killed = _killed_at(copy, point, NOW)
        assert differences(tables_of(copy), expected) == [], point
        if killed is None:
            break
        seen.add(killed)
        done(copy, NOW)
        assert differences(tables_of(copy), expected) == [], point
        assert_sound(copy)
        assert len(packs_of(copy)) == 2
        assert all(packs.is_pack(path) for path in bronze(copy)), point
    assert seen >= ({"create", "delete", "opened", "write"} if EVERYTHING else {"opened", "write"})


@pytest.mark.slow
@pytest.mark.parametrize("is_removed", [False, True])
def test_a_person_is_forgotten_in_packs_and_in_what_lies_beside_them(lake: Lake, *, is_removed: bool) -> None:
    for at in range(4):
        person = [line(CustomerID=PERSON, InvoiceNo=str(540_000 + at))] if at % 2 else []
        land(lake, f"{at}.csv", sales_csv([*day(DAY, 3, InvoiceNo=str(500_000 + at)), *person]))
    run(lake)
    done(lake, KEPT)
    land_minutes(lake, 2)
    run(lake)
    done(lake, AT_ONCE if is_removed else KEPT)  # the first pack stays beside the second for readers under way
    assert len(packs_of(lake)) == 1
    assert sum(map(packs.is_pack, bronze(lake))) == 2
    assert sum(path.startswith("bronze") for path in traces(lake, PERSON)) == (2 if is_removed else 4)
    others = tables_of(lake)["silver.sales"]

    request = ask(lake, sales(lake), f"customer_id={PERSON}", "a request", "ann")
    found = service.forget(request, lambda: run(lake), lambda _: None)

    assert (found.problems, found.unsearched, found.counts["bronze", "records"]) == ([], [], 2)
    assert traces(lake, PERSON) == []
    assert [row for _, row in others if PERSON in row]
    assert len(tables_of(lake)["silver.sales"]) == len(others) - 2
    assert_sound(lake)
    done(lake, AT_ONCE)
    assert_sound(lake)


@pytest.mark.slow
def test_objects_that_land_meanwhile_are_neither_lost_nor_doubled(lake: Lake) -> None:
    stop = threading.Event()

    def look_after() -> None:
        while not stop.is_set():
            done(lake, AT_ONCE)

    publish_minutes(lake, 2)
    thread = threading.Thread(target=look_after)
    thread.start()
    try:
        for at in range(2, 8):
            land_minutes(lake, 1, first=at)
            run(lake)
    finally:
        stop.set()
        thread.join()
    done(lake, AT_ONCE)
    assert_sound(lake)
    assert aging.content(lake)["silver.sales"].height == 8 * 3
    assert packs_of(lake)
