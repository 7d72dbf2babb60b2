"""What is held follows from the objects and manifests in landing, never from which of them came first."""

import itertools
import json
from pathlib import Path

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.decisions.manifests import live, promise, reasons
from lakehouse_assets_tests.decisions.person import NEXT, accounts, quantities, settle, shown, sound
from lakehouse_assets_tests.faults.conftest import EVERYTHING
from lakehouse_assets_tests.retail import land, sales, sales_csv

DROP = sales_csv(3)
"""Three records: quantities 1, 2, 3, each at 2.55."""
RIGHT, WRONG = {"rows": 3}, {"rows": 4}
GOOD_BEFORE = sales_csv(2)


def outcome(lake: Lake) -> object:
    """Return what readers see, with the ledger's view of the objects."""
    ledger = lake.ledger_of(sales(lake))
    known_versions = {key: (s.state, s.object_hash) for key, s in ledger.known_versions.items()}
    return shown(lake), known_versions, reasons(lake)


def play(lake: Lake, events: list[tuple[str, bytes]], runs_after: set[int]) -> object:
    for at, (key, data) in enumerate(events):
        land(lake, key, data)
        if at in runs_after:
            settle(lake)
    settle(lake)
    return outcome(lake)


def manifest_of(content: dict[str, int]) -> tuple[str, bytes]:
    return "drop.csv.manifest.json", json.dumps(content).encode()


@pytest.mark.slow
@pytest.mark.parametrize("content", [RIGHT, WRONG], ids=["right", "wrong"])
def test_whether_the_manifest_or_the_object_comes_first_makes_no_difference(
    lake: Lake, tmp_path: Path, content: dict[str, int]
) -> None:
    other = ("other.csv", sales_csv(1, NEXT))
    expected = play(lake, [manifest_of(content), ("drop.csv", DROP), other], set())
    assert (live(lake) == {"drop.csv": 3, "other.csv": 1}) is (content is RIGHT)
    for at, events in enumerate(itertools.permutations([manifest_of(content), ("drop.csv", DROP), other])):
        # What one run finds lies in landing in no order: the reverse of the expected one shows it.
        at_once = [set[int]()] if EVERYTHING or at == 5 else []
        for runs in (*at_once, {0, 1}, *(({0}, {1}) if EVERYTHING else ())):
            fresh = lake_at(str(tmp_path / f"{at}-{len(runs)}-{sum(runs)}"))
            assert play(fresh, list(events), runs) == expected, (events, runs)


@pytest.mark.slow
def test_a_wrong_manifest_after_an_accepted_object_holds_it_and_a_corrected_one_accepts_it(lake: Lake) -> None:
    land(lake, "drop.csv", DROP)
    settle(lake, gold=False)
    before = shown(lake)
    promise(lake, "drop.csv.manifest.json", **WRONG)
    settle(lake)
    assert (live(lake), quantities(lake)) == ({}, [])
    assert list(reasons(lake)) == ["drop.csv"]
    sound(lake)
    promise(lake, "drop.csv.manifest.json", **RIGHT)
    settle(lake)
    assert reasons(lake) == {}
    assert shown(lake) == before
    sound(lake)


@pytest.mark.slow
def test_the_last_good_version_stays_while_a_new_one_is_held_and_a_newer_one_releases_it(lake: Lake) -> None:
    land(lake, "drop.csv", GOOD_BEFORE)
    settle(lake)
    promise(lake, "drop.csv.manifest.json", **WRONG)
    land(lake, "drop.csv", DROP)
    settle(lake)
    assert (live(lake), quantities(lake)) == ({"drop.csv": 2}, [1, 2])
    assert list(reasons(lake)) == ["drop.csv"]
    accounts(lake)
    land(lake, "drop.csv", sales_csv(4))
    settle(lake)
    assert (live(lake), quantities(lake), reasons(lake)) == ({"drop.csv": 4}, [1, 2, 3, 4], {})
    sound(lake)


@pytest.mark.slow
def test_the_same_bytes_under_another_key_are_not_held_with_it(lake: Lake) -> None:
    promise(lake, "drop.csv.manifest.json", **WRONG)
    land(lake, "drop.csv", DROP)
    land(lake, "copy.csv", DROP)
    settle(lake)
    assert live(lake) == {"copy.csv": 3}
    assert list(reasons(lake)) == ["drop.csv"]
    sound(lake)


@pytest.mark.slow(covered=True)
def test_a_manifest_that_is_landed_again_unchanged_changes_nothing(lake: Lake) -> None:
    promise(lake, "drop.csv.manifest.json", **WRONG)
    land(lake, "drop.csv", DROP)
    settle(lake)
    before = outcome(lake)
    promise(lake, "drop.csv.manifest.json", **WRONG)
    settle(lake)
    assert outcome(lake) == before


@pytest.mark.slow(covered=True)
def test_a_manifest_that_is_deleted_changes_nothing_by_itself(lake: Lake) -> None:
    promise(lake, "drop.csv.manifest.json", **WRONG)
    land(lake, "drop.csv", DROP)
    settle(lake)
    Path(lake.store.uri("landing/sales/drop.csv.manifest.json")).unlink()
    assert settle(lake) == {}
    assert list(reasons(lake)) == ["drop.csv"]
    land(lake, "drop.csv", DROP)
    settle(lake)
    assert live(lake) == {"drop.csv": 3}
