"""A retracted object counts no more: whatever the feed's partitions, wherever the lake lies, until it is revoked.

On S3 a feed of dates and one of keys; `FAULTS=all`: every kind of feed.
"""

import random
from pathlib import Path
from typing import Any

import dataframely as dy
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed, source
from lakehouse_assets.decisions.kinds import Decision, DecisionError
from lakehouse_assets.decisions.recorded import record
from lakehouse_assets.forgetting import service
from lakehouse_assets.forgetting.request import ask as ask_to_forget
from lakehouse_assets.operations.decision_commands import foreseen, partitions_of, retract, revoke
from lakehouse_assets.pipeline.pending import FeedState
from lakehouse_assets.query import sql
from lakehouse_assets.query.overview import sizes, status
from lakehouse_assets.query.plan import plan
from lakehouse_assets.query.verify import verify
from lakehouse_assets_tests.conftest import Cli
from lakehouse_assets_tests.decisions.person import landed
from lakehouse_assets_tests.faults.conftest import EVERYTHING
from lakehouse_assets_tests.pipeline.declared import feed_of, lake_of, put, stored
from lakehouse_assets_tests.retail import ingest, land, publish, sales_csv, zipped

DATED = {"id": dy.Int64(nullable=False), "on": dy.Date(nullable=False)}
KEYED = {"id": dy.Int64(nullable=False), "at": dy.Date(nullable=False), "city": dy.String(nullable=True)}
FEEDS: dict[str, Feed] = {
    "day": feed_of(DATED, business_date="on"),
    "month": feed_of(DATED, business_date="on", partition_by="month"),
    "keyed": feed_of(KEYED, key=("id",), versioned_by="at"),
    "keyed by landing": feed_of(KEYED, key=("id",), versioned_by="landing"),
    "full": feed_of(KEYED, key=("id",), versioned_by="landing", delivery="full"),
    "union": feed_of(DATED),
    "latest": feed_of(DATED, snapshot="latest"),
}
FIRST = [{"id": 1, "on": "2026-01-05", "at": "2026-01-05", "city": "Bern"}]
SECOND = [
    {"id": 1, "on": "2026-01-06", "at": "2026-01-06", "city": "Rome"},
    {"id": 2, "on": "2026-02-01", "at": "2026-02-01", "city": "Oslo"},
]


def things(lake: Lake) -> list[tuple[Any, ...]]:
    return sorted(stored(lake, "silver", "id", "_source_key"))


def take(lake: Lake, key: str, feed: str = "things") -> Decision:
    decision = retract(lake, lake.registry.feed(feed), key, "it is the wrong file")
    record(lake.store, decision)
    return decision


def take_back(lake: Lake, decision: Decision) -> None:
    record(lake.store, revoke(lake, decision.feed, decision.id, "it was right"))


def states(lake: Lake, feed: str = "things") -> dict[str, str]:
    rows = sql.run(lake, f"SELECT object_key, state FROM ops.ledger WHERE feed = '{feed}'").rows  # noqa: S608
    return dict(rows)


ON_S3 = FEEDS if EVERYTHING else ("keyed",)


