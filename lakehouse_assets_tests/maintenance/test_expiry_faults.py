"""Expiry that is killed, or has company, or comes in any order, leaves what follows from files and decisions."""

import datetime as dt
import itertools
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.registry import Registry, registry_of
from lakehouse_assets.decisions import kinds, recorded
from lakehouse_assets.decisions.kinds import Decision
from lakehouse_assets.maintenance import expiry
from lakehouse_assets.maintenance.policy import Policy
from lakehouse_assets.pipeline import silver
from lakehouse_assets.pipeline.pending import FeedState
from lakehouse_assets.storage import delta
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.decisions.person import (
    findings,
    pending,
    take_back,
)
from lakehouse_assets_tests.faults.conftest import EVERYTHING
from lakehouse_assets_tests.maintenance.aging import assert_same, content, done
from lakehouse_assets_tests.maintenance.expiring import (
    FIRST,
    SECOND,
    THIRD,
    age_of,
    assert_settled,
    bad,
    by_rule,
    counted,
    expiries,
    kept,
    look_after,
    published,
)
from lakehouse_assets_tests.retail import build, day, ingest, land, publish, run, sales, sales_csv
from lakehouse_assets_tests.shop import FEEDS, numbered


@pytest.fixture
def three(lake: Lake) -> Lake:
    """Three dates with a bad record each, and an undated record."""
    return published(lake)


@pytest.mark.slow
def test_revoked_before_anything_was_removed_nothing_is_computed(three: Lake) -> None:
    age = age_of(three, THIRD)
    old = expiry.old_rows(three, sales(three), age)
    assert old is not None
    expiry.decide(three, sales(three), old, age, "ann")
    [decision] = recorded.Decisions.load(three.store, "sales").active
    take_back(three, decision)
    assert run(three) == {}
    assert len(kept(three)) == 4
    assert_settled(three)


