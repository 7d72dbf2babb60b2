"""Lake Formation knows of each column in Glue whether it holds personal data, and what it was not told of is closed."""

from dataclasses import replace
from typing import Any

import boto3
import polars as pl
import pytest

from deploy.templates import resources
from lakehouse_assets.catalog.glue import GlueCatalog
from lakehouse_assets.catalog.lake_formation import GOVERNED
from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Column
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.storage.schema_evolution import open_table
from lakehouse_assets.storage.stores import StorageError
from lakehouse_assets_tests.catalog.glue_in_memory import Glue

KEY = "lake_personal"
CATALOG = GlueCatalog("lake", KEY)
SALES = "lake_silver.sales"


@pytest.fixture
def formation(glue: Glue) -> Any:  # noqa: ARG001 - without it these would be calls of AWS
    """Lake Formation with the tag."""
    client = boto3.client("lakeformation")
    client.create_lf_tag(TagKey=KEY, TagValues=["yes", "no"])
    return client


def told(formation: Any, glue: Glue, name: str) -> dict[str, str]:
    """Return the value of the tag of each column of a table; nothing of a column that bears none."""
    found = glue.table(name)
    columns = [one["Name"] for one in (*found["StorageDescriptor"]["Columns"], *found["PartitionKeys"])]
    database, _, table = name.partition(".")
    asked = {"TableWithColumns": {"DatabaseName": database, "Name": table, "ColumnNames": columns}}
    said = formation.get_resource_lf_tags(Resource=asked).get("LFTagsOnColumns", [])
    return {one["Name"]: value for one in said for tag in one["LFTags"] for value in tag["TagValues"]}


def personal(formation: Any, glue: Glue, name: str) -> set[str]:
    return {column for column, value in told(formation, glue, name).items() if value == "yes"}


@pytest.mark.slow(covered=True)
def test_each_column_of_each_table_is_told(shown: Lake, glue: Glue, formation: Any) -> None:
    CATALOG.refresh(shown)

    tables = {table.full_name: table for table in shown.registry.tables()}
    assert (
        personal(formation, glue, SALES)
        == {name for name, column in tables["silver.sales"].columns.items() if column.personal}
        == {"customer_id"}
    )
    assert told(formation, glue, "lake_bronze.sales") == {}
    assert personal(formation, glue, "lake_gold.daily_sales") == set()
    for layer in GOVERNED:
        for name, table in glue.tables(f"lake_{layer}").items():
            parts = (*table["StorageDescriptor"]["Columns"], *table["PartitionKeys"])
            assert told(formation, glue, f"lake_{layer}.{name}").keys() == {one["Name"] for one in parts}


def test_the_layers_are_those_whose_tables_the_stack_lets_people_read() -> None:
    _, layers, _ = resources("grants")["Fn::ForEach::Layers"]
    assert set(layers) == set(GOVERNED)


@pytest.mark.usefixtures("formation")
def test_a_second_refresh_says_nothing_and_a_table_that_was_removed_is_told_anew(
    shown: Lake, glue: Glue, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    monkeypatch.setattr(
        "lakehouse_assets.catalog.lake_formation.PersonalTag._put", lambda *said: calls.append(said[-1]["Name"])
    )
    CATALOG.refresh(shown)
    assert len(calls) > 6
    calls.clear()
    CATALOG.refresh(shown)
    assert calls == []
    glue.client.delete_table(DatabaseName="lake_silver", Name="sales")
    CATALOG.refresh(shown)
    assert set(calls) == {"sales"}


@pytest.mark.slow(covered=True)
def test_the_setting_makes_it_pending_and_without_it_nothing_is_told(shown: Lake, glue: Glue, formation: Any) -> None:
    GlueCatalog("lake").refresh(shown)
    assert told(formation, glue, SALES) == {}
    assert not GlueCatalog("lake").state(shown).pending
    assert CATALOG.state(shown).pending

    done = CATALOG.refresh(shown)

    assert done.counts["writes"] == 0
    assert personal(formation, glue, SALES) == {"customer_id"}


@pytest.mark.slow(covered=True)
def test_what_is_stored_and_not_declared_is_closed(shown: Lake, glue: Glue, formation: Any) -> None:
    model = shown.registry.models["daily_sales"]
    columns = model.table.types | {"more": pl.Int16()}
    open_table(shown.store, model.table.path, columns, model.layout)

    CATALOG.refresh(shown)

    assert personal(formation, glue, "lake_gold.daily_sales") == {"more"}


@pytest.mark.slow(covered=True)
def test_a_column_that_becomes_personal_is_closed(shown: Lake, glue: Glue, formation: Any) -> None:
    CATALOG.refresh(shown)
    feed = shown.registry.feeds["sales"]

    class Said(Registry):
        def tables(self) -> Any:
            for table in super().tables():
                country = table.columns.get("country")
                if table.full_name == "silver.sales" and country is not None:
                    closed = Column(country.dtype, country.description, country.nullable, personal=True)
                    yield replace(table, columns={**table.columns, "country": closed})
                else:
                    yield table

    said = Said([feed], list(shown.registry.models.values()))

    CATALOG.refresh(replace(shown, registry=said))

    assert personal(formation, glue, SALES) == {"customer_id", "country"}


@pytest.mark.slow(covered=True)
def test_a_tag_that_is_not_there_is_named_and_said_again_by_the_next_refresh(shown: Lake, glue: Glue) -> None:
    with pytest.raises(StorageError, match=r"Lake Formation refused lakeformation:AddLFTagsToResource of lake_.*yes"):
        CATALOG.refresh(shown)

    formation = boto3.client("lakeformation")
    formation.create_lf_tag(TagKey=KEY, TagValues=["yes", "no"])
    CATALOG.refresh(shown)

    assert personal(formation, glue, SALES) == {"customer_id"}
