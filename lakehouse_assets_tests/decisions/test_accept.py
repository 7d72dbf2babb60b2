"""A held object is taken by decision: these bytes of it, in spite of its manifest or of its late dates."""

from datetime import timedelta

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.decisions.kinds import DecisionError
from lakehouse_assets.operations.decision_commands import accept
from lakehouse_assets.query.overview import status
from lakehouse_assets_tests.decisions.manifests import live, promise, reasons
from lakehouse_assets_tests.decisions.person import NEXT, ask, quantities, settle, sound, take, take_back, with_feed
from lakehouse_assets_tests.retail import land, sales, sales_csv

DROP = sales_csv(3)


@pytest.fixture(params=["manifest", "late dates"])
def lake(request: pytest.FixtureRequest, lake: Lake) -> Lake:
    """A lake that holds `drop.csv` for one reason or the other."""
    if request.param == "manifest":
        promise(lake, "drop.csv.manifest.json", rows=99)
    else:
        lake = with_feed(lake, late_data_window=30)
    land(lake, "drop.csv", DROP)
    settle(lake)
    assert (live(lake), list(reasons(lake))) == ({}, ["drop.csv"])
    return lake


@pytest.mark.slow
def test_an_accepted_object_is_live(lake: Lake) -> None:
    take(lake, accept, "drop.csv")
    assert status(lake).landed == ["sales: drop.csv"]
    settle(lake)
    assert (live(lake), quantities(lake), reasons(lake)) == ({"drop.csv": 3}, [1, 2, 3], {})
    assert status(lake).landed == []
    sound(lake)


@pytest.mark.slow
def test_another_version_of_an_accepted_object_is_held_anew_and_the_accepted_one_stays(lake: Lake) -> None:
    take(lake, accept, "drop.csv")
    settle(lake)
    land(lake, "drop.csv", sales_csv(4))
    settle(lake)
    assert (live(lake), list(reasons(lake))) == ({"drop.csv": 3}, ["drop.csv"])
    sound(lake)


@pytest.mark.slow
def test_the_accepted_bytes_are_accepted_when_they_come_again(lake: Lake) -> None:
    take(lake, accept, "drop.csv")
    settle(lake)
    land(lake, "drop.csv", sales_csv(4))
    settle(lake)
    land(lake, "drop.csv", DROP)
    settle(lake)
    assert (live(lake), reasons(lake)) == ({"drop.csv": 3}, {})
    sound(lake)


@pytest.mark.slow
def test_an_acceptance_is_for_its_key_only(lake: Lake) -> None:
    promise(lake, "copy.csv.manifest.json", rows=99)
    land(lake, "copy.csv", DROP)
    settle(lake)
    take(lake, accept, "drop.csv")
    settle(lake)
    assert (live(lake), list(reasons(lake))) == ({"drop.csv": 3}, ["copy.csv"])


@pytest.mark.slow(covered=True)
def test_an_acceptance_that_is_revoked_before_a_run_takes_nothing(lake: Lake) -> None:
    take_back(lake, take(lake, accept, "drop.csv"))
    settle(lake)
    assert (live(lake), list(reasons(lake))) == ({}, ["drop.csv"])


@pytest.mark.slow
def test_an_object_whose_acceptance_is_revoked_is_held_again(lake: Lake) -> None:
    decision = take(lake, accept, "drop.csv")
    settle(lake)
    take_back(lake, decision)
    settle(lake)
    assert (live(lake), list(reasons(lake)), quantities(lake)) == ({}, ["drop.csv"], [])
    sound(lake)


@pytest.mark.slow
@pytest.mark.parametrize("key", ["other.csv", "", "drop", "drop.csv.manifest.json"])
def test_what_is_not_held_cannot_be_accepted(lake: Lake, key: str) -> None:
    held = r"\(held are: drop\.csv\)\. Nothing was decided\.$"
    with pytest.raises(DecisionError, match=rf"^the object '{key}' of sales is not held {held}"):
        accept(lake, sales(lake), key, "it is fine")
    assert ask(lake, "SELECT * FROM ops.decisions") == []


@pytest.mark.slow(covered=True)
def test_an_object_that_was_accepted_already_cannot_be_accepted_again(lake: Lake) -> None:
    take(lake, accept, "drop.csv")
    settle(lake)
    with pytest.raises(DecisionError, match=r"is not held \(held are: none\)"):
        accept(lake, sales(lake), "drop.csv", "it is fine")


@pytest.mark.slow
def test_other_objects_are_taken_as_ever_beside_a_held_one(lake: Lake) -> None:
    recent = str(lake.today(sales(lake)) - timedelta(days=2))
    land(lake, "recent.csv", sales_csv(2, recent))
    settle(lake)
    assert quantities(lake, recent) == [1, 2]
    assert quantities(lake, NEXT) == []
