"""Tables that no module declares any more: they are named, checked, kept from being forgotten, and removed for good."""

from dataclasses import replace
from pathlib import Path

import dataframely as dy
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.broken import Broken
from lakehouse_assets.contracts.declare import ContractError, Feed, Model, source
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.decisions.kinds import DecisionError
from lakehouse_assets.decisions.recorded import record
from lakehouse_assets.forgetting.request import ask as ask_to_forget
from lakehouse_assets.maintenance.retired import Retired, drop, find, named
from lakehouse_assets.operations.decision_commands import retract
from lakehouse_assets.query import sql
from lakehouse_assets.query.verify import verify
from lakehouse_assets_tests.conftest import Cli
from lakehouse_assets_tests.faults.conftest import IN_FULL
from lakehouse_assets_tests.pipeline.declared import Records, feed_of, lake_of, put, stored
from lakehouse_assets_tests.retail import build, land

COLUMNS = {
    "id": dy.Int64(nullable=False),
    "on": dy.Date(nullable=False),
    "name": dy.String(nullable=True, metadata=source(personal=True)),
}
KEPT, GONE = feed_of(COLUMNS, business_date="on"), feed_of(COLUMNS, name="visits", key=("id",), versioned_by="on")
EVERY_TABLE = ["bronze/visits", "landing/visits", "quarantine/visits", "quarantine/visits_by_rule",
               "silver/visits", "silver/visits_history"]  # fmt: skip
ROWS: Records = [
    {"id": 1, "on": "2026-01-05", "name": "Ann Smith"},
    {"id": None, "on": "2026-01-05", "name": "Bob Jones"},
]


class Visitors(dy.Schema):
    """Who came."""

    name = dy.String(primary_key=True, description="Name.")


