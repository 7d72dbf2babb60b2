"""A view covers every declared feed, in queries as in models, which then depend on each feed's own table."""

from pathlib import Path

import pytest

from lakehouse_assets.contracts.declare import ContractError, Model
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.contracts.views import expanded, tables_in, views_of
from lakehouse_assets.defs.gold.quarantine_by_rule import MODEL
from lakehouse_assets_tests.contracts.orders import orders


def _models() -> list[Model]:
    found = Registry([orders(), orders(name="flags", business_date=None)], [MODEL])
    return list(found.models.values())


def test_the_counts_by_rule_of_every_feed_are_read_by_the_model_that_names_none() -> None:
    [model] = _models()
    assert model.upstream == ("quarantine.flags_by_rule", "quarantine.orders_by_rule")
    assert MODEL.sql is not None
    assert not any(feed in MODEL.sql.read_text() for feed in ("sales", "orders"))


def test_another_feed_makes_it_another_model() -> None:
    [both], [one] = _models(), Registry([orders()], [MODEL]).models.values()
    assert both.version != one.version


@pytest.mark.parametrize(
    "query",
    [
        "SELECT rule FROM quarantine.by_rule",
        "SELECT by_rule.rule FROM quarantine.by_rule",
        "SELECT c.rule FROM quarantine.by_rule AS c",
        "WITH c AS (FROM quarantine.by_rule) SELECT c.rule FROM c JOIN quarantine.by_rule USING (rule)",
    ],
)
def test_a_view_may_be_read_as_any_table(query: str) -> None:
    assert tables_in(expanded(query, views_of([orders()]))) == {"quarantine.orders_by_rule"}


def test_a_query_without_views_stays_as_it_was_written() -> None:
    query = "FROM silver.orders SELECT  MAP {'a': 1} -- as it is"
    assert expanded(query, views_of([orders()])) == query


def test_a_feed_must_not_have_the_name_of_a_view() -> None:
    with pytest.raises(ContractError, match=r"quarantine\.by_rule is a view of the lake's own; give the feed"):
        Registry([orders(name="by_rule")], [])


def test_without_feeds_there_are_no_views(tmp_path: Path) -> None:
    file = tmp_path / "m.sql"
    file.write_text("FROM quarantine.by_rule")
    model = Model(name="m", schema=MODEL.schema, sql=file, description="x", owner="team:x")
    with pytest.raises(ContractError, match="which no module declares"):
        Registry([], [model])
