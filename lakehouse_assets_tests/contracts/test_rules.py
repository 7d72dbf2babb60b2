"""Every rule has an id that can name a check and a text that a person understands."""

import re

import dataframely as dy
import polars as pl
import pytest

from lakehouse_assets.contracts.registry import registry
from lakehouse_assets.contracts.rules import rules_of
from lakehouse_assets_tests.contracts.orders import orders

pytestmark = pytest.mark.usefixtures("every_table")


def _declared() -> list[tuple[str, str, str]]:
    feeds = [(feed.name, rule.id, rule.text) for feed in registry().feeds.values() for rule in feed.rules.values()]
    models = [(m.name, rule.id, rule.text) for m in registry().models.values() for rule in rules_of(m.schema)]
    return feeds + models


def test_rule_ids_are_word_characters() -> None:
    assert [rule for _, rule, _ in _declared() if not re.fullmatch(r"\w+", rule)] == []


def test_rule_ids_are_unique_within_their_table() -> None:
    for feed in registry().feeds.values():
        assert all(key == rule.id for key, rule in feed.rules.items())
    for model in registry().models.values():
        ids = [rule.id for rule in rules_of(model.schema)]
        assert len(ids) == len(set(ids)) > 0


def test_every_rule_says_what_it_asks() -> None:
    assert [(table, rule) for table, rule, text in _declared() if len(text.split()) < 2] == []


def test_the_sales_feed_has_a_rule_for_everything_that_its_records_can_break() -> None:
    assert registry().feeds["sales"].rules.keys() >= {
        "record_shape", "quantity_readable", "quantity_required", "invoiced_at_readable", "invoiced_at_required",
        "invoiced_at_in_range", "unit_price_readable", "unit_price_scale", "unit_price_min", "unit_price_required",
        "invoice_no_regex", "invoice_no_required", "stock_code_required", "country_required",
        "cancellation_not_positive",
    }  # fmt: skip


class Odd(dy.Schema):
    name = dy.String(nullable=False, regex="^x", max_length=3)
    rate = dy.Int64(nullable=True, min=0, max=9)

    @dy.rule()
    def rate_is_even(cls) -> pl.Expr:  # noqa: N805
        """Even rates only.

        Because.
        """
        return pl.col("rate") % 2 == 0

    @dy.rule()
    def without_words(cls) -> pl.Expr:  # noqa: N805
        return pl.col("rate") < 8


def test_the_text_of_a_rule_is_the_first_line_of_its_docstring_or_its_name() -> None:
    texts = {rule.id: rule.text for rule in rules_of(Odd)}
    assert texts["rate_is_even"] == "Even rates only"
    assert texts["without_words"] == "without words"
    assert texts["name_required"] == "`name` is present"
    assert texts["name_regex"] == "`name` matches `^x`"
    assert texts["rate_min"] == "`rate` is at least 0"
    assert texts["rate_max"] == "`rate` is at most 9"


@pytest.mark.parametrize(
    ("name", "rate", "broken"),
    [
        ("xy", 4, set()),
        ("xy", None, set()),
        (None, 4, {"name_required"}),
        ("yyyy", 4, {"name_regex", "name_max_length"}),
        ("x", 11, {"rate_max", "rate_is_even", "without_words"}),
        ("x", -2, {"rate_min"}),
    ],
)
def test_a_rule_holds_where_its_expression_is_true_or_unknown(
    name: str | None, rate: int | None, broken: set[str]
) -> None:
    frame = pl.DataFrame({"name": [name], "rate": [rate]}, schema={"name": pl.String, "rate": pl.Int64})
    found = {rule.id for rule in rules_of(Odd) if not frame.select(rule.expression.fill_null(value=True)).item()}
    assert found == broken


def test_a_reading_rule_stands_for_every_column_that_is_not_text() -> None:
    rules = orders().rules
    assert rules["units_readable"].text == "`units` can be read as an integer"
    assert rules["ordered_at_readable"].text == "`ordered_at` can be read as a date or time"
    assert rules["price_readable"].text == "`price` can be read as a number"
    assert rules["price_scale"].text == "`price` has at most 4 decimals"
    assert rules["ordered_at_in_range"].text == "`ordered_at` lies between the first business date and today"
    assert "number_readable" not in rules
    assert rules["few"].text == "few"
