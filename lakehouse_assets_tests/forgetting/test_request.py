"""Only a personal column identifies a person, unless somebody insists on another one."""

import dataframely as dy
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Contract, ContractError, Feed, source
from lakehouse_assets.contracts.registry import registry
from lakehouse_assets.forgetting.request import ask, redactor
from lakehouse_assets_tests.retail import sales

PERSON = "9876543210"


class Things(Contract):
    """Nothing personal."""

    name = dy.String(nullable=False, description="Name.", metadata=source("Name"))


@pytest.mark.parametrize("column", ["country", "quantity"])
def test_a_column_that_is_not_personal_is_refused_and_the_personal_ones_are_named(lake: Lake, column: str) -> None:
    with pytest.raises(
        ContractError, match=f"'{column}' of sales does not identify a person .*are: customer_id.*--any-column"
    ):
        ask(lake, sales(lake), f"{column}=1", "a request")
    assert not any(lake.store.list("erasures"))


def test_who_insists_may_take_any_column_of_text_or_whole_numbers(lake: Lake) -> None:
    assert ask(lake, sales(lake), "country=France", "a request", any_column=True).decision.column == "country"
    with pytest.raises(ContractError, match="'unit_price' of sales does not identify a person"):
        ask(lake, sales(lake), "unit_price=1", "a request", any_column=True)


def test_a_feed_without_a_personal_column_says_so(lake: Lake) -> None:
    things = Feed(name="things", contract=Things, description="Things.", owner="team:tests")
    with pytest.raises(ContractError, match="no column is declared as personal"):
        ask(lake, things, "name=Ann", "a request")


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (f"customer {PERSON}.", "customer (erased)."),
        (f"{PERSON}.0, {PERSON}", "(erased), (erased)"),
        (f"run-{PERSON}-a 12.{PERSON} {PERSON}.5", f"run-{PERSON}-a 12.{PERSON} {PERSON}.5"),
        ("nobody", "nobody"),
    ],
)
def test_texts_for_people_lose_the_value(text: str, clean: str) -> None:
    assert redactor(registry().feed("sales"), "customer_id", PERSON)(text) == clean