@pytest.fixture(params=["folder", pytest.param("s3", marks=IN_FULL)])
def full(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    """A lake with two feeds of the same records, and a model that reads both."""
    (tmp_path / "visitors.sql").write_text(
        "SELECT DISTINCT name FROM silver.things UNION SELECT name FROM silver.visits"
    )
    root = tmp_path / "lake" if request.param == "folder" else request.getfixturevalue("s3_lake").settings.root
    model = Model(
        name="visitors", schema=Visitors, sql=tmp_path / "visitors.sql", description="Who came.", owner="team:x"
    )
    lake = lake_of(root)
    lake = replace(lake, registry=Registry([KEPT, GONE], [model]))
    for feed in ("things", "visits"):
        put(lake, {"a.json": ROWS}, feed)
    build(lake)
    return lake


def only(lake: Lake, *feeds: Feed) -> Lake:
    return replace(lake, registry=Registry(list(feeds), []))


def remove(lake: Lake, name: str, **options: bool) -> list[str]:
    return [step.place for step in drop(lake, named(lake, name), **{"landing": False, "dry_run": False} | options)]


def names(lake: Lake) -> list[str]:
    return [one.name for one in find(lake)]


@pytest.mark.slow
def test_what_no_module_declares_is_named_and_verify_and_forget_know_it(full: Lake) -> None:
    assert find(full) == []
    lake = only(full, KEPT)
    assert [str(one) for one in find(lake)] == [
        "gold.visitors: gold/visitors",
        f"visits: {', '.join(EVERY_TABLE)}",
    ]
    assert list(verify(lake)) == []
    with pytest.raises(DecisionError, match=r"Remove them first \(`lakehouse drop gold\.visitors`, `lakehouse drop vi"):
        ask_to_forget(lake, KEPT, "name=Ann Smith", "asked", hypothetical=True)
    file = next(item.path for item in lake.store.list("silver/visits_history") if item.path.endswith(".parquet"))
    lake.store.delete(file)
    [finding] = verify(lake)
    assert str(finding).startswith("silver.visits_history: ")
    assert str(finding).endswith("remove it with `lakehouse drop`, or declare it again")


@pytest.mark.slow
@pytest.mark.parametrize("full", ["folder", "s3"], indirect=True)
def test_a_dropped_feed_is_gone_and_comes_again_from_landing_when_it_is_declared(full: Lake) -> None:
    record(full.store, retract(full, GONE, "a.json", "wrong"))
    lake = only(full, KEPT)
    planned = remove(lake, "visits", dry_run=True)
    assert names(lake) == ["gold.visitors", "visits"]
    assert remove(lake, "visits") == planned
    assert remove(lake, "gold.visitors") == ["gold/visitors"]
    assert [str(one) for one in find(lake)] == ["visits: landing/visits"]
    assert list(verify(lake)) == []
    assert sql.run(lake, "SELECT DISTINCT feed FROM ops.accounting").rows == [("things",)]
    again = only(full, KEPT, GONE)
    put(again, {}, "visits")
    assert stored(again, "silver", "id", feed="visits") == []  # the retraction stands: decisions are kept
    put(again, {"b.json": [{"id": 2, "on": "2026-01-06", "name": "Cy"}]}, "visits")
    assert stored(again, "silver", "id", feed="visits") == [(2,)]
    assert list(verify(again, deep=True)) == []


@pytest.mark.slow
def test_with_landing_no_byte_is_left(full: Lake) -> None:
    lake = only(full, KEPT)
    remove(lake, "visits", landing=True)
    remove(lake, "gold.visitors")
    assert find(lake) == []
    left = {item.path for folder in ("bronze", "silver", "quarantine", "landing", "gold", "decisions", "ledger_summary")
            for item in lake.store.list(folder) if "visit" in item.path}  # fmt: skip
    assert left == set()
    assert ask_to_forget(lake, KEPT, "name=Ann Smith", "asked", hypothetical=True).is_new
    assert list(verify(lake, deep=True)) == []


@pytest.mark.slow
def test_a_removal_that_was_interrupted_is_done_again(full: Lake) -> None:
    lake = only(full, KEPT)
    steps = drop(lake, named(lake, "visits"), landing=False, dry_run=False)
    for _ in range(4):
        next(steps)
    del steps
    assert "visits" in names(lake)
    remove(lake, "visits", landing=True)
    assert "visits" not in names(lake)
    assert list(verify(lake)) == []


def test_what_is_declared_or_may_be_is_not_retired(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, KEPT)
    put(lake, {"a.json": ROWS})
    with pytest.raises(ContractError, match=r"'things' is no retired feed or table \(retired are: none\)"):
        named(lake, "things")
    broken = Broken("visits.py:1", "SyntaxError", ("visits",))
    unknown = replace(lake, registry=Registry([], [], [broken]))
    assert find(unknown) == []
    with pytest.raises(ContractError, match="Nothing was removed: what is declared is not known"):
        named(unknown, "things")


def test_tables_of_earlier_revisions_and_kinds_are_told_apart(tmp_path: Path) -> None:
    keyed = replace(GONE, name="things")
    lake = lake_of(tmp_path, keyed)
    put(lake, {"a.json": ROWS})
    now = only(lake, replace(keyed, revision=2))
    assert names(now) == ["things.r1"]
    put(now, {})
    dated = only(lake, replace(KEPT, revision=3))
    history = Retired("silver.things_history", ("silver/things_history", "silver/things_history.r2"))
    assert history in find(dated)
    remove(dated, "silver.things_history")
    assert history not in find(dated)


def test_a_table_of_another_revision_is_named_kept_from_being_forgotten_and_dropped(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, KEPT)
    put(lake, {"a.json": ROWS})
    now = only(lake, replace(KEPT, revision=2))
    put(now, {})
    [one] = find(now)
    assert str(one) == "things.r1: quarantine/things, quarantine/things_by_rule, silver/things"
    # The first record breaks the contract in no way, the second one does: both tables hold a person.
    with pytest.raises(DecisionError, match=r"Remove them first \(`lakehouse drop things\.r1`\)"):
        ask_to_forget(now, next(iter(now.registry.feeds.values())), "name=Bob Jones", "asked", hypothetical=True)
    assert names(lake) == ["things.r2"]
    before = stored(now, "silver", "id")
    remove(now, "things.r1")
    assert (find(now), stored(now, "silver", "id"), list(verify(now))) == ([], before, [])


def test_the_commands(lake: Lake, cli: Cli) -> None:
    assert "retired" not in cli(lake, "status").stdout
    land(lake, "a.json", b"[]", "visits")
    for command in ("status", "plan"):
        shown = cli(lake, command)
        assert "visits: landing/visits; `lakehouse drop visits` removes it" in shown.stdout
        assert shown.returncode == 0
    looked = cli(lake, "drop", "visits", "--landing", "--dry-run")
    assert (looked.returncode, "landing/visits" in looked.stdout) == (0, True)
    for more in ((), ("--confirm", "visit")):
        refused = cli(lake, "drop", "visits", "--landing", *more)
        assert refused.returncode == 1
        assert "Nothing was removed" in refused.stdout + refused.stderr
    assert cli(lake, "drop", "visits", "--landing", "--confirm", "visits").returncode == 0
    assert list(lake.store.list("landing/visits")) == []
