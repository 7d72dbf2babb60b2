"""Tables follow from what is live and what was decided, not from the order in which either came.

Five orders of all that is landed and decided; `FAULTS=all`: forty.
"""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from lakehouse_assets.context import Lake
from lakehouse_assets.decisions.kinds import Decision
from lakehouse_assets.operations.decision_commands import correct, discard, waive
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.decisions.person import (
    NEXT,
    THIRD,
    accounts,
    bad_day,
    bad_line,
    landed,
    settle,
    shown,
    sound,
    take,
    take_back,
)
from lakehouse_assets_tests.faults.conftest import EVERYTHING
from lakehouse_assets_tests.retail import DAY, day, ingest, land, line, publish, sales_csv, zipped

BASE = ("day.csv", bad_day(bad_line(), line(InvoiceNo="GIFT1", Quantity="500"), line(InvoiceDate="yesterday")))
OTHERS = (
    ("next.csv", sales_csv(2, NEXT)),
    ("late.csv", sales_csv([line(InvoiceNo="540009", Quantity="90")])),
    ("drop.zip", zipped({"a.csv": sales_csv(2, THIRD), "b.csv": BASE[1]})),
    ("aaa.csv", sales_csv([*day(DAY, 2), bad_line(Quantity="seven")])),
)
Step = Callable[[Lake], object]


def decided(verb: Callable[..., Decision], *about: object) -> Step:
    return lambda lake: take(lake, verb, "day.csv", *about)


def landing(key: str, data: bytes) -> Step:
    return lambda lake: land(lake, key, data)


DECISIONS: tuple[Step, ...] = (
    decided(correct, 61, {"Quantity": "600"}),
    decided(waive, 62, ["invoice_no_regex"]),
    decided(correct, 63, {"InvoiceDate": f"{NEXT} 10:00:00"}),
    decided(discard, 1),
    decided(correct, 2, {"InvoiceDate": f"{THIRD} 10:00:00"}),
)


def replayed(lake: Lake, steps: list[Step], settled_after: set[int]) -> dict[str, list[str]]:
    """Take some steps on a lake where the file that is decided on has landed."""
    land(lake, *BASE)
    ingest(lake)
    for at, step in enumerate(steps):
        step(lake)
        if at in settled_after:
            settle(lake)
    settle(lake)
    return shown(lake, "silver.sales", "quarantine.sales", "ops.accounting", "bronze.sales")


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """All landed first, then all decided, one run."""
    lake = lake_at(str(tmp_path_factory.mktemp("order") / "lake"))
    for other in OTHERS:
        land(lake, *other)
    found = replayed(lake, list(DECISIONS), set())
    # The smaller key of a content that landed twice is the one that stands.
    assert (sound(lake)[DAY].discarded, len(found["silver.sales"])) == (1, 69)
    return found


STEPS = [*DECISIONS, *(landing(*other) for other in OTHERS)]


@pytest.mark.slow
@hypothesis_settings(
    max_examples=40 if EVERYTHING else 5,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(order=st.permutations(range(len(STEPS))), settled_after=st.sets(st.integers(0, len(STEPS) - 1), max_size=4))
def test_decisions_and_landings_in_any_order_give_the_same_tables(
    tmp_path_factory: pytest.TempPathFactory,
    expected: dict[str, list[str]],
    order: list[int],
    settled_after: set[int],
) -> None:
    lake = lake_at(str(tmp_path_factory.mktemp("order") / "lake"))
    found = replayed(lake, [STEPS[at] for at in order], settled_after)
    assert found == expected
    accounts(lake)


@pytest.mark.slow
def test_a_decision_before_unrelated_landings_is_the_same_as_after_them(lake: Lake, tmp_path: Path) -> None:
    before, after = lake, lake_at(str(tmp_path / "after"))
    landed(before, [BASE])
    take(before, correct, "day.csv", 61, {"Quantity": "600"})
    landed(before, OTHERS[:2])
    landed(after, [BASE])
    landed(after, OTHERS[:2])
    take(after, correct, "day.csv", 61, {"Quantity": "600"})
    settle(after)
    assert shown(before) == shown(after)


@pytest.mark.slow
def test_decisions_that_were_all_taken_back_leave_no_trace_whatever_their_order(lake: Lake) -> None:
    landed(lake, [BASE, *OTHERS])
    before = shown(lake)
    order = random.Random(3)  # noqa: S311 - an order, no secret
    taken: list[Decision] = []
    for step in order.sample(DECISIONS, len(DECISIONS)):
        decision = step(lake)
        assert isinstance(decision, Decision)
        taken.append(decision)
        settle(lake)
    for decision in order.sample(taken, len(taken)):
        take_back(lake, decision)
        settle(lake)
    publish(lake, force=True)
    assert shown(lake) == before
    sound(lake)
