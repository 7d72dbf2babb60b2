"""Glue holds what the lake says, is written only where it differs, and nothing of others is touched."""

from contextlib import suppress
from dataclasses import replace
from typing import Any

import polars as pl
import pytest
from botocore.exceptions import ClientError

from lakehouse_assets.catalog.catalogs import catalogs
from lakehouse_assets.catalog.glue import GlueCatalog
from lakehouse_assets.catalog.glue_tables import MARK
from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.broken import Broken
from lakehouse_assets.contracts.declare import Column, ContractError, Table
from lakehouse_assets.contracts.partitioning import Partitioning
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.settings import Settings
from lakehouse_assets.storage.schema_evolution import open_table
from lakehouse_assets_tests.catalog.conftest import ROOT, declaring
from lakehouse_assets_tests.catalog.glue_in_memory import Glue
from lakehouse_assets_tests.retail import land, run, sales, sales_csv

CATALOG = GlueCatalog("lake")
SALES = "lake_silver.sales"


def problems(lake: Lake) -> dict[str, str]:
    return {problem.where: problem.what for problem in CATALOG.problems(lake)}


def foreign(glue: Glue, name: str = SALES, **more: Any) -> dict[str, Any]:
    """Make a table that is not the lake's, and return what Glue holds then."""
    database, _, table = name.partition(".")
    with suppress(ClientError):
        glue.client.create_database(DatabaseInput={"Name": database})
    glue.client.create_table(DatabaseName=database, TableInput={"Name": table, "Owner": "somebody", **more})
    return glue.table(name)


def test_every_stored_table_is_there_with_its_columns_description_and_owner(shown: Lake, glue: Glue) -> None:
    done = CATALOG.refresh(shown)

    assert done.counts["tables"] == done.counts["writes"] == 11
    found = glue.table(SALES)
    feed = sales(shown)
    assert found["TableType"] == "EXTERNAL_TABLE"
    assert found["PartitionKeys"] == []
    assert found["StorageDescriptor"]["Location"] == f"{ROOT}/silver/sales"
    assert (found["Description"], found["Owner"]) == (feed.silver.description, "team:retail-data")
    assert found["Parameters"] == {
        "EXTERNAL": "TRUE",
        "classification": "delta",
        "table_type": "DELTA",
        "spark.sql.sources.provider": "delta",
        MARK: ROOT,
        "lakehouse.contract": feed.version,
    }
    columns = {c["Name"]: (c["Type"], c.get("Comment")) for c in found["StorageDescriptor"]["Columns"]}
    assert list(columns) == list(feed.silver.columns)
    assert columns["unit_price"] == ("decimal(18,4)", "Price of one unit, pounds sterling.")
    assert columns["invoiced_at"][0] == "timestamp"
    assert columns["dt"][0] == "date"
    assert columns["customer_id"][1] == "Customer number; null for anonymous sales. Personal data."
    assert set(glue.tables("lake_gold")) == set(shown.registry.models)
    assert set(glue.tables("lake_ops")) == {"accounting", "ledger"}


def test_bronze_by_date_is_parquet_whose_partitions_athena_works_out(shown: Lake, glue: Glue) -> None:
    CATALOG.refresh(shown)
    found = glue.table("lake_bronze.sales")
    assert found["PartitionKeys"] == [
        {"Name": "dt", "Type": "string", "Comment": "Business date; null when it cannot be read."}
    ]
    assert found["StorageDescriptor"]["Location"] == f"{ROOT}/bronze/sales/"
    assert found["StorageDescriptor"]["InputFormat"].endswith("MapredParquetInputFormat")
    columns = {c["Name"]: c["Type"] for c in found["StorageDescriptor"]["Columns"]}
    assert columns["invoiceno"] == "string"
    assert (columns["_line"], columns["_ingested_at"]) == ("bigint", "timestamp")
    assert "dt" not in columns
    projection = {k.removeprefix("projection."): v for k, v in found["Parameters"].items() if "projection" in k}
    assert projection == {
        "enabled": "true",
        "dt.type": "date",
        "dt.format": "yyyy-MM-dd",
        "dt.range": "2009-01-01,NOW+1DAYS",
        "dt.interval": "1",
        "dt.interval.unit": "DAYS",
    }


def test_a_second_refresh_writes_nothing_and_asks_once_a_database(
    shown: Lake, glue: Glue, monkeypatch: pytest.MonkeyPatch
) -> None:
    CATALOG.refresh(shown)
    glue.calls.clear()
    monkeypatch.setattr("lakehouse_assets.catalog.glue.entry", None)  # no schema is read either

    done = CATALOG.refresh(shown)

    assert done.counts == {"tables": 11, "writes": 0}
    assert glue.calls == {"GetTables": 5}
    assert not CATALOG.state(shown).pending
    assert problems(shown) == {}


