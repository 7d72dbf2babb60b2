"""Redshift holds what gold holds: statements that the real client sends, really run; and transactions that fail."""

import datetime as dt
import decimal
import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.pipeline.reading import read
from lakehouse_assets.serving.destinations import destinations
from lakehouse_assets.serving.redshift import RedshiftServing
from lakehouse_assets.serving.redshift_sql import LONGEST_TEXT, file_of, target
from lakehouse_assets.settings import Settings
from lakehouse_assets.storage.stores import StorageError
from lakehouse_assets_tests.retail import day, land, run, sales_csv
from lakehouse_assets_tests.serving.conftest import DAYS
from lakehouse_assets_tests.serving.redshift_in_memory import Redshift, redshift_in_memory

SERVING = RedshiftServing("lake")
ROLE = "arn:aws:iam::123456789012:role/redshift"


@pytest.fixture
def redshift(monkeypatch: pytest.MonkeyPatch) -> Iterator[Redshift]:
    monkeypatch.setattr("lakehouse_assets.serving.redshift_calls._SHORTEST_PAUSE_S", 0.01)
    with redshift_in_memory(monkeypatch) as found:
        yield found


@pytest.fixture
def loaded(shop: Lake) -> Lake:
    """The lake of three dates; its files are in a folder, its root is said to be in S3."""
    return replace(shop, settings=Settings(root="s3://bucket/lake", redshift_workgroup="lake", redshift_role=ROLE))


def assert_is_gold(lake: Lake, redshift: Redshift) -> None:
    for model in lake.registry.models.values():
        found = read(lake, model.table).select(list(model.schema.columns())).collect()
        rows = redshift.rows(f"SELECT {', '.join(found.columns)} FROM gold.{model.name}")  # noqa: S608
        expected = [tuple(map(_as_stored, row.values())) for row in found.to_dicts()]
        stored = [tuple(map(_as_stored, row)) for row in rows]
        assert sorted(map(repr, stored)) == sorted(map(repr, expected)), model.name


def _as_stored(value: Any) -> Any:
    """Return what is nested as compact JSON, and a moment in ISO 8601."""
    if isinstance(value, dict | list):
        return json.dumps(value, sort_keys=True, separators=(",", ":"))
    return value.isoformat() if isinstance(value, dt.datetime) else value


@pytest.mark.slow
def test_every_gold_table_is_loaded_once_and_only_changed_dates_again(loaded: Lake, redshift: Redshift) -> None:
    done = SERVING.refresh(loaded)
    assert_is_gold(loaded, redshift)
    assert len(redshift.batches) == len(loaded.registry.models)
    assert done.counts["partitions"] > 3
    assert not SERVING.state(loaded).pending
    assert list(loaded.store.list("redshift")) == []
    first = redshift.batches[0]
    assert [statement.split()[0] for statement in first] == [
        "CREATE", "DROP", "CREATE", "CREATE", "COPY", "DELETE", "INSERT", "DROP"
    ]  # fmt: skip

    land(loaded, f"{DAYS[1]}.csv", sales_csv(day(DAYS[1], 2, Country="Spain")))
    run(loaded)
    redshift.batches.clear()
    SERVING.refresh(loaded)
    assert_is_gold(loaded, redshift)
    deletes = {statement for batch in redshift.batches for statement in batch if statement.startswith("DELETE")}
    assert f"""DELETE FROM "gold"."daily_sales" WHERE "dt" IN ('{DAYS[1]}')""" in deletes  # noqa: S608
    assert not [statement for batch in redshift.batches for statement in batch if statement.startswith("DROP TABLE IF")]


@pytest.mark.slow
def test_a_transaction_that_fails_changes_nothing_and_is_repeated(loaded: Lake, redshift: Redshift) -> None:
    redshift.status = "FAILED"
    with pytest.raises(
        StorageError, match=r"as FAILED: as the test wants it\. Nothing of it stands, and the rows before"
    ):
        SERVING.refresh(loaded)
    assert SERVING.state(loaded).pending
    assert list(loaded.store.list("redshift")) == []
    redshift.status = None
    SERVING.refresh(loaded)
    assert_is_gold(loaded, redshift)
    # Asked for although nothing changed: every table is loaded anew.
    redshift.database.execute("DELETE FROM gold.daily_sales")
    SERVING.refresh(loaded)
    assert_is_gold(loaded, redshift)


