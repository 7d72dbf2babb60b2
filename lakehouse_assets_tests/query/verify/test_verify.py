"""A lake that nobody damaged has no disagreements, whatever happened to it by the rules."""

import shutil
from pathlib import Path

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.operations.decision_commands import discard
from lakehouse_assets.query.overview import status
from lakehouse_assets_tests.conftest import Lakehouse, lake_at
from lakehouse_assets_tests.decisions.person import ask, findings, held, quantities, quarantined, settle, take
from lakehouse_assets_tests.query.verify.damage import HELD, MOVED, NEXT, PINNED, RELEASED
from lakehouse_assets_tests.retail import land, line, sales_csv

pytestmark = pytest.mark.slow


def test_a_lake_with_every_oddity_is_clean(good_lake: Lake) -> None:
    """And it has them all: else the damage tests would prove little."""
    assert findings(good_lake) == []
    assert (held(good_lake), quantities(good_lake, HELD)) == ([HELD], [1, 2, 3])
    assert (quantities(good_lake, PINNED), quantities(good_lake, RELEASED)) == ([1, 2], list(range(1, 9)))
    assert (quantities(good_lake, MOVED), quantities(good_lake)[-3:]) == ([1], [60, 600, 2000])
    assert set(quarantined(good_lake)) == {
        ("day.csv", 63), ("day.csv", 64), ("day.csv", 65), ("day.csv", 66), ("drop.zip!b.csv", 4), ("released.csv", 9),
    }  # fmt: skip
    found = ledger_states(good_lake)
    assert {"accepted", "alias", "superseded", "held", "rejected"} <= found
    states = {state for (state,) in ask(good_lake, "SELECT DISTINCT state FROM ops.decisions")}
    assert states == {"active", "revoked"}
    kinds = {kind for (kind,) in ask(good_lake, "SELECT DISTINCT kind FROM ops.decisions")}
    assert kinds == {"correct", "waive", "discard", "release", "accept", "pin", "revoke"}
    assert [line.split(": ")[0] for line in status(good_lake).pinned] == [
        f"gold.daily_metrics {PINNED}",
        f"silver.sales {PINNED}",
    ]


def ledger_states(lake: Lake) -> set[str]:
    return {state for (state,) in ask(lake, "SELECT DISTINCT state FROM ops.ledger")}


def test_an_empty_lake_is_clean(tmp_path: Path) -> None:
    assert findings(lake_at(str(tmp_path / "lake"))) == []


def test_verify_writes_nothing(good_lake: Lake) -> None:
    def stored() -> set[tuple[str, str]]:
        folders = [item.name for item in Path(good_lake.settings.root).iterdir()]
        return {(item.path, item.token) for folder in folders for item in good_lake.store.list(folder)}

    before = stored()
    assert before
    assert findings(good_lake) == []
    assert stored() == before


def test_the_command_says_that_there_is_none_and_exits_with_0(lakehouse: Lakehouse) -> None:
    said = lakehouse("verify")
    assert (said.code, said.out, said.err) == (0, "disagreements: none\n", "")


def test_what_is_pending_is_no_damage(lake: Lake) -> None:
    land(lake, "late.csv", sales_csv([line(Quantity="700")]))
    take(lake, discard, "drop.zip!a.csv", 5)
    assert findings(lake) == []
    settle(lake)
    # Silver is done, gold is pending.
    assert quantities(lake, NEXT) == [1, 2, 3, 4]
    assert findings(lake) == []
    settle(lake, gold=True)
    assert findings(lake) == []


def test_a_lake_without_its_landing_is_clean(lake: Lake) -> None:
    shutil.rmtree(f"{lake.settings.root}/landing")
    assert findings(lake) == []
    assert quantities(lake)[-1] == 2000