@pytest.mark.slow
def test_each_publish_makes_it_pending_and_changes_nothing_in_glue(shown: Lake, glue: Glue) -> None:
    assert CATALOG.state(shown).pending
    CATALOG.refresh(shown)
    land(shown, "b.csv", sales_csv(3, "2011-03-02"))
    run(shown)
    assert CATALOG.state(shown).pending
    assert problems(shown) == {}
    glue.calls.clear()
    CATALOG.refresh(shown)
    assert glue.writes == 0


def test_nothing_is_pending_before_anything_is_stored(lake: Lake, glue: Glue) -> None:
    assert not CATALOG.state(lake).pending
    assert not glue.calls


@pytest.mark.slow
def test_a_changed_contract_is_the_only_write_and_keeps_no_old_version(shown: Lake, glue: Glue) -> None:
    CATALOG.refresh(shown)
    glue.calls.clear()
    model = shown.registry.models["daily_sales"]
    models = [m for m in shown.registry.models.values() if m.name != model.name]
    said = Registry(list(shown.registry.feeds.values()), [*models, replace(model, description="Other words.")])
    sent: list[dict[str, Any]] = []
    glue.fault = lambda call, body: sent.append(body) if call == "UpdateTable" else None

    done = CATALOG.refresh(replace(shown, registry=said))

    assert done.lists["updated"] == ["`lake_gold.daily_sales`: description"]
    assert glue.writes == 1
    assert sent[0]["SkipArchive"] is True
    assert glue.table("lake_gold.daily_sales")["Description"] == "Other words."


def test_a_column_that_was_added_to_the_stored_table_is_added_in_glue(shown: Lake, glue: Glue) -> None:
    CATALOG.refresh(shown)
    model = shown.registry.models["daily_sales"]
    columns = model.table.types | {"more": pl.Int16()}
    open_table(shown.store, model.table.path, columns, model.layout)

    done = CATALOG.refresh(shown)

    assert done.lists["updated"] == ["`lake_gold.daily_sales`: columns more"]
    assert glue.table("lake_gold.daily_sales")["StorageDescriptor"]["Columns"][-1] == {
        "Name": "more",
        "Type": "smallint",
    }


@pytest.mark.slow
def test_a_change_by_hand_is_found_named_and_put_right_and_what_others_added_stays(shown: Lake, glue: Glue) -> None:
    CATALOG.refresh(shown)
    found = glue.table(SALES)
    columns = [c | {"Type": "string"} if c["Name"] == "quantity" else c for c in found["StorageDescriptor"]["Columns"]]
    glue.change(
        SALES,
        StorageDescriptor=found["StorageDescriptor"] | {"Columns": columns},
        Parameters=found["Parameters"] | {"crawled": "yes"},
    )
    what = problems(shown)[SALES]
    assert what == "it was changed in Glue by hand (columns quantity); `lakehouse run catalog.glue` writes it anew"

    done = CATALOG.refresh(shown)

    assert done.lists["put right after a change by hand"] == [f"`{SALES}`: columns quantity"]
    assert glue.table(SALES)["StorageDescriptor"]["Columns"] == found["StorageDescriptor"]["Columns"]
    assert glue.table(SALES)["Parameters"] == found["Parameters"] | {"crawled": "yes"}
    assert problems(shown) == {}


@pytest.mark.slow
def test_a_table_that_was_removed_by_hand_is_found_and_put_back(shown: Lake, glue: Glue) -> None:
    CATALOG.refresh(shown)
    glue.client.delete_table(DatabaseName="lake_silver", Name="sales")
    assert problems(shown)[SALES].startswith("it is missing in Glue, and was there")
    assert CATALOG.refresh(shown).counts["writes"] == 1
    assert problems(shown) == {}


@pytest.mark.slow
@pytest.mark.parametrize("mark", [{}, {MARK: "s3://other/lake"}], ids=["of nobody", "of another lake"])
def test_a_table_of_others_is_never_touched_and_the_check_names_it(
    shown: Lake, glue: Glue, mark: dict[str, str]
) -> None:
    before = foreign(glue, Parameters=mark)
    done = CATALOG.refresh(shown)
    assert done.lists["left alone"][0].startswith(f"`{SALES}`: a table of this name is in Glue")
    assert done.counts["tables"] == 10
    CATALOG.refresh(shown)
    assert list(CATALOG.remove_undeclared(shown)) == []
    assert glue.table(SALES) == before
    [found] = CATALOG.problems(shown)
    assert found.is_error
    assert (found.where, "s3://other/lake" in found.what) == (SALES, bool(mark))


