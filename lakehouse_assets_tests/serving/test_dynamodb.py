"""The DynamoDB table holds what gold holds, to the last decimal, and a refresh writes only what differs."""

import decimal
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from lakehouse_assets.catalog.state import Refreshed
from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import ContractError, Serving
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.pipeline.reading import read
from lakehouse_assets.serving import dynamodb_refresh
from lakehouse_assets.serving.destinations import destinations
from lakehouse_assets.serving.dynamodb import DynamoDbServing
from lakehouse_assets.serving.rows import served
from lakehouse_assets.storage.stores import StorageError
from lakehouse_assets_tests.retail import day, land, run, sales_csv
from lakehouse_assets_tests.serving.conftest import DAYS, TABLE
from lakehouse_assets_tests.serving.dynamodb_in_memory import DynamoDb

SERVING = DynamoDbServing(TABLE)


def gold(lake: Lake) -> set[tuple[Any, ...]]:
    """Return the rows of gold: date, metric, dimensions, value as Python writes it."""
    rows = read(lake, lake.registry.table("gold.daily_metrics")).collect().iter_rows(named=True)
    return {
        (
            str(r["date_key"]),
            r["metric_name"],
            *sorted(r["dimensions"].items()),
            decimal.Decimal(repr(r["metric_value"])),
        )
        for r in rows
    }


def held(db: DynamoDb) -> set[tuple[Any, ...]]:
    """Return the same of the items of rows."""
    rows = [item for item in db.all_items(TABLE) if "_place" in item]
    return {
        (
            i["date_key"]["S"],
            i["metric_name"]["S"],
            *sorted((name, value["S"]) for name, value in i["dimensions"]["M"].items()),
            decimal.Decimal(i["metric_value"]["N"]),
        )
        for i in rows
    }


def keys(db: DynamoDb) -> set[str]:
    """Return the keys that the table lists."""
    return {item["_date"]["S"] for item in db.all_items(TABLE) if item["_series"]["S"] == "metrics"}


def refresh(lake: Lake) -> Refreshed:
    return SERVING.refresh(lake)


@pytest.mark.slow
def test_every_row_becomes_an_item_once_and_a_second_refresh_writes_none(shop: Lake, db: DynamoDb) -> None:
    done = refresh(shop)
    assert held(db) == gold(shop)
    assert len(gold(shop)) == 27
    assert done.counts == {"written": 27 + len(keys(db)), "removed": 0}
    item = next(i for i in db.all_items(TABLE) if i["_series"]["S"].endswith("country=France,currency=GBP"))
    assert item["_series"]["S"] == "metrics/sales_by_country/country=France,currency=GBP"
    assert item["_name"]["S"] == "metrics/sales_by_country"
    assert item["_place"]["S"] == f"{item['_date']['S']}/country=France,currency=GBP"
    assert not SERVING.state(shop).pending
    assert list(SERVING.problems(shop)) == []
    db.forget_counts()
    assert refresh(shop).counts == {"written": 0, "removed": 0}
    assert not db.items
    assert not db.calls["PutItem"]


@pytest.mark.slow
def test_only_the_changed_date_is_read_and_only_what_differs_is_written(shop: Lake, db: DynamoDb) -> None:
    refresh(shop)
    before = held(db)
    land(shop, f"{DAYS[1]}.csv", sales_csv([*day(DAYS[1], 2, Country="France"), *day(DAYS[1], 2, UnitPrice="0.2")]))
    run(shop)
    assert SERVING.state(shop).pending
    db.forget_counts()
    done = refresh(shop)
    assert held(db) == gold(shop)
    changed = gold(shop) - before
    assert 0 < len(changed) < 9
    assert {date for date, *_ in changed} == {DAYS[1]}
    assert done.counts == {"written": len(changed), "removed": 0}
    assert db.items == {"PutRequest": len(changed)}
    assert (db.calls["BatchGetItem"], db.calls["Query"]) == (1, 1)


@pytest.mark.slow
def test_what_leaves_a_date_is_removed_with_its_key_and_what_is_left_elsewhere_stays(shop: Lake, db: DynamoDb) -> None:
    land(shop, "spain.csv", sales_csv(day(DAYS[0], 1, Country="Spain")))
    run(shop)
    refresh(shop)
    assert any("Spain" in key for key in keys(db))
    land(shop, "spain.csv", sales_csv(day(DAYS[0], 1, Country="France", Quantity="9")))
    land(shop, f"{DAYS[1]}.csv", sales_csv(day(DAYS[1], 2)))
    run(shop)
    done = refresh(shop)
    assert held(db) == gold(shop)
    assert not any("Spain" in key for key in keys(db))
    assert any("France" in key for key in keys(db))
    assert done.counts["removed"] == 3  # Spain of one date, France of another, and Spain's key


@pytest.mark.slow
def test_a_date_that_leaves_gold_leaves_the_table(shop: Lake, db: DynamoDb) -> None:
    refresh(shop)
    # What a date holds goes on to another one.
    land(shop, f"{DAYS[2]}.csv", sales_csv(day("2011-03-04", 1)))
    run(shop)
    refresh(shop)
    assert held(db) == gold(shop)
    assert {date for date, *_ in held(db)} == {*DAYS[:2], "2011-03-04"}
    assert list(SERVING.problems(shop)) == []