@pytest.mark.slow
def test_killed_between_the_decision_and_the_removal_the_next_maintenance_finishes(
    three: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(expiry, "remove", killed)
        with pytest.raises(KeyboardInterrupt):
            look_after(three, THIRD)
    assert expiries(three) == [(THIRD, "active")]
    assert kept(three) == {FIRST: 1, SECOND: 1, THIRD: 1, "undated": 1}
    assert_settled(three)
    assert run(three) == {}
    [action] = look_after(three)  # the decision says it, whatever the policy of this time
    assert action.action == f"2 rows expiring: dated before {THIRD}"
    assert kept(three) == {THIRD: 1, "undated": 1}
    assert expiries(three) == [(THIRD, "active")]
    assert_settled(three)


@pytest.mark.slow
def test_a_date_that_is_to_be_computed_is_left_to_the_run(three: Lake) -> None:
    land(three, "late.csv", sales_csv([bad(FIRST, 2)]))
    ingest(three)
    gone, waits = look_after(three, THIRD)
    assert gone.action.startswith("1 row expiring")
    assert waits.action == "1 row, kept until their dates are computed: run the lake"
    assert findings(three) == []
    run(three)
    assert kept(three) == {THIRD: 1, "undated": 1}
    assert_settled(three)


@pytest.mark.slow
def test_a_file_that_is_published_while_rows_are_removed_makes_the_removal_look_again(
    three: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = FeedState.of
    meanwhile: list[int] = []

    def slow(lake: Lake, feed: Any) -> FeedState:
        state = opened(lake, feed)
        if state.expired_before and not meanwhile:  # the removal has opened the table and read its inputs
            meanwhile.append(1)
            land(lake, "late.csv", sales_csv([bad(FIRST, number) for number in range(2, 12)]))
            assert run(lake)[FIRST].verdict == "held"
        return state

    monkeypatch.setattr(FeedState, "of", slow)
    look_after(three, THIRD)
    assert meanwhile
    assert kept(three) == {FIRST: 11, THIRD: 1, "undated": 1}
    assert_settled(three)


@pytest.mark.slow
def test_rows_that_are_removed_while_a_file_is_published_do_not_come_back(
    three: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluated = silver._evaluate
    meanwhile: list[int] = []

    def slow(*about: Any) -> Any:
        found = evaluated(*about)
        if not meanwhile:  # the publisher has read what is decided, and has written nothing
            meanwhile.append(1)
            age = age_of(three, THIRD)
            old = expiry.old_rows(three, sales(three), age)
            assert old is not None
            expiry.decide(three, sales(three), old, age, "ann")
            expiry.remove(three, sales(three), old)
        return found

    land(three, "late.csv", sales_csv([*day(FIRST, 30, InvoiceNo="555555"), bad(FIRST, 2)]))
    monkeypatch.setattr(silver, "_evaluate", slow)
    run(three)
    assert meanwhile
    look_after(three)
    assert kept(three) == {THIRD: 1, "undated": 1}
    assert counted(three)[FIRST][0] == 2
    assert_settled(three)


@pytest.mark.slow
def test_a_lake_from_before_the_counts_were_kept_counts_first_and_expires_then(three: Lake) -> None:
    for stored in list(three.store.list("quarantine/sales_by_rule")):
        three.store.delete(stored.path)
    told = look_after(three, THIRD)
    assert [action.action.partition(",")[0] for action in told] == ["2 rows"]
    assert pending(three) == [FIRST, SECOND, THIRD, "undated"]
    run(three)
    look_after(three, THIRD)
    assert kept(three) == {THIRD: 1, "undated": 1}
    assert by_rule(three) == {FIRST: 1, SECOND: 1, THIRD: 1, "undated": 1}
    assert_settled(three)


@pytest.mark.slow
def test_a_row_put_back_by_hand_is_found(three: Lake) -> None:
    before = DeltaTable(three.store.uri("quarantine/sales")).version()
    look_after(three, THIRD)
    DeltaTable(three.store.uri("quarantine/sales")).restore(before)
    assert findings(three) == [
        f"quarantine.sales {date}: it has 1 row, and from what is live follow 0; "
        f"`lakehouse run silver.sales --from {date} --to {date}` computes them again"
        for date in (FIRST, SECOND)
    ]


class History:
    """What happens to one feed of a lake, at random, and what then follows from files and decisions."""

    def __init__(self, root: Path, feed: str, seed: int) -> None:
        declared = registry_of("lakehouse_assets.defs")
        models = [declared.models["quarantine_by_rule"]]
        self.tables = Registry([declared.feed(feed)], models)
        self.lake, self.feed = self.at(root), feed
        self._chance, self._numbers = random.Random(seed), itertools.count()  # noqa: S311 - the same every time

    def at(self, root: Path) -> Lake:
        return replace(lake_at(str(root)), registry=self.tables)

    @property
    def decisions(self) -> recorded.Decisions:
        return recorded.Decisions.load(self.lake.store, self.feed)

    def step(self) -> None:
        steps = (
            self.land,
            self.land,
            self.run,
            self.run,
            self.expire,
            self.decide,
            self.revoke,
            self.replay,
            self.pack,
        )
        self._chance.choice(steps)()

    def land(self) -> None:
        date, bad = self._chance.choice((FIRST, SECOND, THIRD)), self._chance.choice((0, 1, 2, 30))
        data = numbered(self.feed, next(self._numbers), date, 60, bad)
        land(self.lake, str(self._chance.randrange(4)), data, self.feed)

    def run(self) -> None:
        settled(self.lake, self.feed)

    def replay(self) -> None:
        publish(self.lake, feed=self.feed, force=True)

    def expire(self) -> None:
        look_after(self.lake, self._date(), feed=self.feed)

    def decide(self) -> None:
        """Be killed before a row is removed; of a feed whose rows never expire, decide all the same."""
        expired = kinds.new(kinds.Expire, self.feed, "they are old", "ann", before=self._date())
        recorded.record(self.lake.store, expired)

    def revoke(self) -> None:
        if active := [d for d in self.decisions.active if d.kind == kinds.Expire.kind]:
            take_back(self.lake, self._chance.choice(active))

    def pack(self) -> None:
        done(self.lake, Policy(dt.timedelta(), below_seven_days=True, small_files=1))

    def _date(self) -> str:
        return self._chance.choice((FIRST, SECOND, THIRD, "2011-03-04"))


def settled(lake: Lake, feed: str) -> None:
    ingest(lake, feed=feed)
    publish(lake, feed=feed)
    build(lake)


# Seeds with an expiry, its revocation, and something that lands afterwards.
SAMPLE, STEPS = [("sales", 14), ("web_events", 25), ("customers", 6)], 12 if EVERYTHING else 8


@pytest.mark.slow
@pytest.mark.parametrize(
    ("feed", "seed"), [(feed, seed) for feed in FEEDS for seed in range(12)] if EVERYTHING else SAMPLE
)
def test_in_whatever_order_it_is_what_follows_from_files_and_decisions(tmp_path: Path, feed: str, seed: int) -> None:
    """A lake to which everything happened in some order is one in which all was landed and decided at once."""
    story = History(tmp_path / "lake", feed, seed)
    lake = story.lake
    story.land()
    story.run()
    for _ in range(STEPS):
        story.step()
        assert [f for f in findings(lake) if f.startswith(("quarantine", "silver", "ops"))] == []
    story.run()
    look_after(lake, feed=feed)
    assert_settled(lake)
    other = story.at(tmp_path / "other")
    for stored in lake.store.list("landing"):
        other.store.replace(stored.path, lake.store.read(stored.path))
    for decision in story.decisions.taken:
        recorded.record(other.store, decision)
    settled(other, feed)
    # Not silver: a held date keeps the version before, of which the other lake has never heard.
    names = (f"quarantine.{feed}", f"quarantine.{feed}_by_rule", "gold.quarantine_by_rule")
    mine, theirs = content(lake), content(other)
    assert_same({name: theirs[name] for name in names}, {name: mine[name] for name in names})
    assert counted(lake) == counted(other)
    if lake.registry.feed(feed).key:
        assert mine[f"quarantine.{feed}"].height == sum(quarantined for quarantined, _ in counted(lake).values())


def test_a_decision_of_before_there_were_expiries_is_read(lake: Lake) -> None:
    decision = kinds.new(kinds.Release, "sales", "a reason", "ann", partition=FIRST, fingerprint=1)
    recorded.record(lake.store, decision)
    path = f"decisions/sales/{decision.id}.json"
    lake.store.replace(path, lake.store.read(path).replace(b' "before": null,\n', b""))
    assert recorded.Decisions.load(lake.store, "sales").expired_before is None
    assert isinstance(recorded.Decisions.load(lake.store, "sales").active[0], Decision)
    assert delta.fingerprints(lake.store, "quarantine/sales") == {}