@pytest.mark.slow
def test_what_is_no_longer_declared_stays_until_it_is_asked_for(shown: Lake, glue: Glue) -> None:
    CATALOG.refresh(shown)
    others = foreign(glue, "lake_gold.theirs")
    without = replace(shown, registry=Registry([sales(shown)], []))

    CATALOG.refresh(without)

    assert set(problems(without)) == {f"lake_gold.{name}" for name in shown.registry.models}
    assert not any(problem.is_error for problem in CATALOG.problems(without))
    broken = replace(without, registry=Registry([sales(shown)], [], [Broken("gold.py", "a mistake")]))
    assert problems(broken) == {}
    with pytest.raises(ContractError, match="what is declared is not known"):
        list(CATALOG.remove_undeclared(broken))
    assert len(list(CATALOG.remove_undeclared(without))) == len(shown.registry.models)
    assert glue.tables("lake_gold") == {"theirs": others}
    assert problems(without) == {}


@pytest.mark.slow
def test_a_declared_table_that_is_not_filled_yet_keeps_its_entry(shown: Lake, glue: Glue) -> None:
    """A new revision is filled beside the old table, which readers see until then."""
    CATALOG.refresh(shown)
    models = [replace(m, revision=2) if m.name == "daily_sales" else m for m in shown.registry.models.values()]
    revised = replace(shown, registry=Registry(list(shown.registry.feeds.values()), models))
    assert CATALOG.refresh(revised).counts["writes"] == 0
    assert problems(revised) == {}
    assert list(CATALOG.remove_undeclared(revised)) == []
    assert glue.table("lake_gold.daily_sales")["StorageDescriptor"]["Location"] == f"{ROOT}/gold/daily_sales"


@pytest.mark.slow
def test_a_damaged_state_compares_everything_anew_and_writes_nothing(shown: Lake, glue: Glue) -> None:
    CATALOG.refresh(shown)
    shown.store.replace("catalog.glue.json", b"{")
    glue.calls.clear()
    assert CATALOG.state(shown).pending
    assert CATALOG.refresh(shown).counts == {"tables": 11, "writes": 0}


def test_without_the_setting_there_is_no_such_catalog_and_no_call(lake: Lake) -> None:
    assert [catalog.name for catalog in catalogs(lake)] == ["duckdb"]


def test_a_lake_in_a_folder_cannot_be_in_glue(lake: Lake) -> None:
    with pytest.raises(ValueError, match="for a lake in S3 only"):
        Settings(root=lake.settings.root, glue_prefix="lake")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({"Code": pl.String(), "code": pl.String()}, "the columns 'Code' and 'code' differ in case only"),
        ({"a\nb": pl.String()}, "is no name of a column in Glue"),
        ({"a": pl.List(pl.Struct({"b c": pl.Int64()}))}, "the column 'a' has a field 'b c'"),
    ],
)
def test_a_table_that_glue_cannot_hold_is_named_and_the_others_are_there(
    shown: Lake, glue: Glue, columns: dict[str, pl.DataType], why: str
) -> None:
    raw = {name: Column(dtype, "") for name, dtype in columns.items()}
    odd = Table("bronze", "odd", raw, Partitioning.SNAPSHOT, "Odd.", "team:x")
    lake = declaring(shown, shown.registry.models["daily_sales"].table, odd)
    assert CATALOG.refresh(lake).counts["tables"] == 3
    [(where, what)] = problems(lake).items()
    assert where == "lake_bronze.odd"
    assert why in what
    assert glue.tables("lake_bronze") == {}


@pytest.mark.slow
def test_long_and_broken_texts_are_cut_to_what_glue_takes(shown: Lake, glue: Glue) -> None:
    table = shown.registry.models["daily_sales"].table
    column = Column(pl.Int64(), "First line,\nsecond line. " * 40)
    said = replace(table, columns={**table.columns, "lines": column}, description="d" * 3_000)
    CATALOG.refresh(declaring(shown, said))
    found = glue.table("lake_gold.daily_sales")
    comments = {c["Name"]: c.get("Comment", "") for c in found["StorageDescriptor"]["Columns"]}
    assert len(comments["lines"]) == 255
    assert "\n" not in comments["lines"]
    assert len(found["Description"]) == 2048