@pytest.mark.parametrize("calls", range(4))
@pytest.mark.slow
def test_a_refresh_that_is_killed_after_any_call_is_finished_by_the_next_one(
    shop: Lake, db: DynamoDb, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    monkeypatch.setattr(dynamodb_refresh, "_ITEMS_AT_ONCE", 9)  # a date a batch
    left = iter(range(calls))
    db.fault = lambda call, _: None if not call.startswith("BatchWrite") or next(left, None) is not None else "Killed"
    with pytest.raises(StorageError, match="Killed"):
        refresh(shop)
    db.fault = lambda *_: None
    assert SERVING.state(shop).pending
    # Before it is repeated, gold goes on: what only the killed one wrote must go, too.
    land(shop, f"{DAYS[0]}.csv", sales_csv(day(DAYS[0], 3)))
    run(shop)
    refresh(shop)
    assert held(db) == gold(shop)
    assert {key.split("/")[0] for key in keys(db)} == {name for _, name, *_ in gold(shop)}
    assert list(SERVING.problems(shop)) == []


@pytest.mark.slow
def test_what_a_batch_leaves_unprocessed_is_asked_for_again(
    shop: Lake, db: DynamoDb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lakehouse_assets.serving.dynamodb_calls._LONGEST_PAUSE_S", 0)
    db.unprocessed = 1_000
    with pytest.raises(StorageError, match=r"left \d+ items? of serving unprocessed 10 times"):
        refresh(shop)
    db.unprocessed = 3
    refresh(shop)
    assert held(db) == gold(shop)
    at = {"_series": {"S": "metrics/units/"}, "_date": {"S": DAYS[2]}}
    db.client.delete_item(TableName=TABLE, Key=at)
    db.unprocessed = 3  # of what is read, too
    assert refresh(shop).counts["written"] == 1
    assert held(db) == gold(shop)


@pytest.mark.slow
def test_what_others_changed_is_told_and_put_right_by_a_refresh_that_is_asked_for(shop: Lake, db: DynamoDb) -> None:
    refresh(shop)
    at = {"_series": {"S": "metrics/units/"}, "_date": {"S": DAYS[2]}}
    change = {"UpdateExpression": "SET metric_value = :v", "ExpressionAttributeValues": {":v": {"N": "1"}}}
    db.client.update_item(TableName=TABLE, Key=at, **change)
    [problem] = SERVING.problems(shop)
    assert str(problem) == (
        f"gold.daily_metrics: 1 item of {DAYS[2]} unlike its rows; `lakehouse run serving.dynamodb` compares all dates"
    )
    db.client.delete_item(TableName=TABLE, Key=at | {"_date": {"S": DAYS[0]}})
    assert refresh(shop).counts == {"written": 2, "removed": 0}
    assert held(db) == gold(shop)

    db.client.delete_table(TableName=TABLE)
    [problem] = SERVING.problems(shop)
    assert "there is no table serving, and there was" in problem.what
    refresh(shop)
    assert held(db) == gold(shop)


@pytest.mark.slow
def test_a_table_of_another_lake_or_of_another_form_is_left_alone(shop: Lake, lake: Lake, db: DynamoDb) -> None:
    refresh(shop)
    before = db.all_items(TABLE)
    other = Lake(shop.store, shop.settings.model_copy(update={"root": "/elsewhere"}), shop.registry)
    with pytest.raises(StorageError, match=r"serving serves the lake at .*; name another table"):
        refresh(other)
    assert "serves the lake at" in next(iter(SERVING.problems(other))).what
    assert list(SERVING.remove_undeclared(other)) == []
    assert db.all_items(TABLE) == before
    key = {"AttributeName": "id", "AttributeType": "S"}
    db.client.create_table(
        TableName="other",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[key],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    with pytest.raises(StorageError, match=r"cannot serve rows: its keys are not _series .* is made if there is none"):
        DynamoDbServing("other").refresh(lake)


@pytest.mark.slow
def test_what_is_served_no_more_is_named_and_removed_on_request(shop: Lake, db: DynamoDb) -> None:
    refresh(shop)
    feeds, models = shop.registry.feeds.values(), shop.registry.models.values()
    renamed = [replace(m, serving=Serving("figures", m.serving.key)) if m.serving else m for m in models]
    later = replace(shop, registry=Registry(list(feeds), renamed))
    assert SERVING.state(later).pending
    refresh(later)
    [problem] = SERVING.problems(later)
    assert (problem.where, problem.is_error) == ("metrics", False)
    assert list(SERVING.remove_undeclared(later)) == ["metrics"]
    assert list(SERVING.problems(later)) == []
    assert {item["_series"]["S"].split("/")[0] for item in db.all_items(TABLE)} == {".lake", "figures"}
    assert held(db) == gold(later)


@pytest.mark.slow
def test_two_rows_with_one_key_are_refused_by_name(shop: Lake, db: DynamoDb) -> None:
    [table] = served(shop)
    rows = read(shop, table.model.table).collect()
    with pytest.raises(ContractError, match=r"gold.daily_metrics has two rows of 2011-03-0\d with one key \(\w+/"):
        table.rows(pl.concat([rows, rows[:1]]))
    assert not db.calls


def test_without_the_setting_there_is_no_serving_and_no_library_is_loaded(lake: Lake) -> None:
    assert [found.name for found in destinations(lake)] == ["duckdb"]