@pytest.mark.slow
@pytest.mark.parametrize(("where", "kind"), [*(("folder", kind) for kind in FEEDS), *(("s3", kind) for kind in ON_S3)])
def test_what_is_retracted_counts_no_more_until_it_is_revoked(
    where: str, kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    root = tmp_path if where == "folder" else request.getfixturevalue("s3_lake").settings.root
    lake = lake_of(root, feed := FEEDS[kind])
    put(lake, {"first.json": FIRST})
    before = things(lake)
    assert before == [(1, "first.json")]
    put(lake, {"second.json": SECOND})
    after = things(lake)
    assert after != before
    planned = retract(lake, feed, "second.json", "it is the wrong file")
    touched = partitions_of(lake, feed, planned)
    then = {outcome.partition: outcome.valid for outcome in foreseen(lake, feed, touched, (planned,)).outcomes}
    assert FeedState.of(lake, feed).pending == []  # a plan changes nothing
    decision = take(lake, "second.json")
    assert FeedState.of(lake, feed).pending == touched == sorted(then)
    assert [step.table for step in plan(lake)] == ["silver.things"]
    assert status(lake).landed == []
    publish(lake, feed="things")
    assert things(lake) == before
    assert states(lake) == {"first.json": "accepted", "second.json": "retracted"}
    assert sql.run(lake, "SELECT _source_key FROM bronze.things").rows == [("first.json",)]
    assert [size.rows for size in sizes(lake)][:2] == [1, 1]
    assert list(verify(lake, deep=True)) == []
    take_back(lake, decision)
    publish(lake, feed="things")
    assert things(lake) == after
    assert list(verify(lake, deep=True)) == []


@pytest.mark.slow
def test_the_version_before_counts_again_and_a_new_one_counts_and_the_same_bytes_do_not(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, FEEDS["day"])
    for version in (FIRST, SECOND):
        put(lake, {"a.json": version})
    take(lake, "a.json")
    publish(lake, feed="things")
    assert things(lake) == [(1, "a.json")]
    take(lake, "a.json")
    publish(lake, feed="things")
    assert things(lake) == []
    put(lake, {"a.json": SECOND[1:]})
    assert things(lake) == [(2, "a.json")]
    put(lake, {"a.json": SECOND})
    # The newest bytes that are not retracted stand.
    assert things(lake) == [(2, "a.json")]
    assert list(verify(lake, deep=True)) == []


@pytest.mark.slow(covered=True)
def test_of_deliveries_under_one_key_the_one_before_counts_again(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, FEEDS["latest"])
    for version in (FIRST, SECOND):
        put(lake, {"today.json": version})
    take(lake, "today.json")
    publish(lake, feed="things")
    assert things(lake) == [(1, "today.json")]


@pytest.mark.slow(covered=True)
def test_the_same_content_under_another_key_counts_on(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, FEEDS["day"])
    put(lake, {"a.json": FIRST, "b.json": FIRST})
    take(lake, "a.json")
    publish(lake, feed="things")
    assert things(lake) == [(1, "b.json")]
    take(lake, "b.json")
    publish(lake, feed="things")
    assert things(lake) == []


@pytest.mark.slow(covered=True)
def test_the_members_of_a_zip_go_together(lake: Lake) -> None:
    landed(lake, [("all.zip", zipped({"a.csv": sales_csv(2), "b.csv": sales_csv(3, "2011-03-02")}))])
    with pytest.raises(DecisionError, match=r"a retraction takes a whole landed object, such as 'all\.zip'"):
        retract(lake, lake.registry.feed("sales"), "all.zip!a.csv", "wrong")
    take(lake, "all.zip", "sales")
    publish(lake)
    assert stored(lake, "silver", "quantity", feed="sales") == []


def test_what_does_not_count_cannot_be_retracted(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, feed := FEEDS["day"])
    put(lake, {"a.json": FIRST})
    take(lake, "a.json")
    for key in ("a.json", "b.json"):
        with pytest.raises(DecisionError, match=rf"^things has no landed object '{key}' that counts\. Nothing was"):
            retract(lake, feed, key, "wrong")


@pytest.mark.slow
def test_the_order_of_arrival_does_not_matter(tmp_path: Path) -> None:
    """Retracted before the other objects come, in between or afterwards: the same tables."""
    found = set()
    for seed in range(4):
        lake = lake_of(tmp_path / str(seed), FEEDS["keyed"])
        steps = ["first.json", "second.json", "third.json"]
        random.Random(seed).shuffle(steps)  # noqa: S311
        for key in steps:
            put(lake, {key: {"first.json": FIRST, "second.json": SECOND, "third.json": SECOND[1:]}[key]})
            if key == "second.json":
                take(lake, key)
        publish(lake, feed="things")
        found.add(tuple(things(lake)))
        assert list(verify(lake)) == []
    assert found == {((1, "first.json"), (2, "third.json"))}


@pytest.mark.slow
def test_a_retraction_survives_an_erasure_in_its_object(tmp_path: Path) -> None:
    body = {**DATED, "name": dy.String(nullable=True, metadata=source(personal=True))}
    lake = lake_of(tmp_path, feed := feed_of(body, business_date="on"))
    put(lake, {"a.json": [FIRST[0] | {"name": "Ann Smith"}, SECOND[0] | {"name": "Bob Jones"}]})
    take(lake, "a.json")
    publish(lake, feed="things")
    request = ask_to_forget(lake, feed, "name=Ann Smith", "asked")

    def run() -> None:
        ingest(lake, feed="things")
        publish(lake, feed="things")

    found = service.forget(request, run, lambda _: None)
    assert found.problems == []
    assert b"Ann" not in (tmp_path / "landing/things/a.json").read_bytes()
    assert things(lake) == []
    assert states(lake) == {"a.json": "retracted"}
    assert list(verify(lake, deep=True)) == []


@pytest.mark.slow(covered=True)
def test_the_command_shows_what_would_change_first(lake: Lake, cli: Cli) -> None:
    landed(lake, [("a.csv", sales_csv(2)), ("b.csv", sales_csv(3))])
    command = ("retract", "sales", "b.csv", "--why", "sent by mistake")
    shown = cli(lake, *command, "--dry-run")
    assert shown.returncode == 0
    assert "2011-03-01" in shown.stdout
    assert shown.stdout.endswith("Dry run: nothing was recorded.\n")
    assert "silver.sales" not in status(lake).pending
    done = cli(lake, *command)
    assert "Recorded retract" in done.stdout
    assert status(lake).pending["silver.sales"] == ["2011-03-01"]
    land(lake, "copy.csv", sales_csv(2))
    ingest(lake)
    assert "No table changes" in cli(lake, "retract", "sales", "copy.csv", "--why", "twice", "--dry-run").stdout
    again = cli(lake, *command)
    assert (again.returncode, again.stdout) == (1, "")
    assert "has no landed object 'b.csv' that counts" in again.stderr
