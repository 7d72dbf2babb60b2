"""The dictionary holds every table, column and rule that is declared, and marks personal data."""

import re

import pytest

from lakehouse_assets.contracts.registry import registry
from lakehouse_assets.contracts.rules import rules_of
from lakehouse_assets.query.dictionary import as_markdown

pytestmark = pytest.mark.usefixtures("every_table")


def _sections() -> dict[str, str]:
    partitions = re.split(r"^## (.+)$", as_markdown(registry()), flags=re.MULTILINE)
    return dict(zip(partitions[1::2], partitions[2::2], strict=True))


def test_every_table_has_its_section_with_description_owner_and_partitioning() -> None:
    sections = _sections()
    for table in registry().tables():
        text = sections[table.full_name]
        assert table.description in text
        assert f"Owner: {table.owner}. Partitioning: {table.partitioning.value}." in text
    assert {"ops.ledger", "ops.accounting"} <= sections.keys()


def test_every_column_has_its_row() -> None:
    sections = _sections()
    for table in registry().tables():
        rows = re.findall(r"^\| `(.+?)` \| `(.+?)` \| (yes|no) \| (.+) \|$", sections[table.full_name], re.MULTILINE)
        assert [name for name, *_ in rows] == list(table.columns), table.full_name
        for name, _, nullable, text in rows:
            column = table.columns[name]
            assert nullable == ("yes" if column.nullable else "no")
            assert column.description.replace("|", "\\|") in text
            assert text.endswith("**Personal data.**") == column.personal


def test_types_are_written_as_sql_spells_them() -> None:
    sections = _sections()
    assert "| `unit_price` | `decimal(18,4)` |" in sections["silver.sales"]
    assert "| `invoiced_at` | `timestamp` |" in sections["silver.sales"]
    assert "| `dimensions` | `map<string,string>` |" in sections["gold.daily_metrics"]
    assert "| `year` | `int` |" in sections["gold.daily_metrics"]
    assert "| `rules` | `array<string>` |" in sections["quarantine.sales"]


def test_every_rule_stands_with_its_words() -> None:
    sections = _sections()
    for feed in registry().feeds.values():
        for rule in feed.rules.values():
            assert f"- `{rule.id}`: " in sections[feed.silver.full_name]
        assert f"gate {feed.gate:.2%}" in sections[feed.silver.full_name]
    for model in registry().models.values():
        for rule in rules_of(model.schema):
            text = rule.text.replace("|", r"\|")
            assert f"- `{rule.id}`: {text}" in sections[model.table.full_name]


def test_personal_data_is_marked_wherever_it_is() -> None:
    sections = _sections()
    assert re.search(r"`customer_id`.*\*\*Personal data\.\*\*", sections["silver.sales"])
    for name in ("bronze.sales", "quarantine.sales"):
        assert re.search(r"`CustomerID`.*\*\*Personal data\.\*\*", sections[name])


def test_every_gold_table_stands_with_what_makes_it() -> None:
    sections = _sections()
    for model in registry().models.values():
        assert f"Made by `{model.code}`" in sections[model.table.full_name]
        assert model.query.strip() in sections[model.table.full_name]
