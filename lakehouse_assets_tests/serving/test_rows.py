"""The texts by which rows are found: another one for each key; and values that become the same number."""

import decimal
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Serving
from lakehouse_assets.contracts.registry import Registry, registry
from lakehouse_assets.serving.attributes import as_json, attribute, canonical
from lakehouse_assets.serving.rows import refused, served

NAMES = st.text("ab/,=%", max_size=4)


@given(st.lists(st.tuples(NAMES, st.dictionaries(NAMES, NAMES, max_size=2)), min_size=2, max_size=2))
def test_two_keys_have_one_text_only_where_they_are_equal(keys: list[tuple[str, dict[str, str]]]) -> None:
    [table] = served(Lake(None, None, registry()))  # type: ignore[arg-type]
    texts = [table.key({"metric_name": attribute(name), "dimensions": attribute(by)}).text for name, by in keys]
    assert (texts[0] == texts[1]) == (keys[0] == keys[1])


@given(st.floats(allow_nan=False, allow_infinity=False) | st.decimals(-(10**20), 10**20, places=6) | st.integers())
def test_a_number_stays_the_same_to_the_last_decimal(value: float | decimal.Decimal) -> None:
    found = attribute(value)
    assert type(value)(decimal.Decimal(found["N"])) == value
    assert canonical({"N": f"{decimal.Decimal(found['N']):E}"}) == found
    assert decimal.Decimal(as_json(found)) == decimal.Decimal(str(value))


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_what_is_no_number_is_null(value: object) -> None:
    assert as_json(attribute(value)) == "null"


def test_json_is_that_of_the_values() -> None:
    value = {"b": [1, decimal.Decimal("2.50"), True, None], "a": {"ü": "x\n"}}
    assert json.loads(as_json(attribute(value))) == {"a": {"ü": "x\n"}, "b": [1, 2.5, True, None]}


def test_personal_columns_are_not_served_and_no_table_is_by_such_a_key(lake: Lake) -> None:
    lineage = "lakehouse_assets.serving.rows.personal_of_model"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lineage, lambda *_: {"metric_value"})
        [table] = served(lake)
        assert table.columns == ("date_key", "metric_name", "dimensions")
        assert list(refused(lake)) == []
        patch.setattr(lineage, lambda *_: {"dimensions"})
        assert served(lake) == []
        [(name, why)] = refused(lake)
        assert (name, why[:50]) == ("gold.daily_metrics", "its key 'dimensions' may hold personal data, so it")


def test_another_gold_table_is_served_by_its_declaration_alone(lake: Lake) -> None:
    feeds, models = lake.registry.feeds.values(), lake.registry.models.values()
    more = [replace(m, serving=Serving("sales", ("country",))) if m.name == "daily_sales" else m for m in models]
    later = replace(lake, registry=Registry(list(feeds), more))
    assert sorted(table.path for table in served(later)) == ["metrics", "sales"]
