"""A plain argument that cannot work is refused where it is written, with what to write."""

import datetime as dt
from typing import Any

import pytest

from lakehouse_assets.contracts.declare import ContractError, Model
from lakehouse_assets_tests.contracts.orders import orders
from lakehouse_assets_tests.contracts.test_registry import Totals

WRONG = {
    "owner": ("data-platform", 'neither a team nor an e-mail address; write owner="team:sales"'),
    "start_date": ("2011-06-01", r"is no date; write start_date=dt.date\(2011, 6, 1\)"),
    "gate": (95, "is no share from 0 to 1; write gate=0.95"),
    "revision": (0, "is no number from 1"),
    "description": (None, "is no text"),
    "contract": ("Orders", "is no class that derives from Contract or dy.Schema; write contract=NameOfTheClass"),
    "format": ("csv", r"is no Csv or FixedWidth or Json or Excel; write format=Csv\("),
    "drift": ("fail", r"is no DriftPolicy; write drift=DriftPolicy\("),
    "inventory": ("yes", "is no bool; write inventory=True"),
    "usual_rows": (10, "is no UsualRows"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_feed_with_an_argument_that_cannot_work_is_refused(name: str) -> None:
    value, told = WRONG[name]
    options: dict[str, Any] = {name: value}
    with pytest.raises(ContractError, match=f"feed 'orders': {name}={value!r} .*{told}"):
        orders(**options)


def test_a_moment_is_no_date() -> None:
    with pytest.raises(ContractError, match="is no date"):
        orders(start_date=dt.datetime(2011, 6, 1, tzinfo=dt.UTC))


@pytest.mark.parametrize("name", ["owner", "revision", "description"])
def test_a_model_with_an_argument_that_cannot_work_is_refused(name: str) -> None:
    options: dict[str, Any] = {"description": "x", "owner": "team:x", "function": list} | {name: WRONG[name][0]}
    with pytest.raises(ContractError, match=f"model 'totals': {name}="):
        Model(name="totals", schema=Totals, **options)


@pytest.mark.parametrize("schema", [Totals(), int], ids=["an object", "a class of other things"])
def test_a_model_without_a_class_of_columns_is_refused(schema: Any) -> None:
    with pytest.raises(ContractError, match=r"model 'totals': schema=.* is no class that derives from"):
        Model(name="totals", schema=schema, description="x", owner="team:x", function=list)


@pytest.mark.parametrize("owner", ["team:x", "ann@example.org"])
def test_teams_and_addresses_own_tables(owner: str) -> None:
    assert orders(owner=owner).owner == owner
