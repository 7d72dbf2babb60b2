"""Whatever is damaged by hand is found, named by its table and date, and told in one line each."""

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets_tests.conftest import Lakehouse
from lakehouse_assets_tests.decisions.person import findings, settle
from lakehouse_assets_tests.faults.conftest import EVERYTHING
from lakehouse_assets_tests.query.verify.damage import DAMAGES, NEXT, Damage, together
from lakehouse_assets_tests.query.verify.tampering import cut, data_file, delete, live_bronze, update
from lakehouse_assets_tests.retail import DAY, publish

pytestmark = pytest.mark.slow


# `FAULTS=all`: each in a lake of its own.
GROUPS = [[damage] for damage in DAMAGES] if EVERYTHING else together(DAMAGES)


@pytest.mark.parametrize("damages", GROUPS, ids=["; ".join(damage.name for damage in group[:2]) for group in GROUPS])
def test_damage_is_found(lake: Lake, damages: list[Damage]) -> None:
    for damage in damages:
        damage.done(lake)
    found = findings(lake)
    missed = [d.name for d in damages if not any(finding.startswith(d.found) for finding in found)]
    assert not missed, found
    assert all("\n" not in finding for finding in found)


@pytest.mark.parametrize("name", ["a bronze file deleted", "a silver value changed", "a gold file deleted",
                                  "a date's accounting removed", "the catalog cut"])  # fmt: skip
def test_the_command_tells_of_damage_and_exits_with_1(lake: Lake, lakehouse: Lakehouse, name: str) -> None:
    [damage] = [damage for damage in DAMAGES if damage.name == name]
    damage.done(lake)
    said = lakehouse("verify")
    assert said.code == 1
    assert said.out.startswith("disagreements: ")
    assert f"\n  {damage.found}" in said.out
    assert said.err == ""


def test_two_damages_are_both_found(lake: Lake) -> None:
    cut(live_bronze(lake, "day.csv"))
    update("gold/daily_sales", f"dt = '{NEXT}'", sales="sales + 0.01")(lake)
    found = findings(lake)
    assert any(finding.startswith(f"bronze.sales {DAY}") for finding in found)
    assert any(finding.startswith(f"gold.daily_sales {NEXT}") for finding in found)


def test_a_date_is_named_alone_when_the_others_are_sound(lake: Lake) -> None:
    delete("silver/sales", f"dt = '{NEXT}' and quantity = 2")(lake)
    named = {finding.split(":")[0] for finding in findings(lake)}
    # Gold of that date no longer follows from silver; it names the date, too.
    assert f"silver.sales {NEXT}" in named
    assert {name.split(" ")[-1] for name in named} <= {NEXT, "whole"}


def test_verify_repairs_nothing(lake: Lake) -> None:
    update("silver/sales", f"dt = '{NEXT}' and quantity = 2", quantity="20")(lake)
    first = findings(lake)
    assert first
    assert findings(lake) == first


def test_computing_the_date_again_heals_a_table(lake: Lake) -> None:
    update("silver/sales", f"dt = '{NEXT}' and quantity = 2", quantity="20")(lake)
    data_file(lake, "quarantine/sales", DAY).unlink()
    assert findings(lake)
    publish(lake, force=True)
    assert findings(lake) == []
    assert settle(lake) == {}