@pytest.mark.slow
def test_a_transaction_without_end_is_canceled_and_one_of_a_killed_run_before_the_next(
    loaded: Lake, redshift: Redshift, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient = replace(loaded, settings=loaded.settings.model_copy(update={"redshift_wait_s": 0.03}))
    redshift.status = "STARTED"
    with pytest.raises(StorageError, match=r"did not end the statement \S+ \(loading .*\) in 0.03 s, and was asked to"):
        SERVING.refresh(impatient)
    assert len(redshift.canceled) == 1

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("lakehouse_assets.serving.redshift_calls.RedshiftCalls._end_of", killed)
        with pytest.raises(KeyboardInterrupt):
            SERVING.refresh(loaded)
    redshift.status = None
    SERVING.refresh(loaded)
    assert len(redshift.canceled) == 2
    assert_is_gold(loaded, redshift)


ODD: dict[str, tuple[pl.DataType, list[Any]]] = {
    "text": (pl.String(), ['a "b", c', "", None]),
    "whole": (pl.Int64(), [2**63 - 1, -(2**63), None]),
    "small": (pl.Int8(), [127, -128, None]),
    "exact": (
        pl.Decimal(38, 4),
        [decimal.Decimal("1234567890123456789012345678901234.5678"), decimal.Decimal(0), None],
    ),
    "float": (pl.Float64(), [0.1, float("inf"), None]),
    "yes": (pl.Boolean(), [True, False, None]),
    "day": (pl.Date(), [dt.date(2011, 12, 9), dt.date(1, 1, 1), None]),
    "at": (pl.Datetime("us", "UTC"), [dt.datetime(2011, 12, 9, 8, 0, 0, 17, dt.UTC), None, None]),
    "list": (pl.List(pl.Int64()), [[1, 2], [], None]),
    "map": (pl.Map(pl.String(), pl.String()), [{"a": "x,y"}, {}, None]),
}


def test_every_type_goes_there_and_back(loaded: Lake, redshift: Redshift) -> None:
    schema = {name: dtype for name, (dtype, _) in ODD.items()}
    frame = pl.DataFrame({name: values for name, (_, values) in ODD.items()}, schema=schema)
    loaded.store.replace("odd.csv.gz", file_of(frame))
    into = target("gold", "odd", schema)
    said = redshift.answer(
        "BatchExecuteStatement",
        {
            "WorkgroupName": "lake",
            "Database": "dev",
            "Sqls": into.statements(loaded.store.uri("odd.csv.gz"), "", None, anew=True),
        },
    )
    assert redshift.ended[said["Id"]] == ("FINISHED", "")
    found = redshift.rows("SELECT * FROM gold.odd ORDER BY whole DESC NULLS LAST")
    columns = {name: list(values) for name, values in zip(ODD, zip(*found, strict=True), strict=True)}
    assert columns["map"] == ['{"a":"x,y"}', "{}", None]
    assert columns["list"] == ["[1,2]", "[]", None]
    assert {name: values for name, values in columns.items() if name not in {"map", "list", "at", "text"}} == {
        name: values for name, (_, values) in ODD.items() if name not in {"map", "list", "at", "text"}
    }
    assert columns["at"][0] == ODD["at"][1][0]
    assert columns["text"][0] == 'a "b", c'
    assert columns["text"][2] is None
    assert b'\n"",' in gzip.decompress(file_of(frame.select("text", "day")))


@pytest.mark.parametrize("text", ["@NULL@", "ü" * (LONGEST_TEXT // 2 + 1)])
def test_a_text_that_redshift_cannot_hold_is_refused_by_its_column(text: str) -> None:
    with pytest.raises(StorageError, match=r"column 'note' has .*Redshift"):
        file_of(pl.DataFrame({"note": ["x", text]}))


def test_without_the_setting_there_is_no_redshift(loaded: Lake, shop: Lake) -> None:
    assert "redshift" in {found.name for found in destinations(loaded)}
    assert "redshift" not in {found.name for found in destinations(shop)}
