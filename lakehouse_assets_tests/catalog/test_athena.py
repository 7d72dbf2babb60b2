"""Athena has a limit, the views and queries of the files, and has read each table once; each query is really run."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from lakehouse_assets.catalog import query_costs
from lakehouse_assets.catalog.athena import AthenaCatalog, calls_of
from lakehouse_assets.catalog.athena_sql import in_glue, statements, tables_in
from lakehouse_assets.catalog.catalogs import catalogs
from lakehouse_assets.catalog.glue import GlueCatalog
from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import ContractError
from lakehouse_assets.query import athena as in_athena
from lakehouse_assets.query import sql as answers
from lakehouse_assets.settings import Settings
from lakehouse_assets.storage.local import LocalStore
from lakehouse_assets.storage.stores import StorageError, Stored
from lakehouse_assets_tests.catalog.athena_in_memory import Athena
from lakehouse_assets_tests.catalog.conftest import ROOT
from lakehouse_assets_tests.catalog.glue_in_memory import Glue

FILES = sorted(Path(Settings.model_fields["athena_sql"].default).rglob("*.sql"))
CATALOG = AthenaCatalog("lake")


@pytest.fixture
def lit(shown: Lake, glue: Glue) -> Lake:
    """A lake whose tables are in Glue, with Athena over them."""
    lake = replace(shown, settings=Settings(root=ROOT, glue_prefix="lake", athena_workgroup="lake"))
    GlueCatalog("lake").refresh(lake)
    glue.athena = Athena(lake)
    return lake


def of(glue: Glue) -> Athena:
    assert glue.athena is not None
    return glue.athena


def with_files(lake: Lake, folder: Path, **files: str) -> Lake:
    """Return a lake with other SQL files: `views__gold.x` is `views/gold.x.sql`."""
    for name, text in files.items():
        kind, _, stem = name.partition("__")
        (folder / kind).mkdir(exist_ok=True)
        (folder / kind / f"{stem.replace('_dot_', '.')}.sql").write_text(text)
    return replace(lake, settings=lake.settings.model_copy(update={"athena_sql": str(folder)}))


@pytest.mark.slow
def test_the_first_refresh_makes_workgroup_views_and_queries_and_reads_each_table_once(lit: Lake, glue: Glue) -> None:
    done = CATALOG.refresh(lit)

    made = of(glue).workgroups["lake"]
    assert made["BytesScannedCutoffPerQuery"] == 10 * 2**30
    assert made["EnforceWorkGroupConfiguration"] is True
    assert made["ResultConfiguration"] == {
        "OutputLocation": f"{ROOT}/athena-results/",
        "EncryptionConfiguration": {"EncryptionOption": "SSE_S3"},
    }
    views = {path.stem for path in FILES if path.parent.name == "views"}
    assert of(glue).views == views
    assert {one["Name"] for one in of(glue).named.values()} == {path.stem for path in FILES} - views
    looks = [query["sql"] for query in of(glue).queries if query["sql"].startswith("SELECT * FROM")]
    assert len(looks) == 11
    assert all(sql.endswith(" LIMIT 1") for sql in looks)
    assert """SELECT * FROM "lake_bronze"."sales" WHERE dt = '2011-03-01' LIMIT 1""" in looks
    assert "failed" not in done.lists
    assert done.counts == {"queries": 11 + len(views), "bytes scanned": (11 + len(views)) * 50_000_000}
    assert done.lists["cost"] == [f"{(11 + len(views)) * 50_000_000 / 10**12 * 5:.6f} USD"]
    assert list(CATALOG.problems(lit)) == []


@pytest.mark.slow
def test_a_second_refresh_runs_no_query_and_a_changed_table_costs_its_own(lit: Lake, glue: Glue) -> None:
    CATALOG.refresh(lit)
    assert not CATALOG.state(lit).pending
    of(glue).queries.clear()
    assert CATALOG.refresh(lit).counts["queries"] == 0
    shape = lit.store.read("catalog.glue.json").decode()
    known = pl.Series([shape]).str.json_decode(
        pl.Struct({"tables": pl.Struct({"lake_gold.daily_sales": pl.List(pl.Int64)})})
    )
    before = known.struct.field("tables").struct.field("lake_gold.daily_sales")[0]
    lit.store.replace("catalog.glue.json", shape.replace(str(before[1]), "17").encode())
    assert CATALOG.state(lit).pending
    CATALOG.refresh(lit)
    asked = [query["sql"].split("\n")[0] for query in of(glue).queries]
    assert asked == [
        'CREATE OR REPLACE VIEW "lake_gold"."sales_by_month" AS',
        'SELECT * FROM "lake_gold"."daily_sales" LIMIT 1',
    ]


@pytest.mark.slow
def test_each_query_of_the_files_runs_over_the_tables(lit: Lake) -> None:
    assert len(FILES) >= 6
    for path in FILES:
        [statement] = [one for one in statements(path.parent) if one.name == path.stem]
        assert statement.description, path
        answer = in_athena.run(lit, statement.sql)
        assert answer.columns, path
        is_of_bad_records = path.stem in {"held", "reasons_of_quarantine"}
        assert bool(answer.rows) is not is_of_bad_records, path


@pytest.mark.slow
def test_a_query_that_names_what_is_not_there_is_told_and_tried_again(lit: Lake, glue: Glue, tmp_path: Path) -> None:
    broken = with_files(
        lit,
        tmp_path,
        views__gold_dot_broken="-- Broken.\nSELECT no_such_column FROM gold.daily_sales",
        views__gold_dot_waiting="-- Of a table that is not there.\nSELECT 1 FROM gold.nowhere",
        queries__waiting="SELECT 1 FROM gold.nowhere",
        queries__odd="SELECT FROM WHERE",
    )
    done = CATALOG.refresh(broken)
    assert done.lists["failed"][0].startswith("`view gold.broken`: failed: ")
    [problem, odd] = CATALOG.problems(broken)
    assert problem.where == "view gold.broken"
    assert "no_such_column" in problem.what
    assert problem.is_error
    assert (odd.where, "cannot be read as Athena's" in odd.what) == ("query odd", True)
    assert of(glue).named == {}
    mended = with_files(
        lit, tmp_path, views__gold_dot_broken="SELECT net FROM gold.daily_sales", queries__odd="SELECT 1"
    )
    CATALOG.refresh(mended)
    assert list(CATALOG.problems(mended)) == []
    assert of(glue).views == {"gold.broken"}


@pytest.mark.slow
def test_a_table_that_athena_cannot_read_is_told_without_values_of_its_records(
    lit: Lake,
) -> None:
    def refuses(_athena: Athena, query: dict[str, Any]) -> None:
        if "silver" in query["sql"]:
            msg = "HIVE_BAD_DATA: Error parsing field value '17850' for field 3"
            raise duckdb.Error(msg)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Athena, "_run", refuses)
        CATALOG.refresh(lit)
    [problem] = CATALOG.problems(lit)
    assert problem.where == "silver.sales"
    assert "HIVE_BAD_DATA: Error parsing field value '...' for field 3" in problem.what
    assert b"17850" not in lit.store.read("catalog.athena.json")
    assert CATALOG.state(lit).pending == {}
    assert CATALOG.refresh(lit).counts["queries"] == 1
    assert list(CATALOG.problems(lit)) == []


@pytest.mark.slow
def test_queries_that_were_changed_by_hand_are_written_anew_and_those_of_others_stay(lit: Lake, glue: Glue) -> None:
    CATALOG.refresh(lit)
    held = next(one for one in of(glue).named.values() if one["Name"] == "held")
    held["QueryString"] = "SELECT 1"
    of(glue).named["theirs"] = {"Name": "best_products", "QueryString": "SELECT 2", "Description": "Theirs."}
    done = CATALOG.refresh(lit)
    assert [line.split(":")[0] for line in done.lists["named queries"]] == ["`held`"]
    assert '"lake_ops".accounting' in held["QueryString"]
    assert of(glue).named["theirs"]["QueryString"] == "SELECT 2"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lacking", "why"),
    [
        ("BytesScannedCutoffPerQuery", "no limit of bytes"),
        ("ResultConfiguration", "no place for results"),
        ("EnforceWorkGroupConfiguration", "lets a query choose"),
    ],
)
def test_no_query_runs_in_a_workgroup_without_a_limit(lit: Lake, glue: Glue, lacking: str, why: str) -> None:
    CATALOG.refresh(lit)
    of(glue).queries.clear()
    del of(glue).workgroups["lake"][lacking]
    [problem] = CATALOG.problems(lit)
    assert why in problem.what
    with pytest.raises(StorageError, match=f"The workgroup lake .*{why}"):
        CATALOG.refresh(lit)
    assert of(glue).queries == []


@pytest.mark.slow
def test_the_same_query_gives_the_same_answer_in_athena_as_in_duckdb(lit: Lake) -> None:
    asked = """
        SELECT invoice_no, quantity, unit_price, invoiced_at, dt, description IS NULL AS is_blank, customer_id
        FROM silver.sales ORDER BY quantity
    """
    here, there = answers.run(lit, asked), in_athena.run(lit, asked)
    assert there == here
    assert len(here.rows) == 3
    assert answers.as_table(there) == answers.as_table(here)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("DROP TABLE gold.daily_sales", "not one query"),
        ("SELECT 1; SELECT 2", "not one query"),
        ("SELECT FROM WHERE", "cannot be read as Athena's"),
        ("SELECT nothing FROM gold.daily_sales", "failed: "),
    ],
)
def test_what_is_no_query_or_fails_is_told_in_one_line(lit: Lake, sql: str, why: str) -> None:
    with pytest.raises(answers.QueryError, match=why) as told:
        in_athena.run(lit, sql)
    assert "\n" not in str(told.value)


@pytest.mark.slow
def test_what_queries_cost_is_a_table_by_day(lit: Lake, glue: Glue) -> None:
    assert answers.run(lit, "FROM ops.query_costs").rows == []
    of(glue).scanned = 2 * 10**11
    in_athena.run(lit, "SELECT 1")
    of(glue).scanned = 1
    in_athena.run(lit, "SELECT 1")
    [(day, engine, queries, scanned, usd)] = answers.run(lit, "FROM ops.query_costs").rows
    assert (engine, queries, scanned) == ("athena", 2, 2 * 10**11 + 1)
    assert usd == pytest.approx(1.0 + 0.00005)  # of one byte, the smallest amount that is charged
    assert day == dt.datetime.now(dt.UTC).date()


def test_costs_of_some_days_are_read_by_listing_these_days(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    query_costs.record(lake, "athena", "one", 10**10, 0.05)
    lake.store.create("query_costs/2026-01-02/two.json", b'{"engine": "athena", "bytes_scanned": 7, "usd": 0.00005}')
    listed: list[str] = []
    real = type(lake.store).list

    def watched(store: LocalStore, path: str, after: str = "") -> Iterator[Stored]:
        listed.append(path)
        return real(store, path, after)

    monkeypatch.setattr(type(lake.store), "list", watched)
    monkeypatch.setattr(type(lake.store), "read", lambda *_: pytest.fail("an object was read"))
    today = dt.datetime.now(dt.UTC).date()
    sql = f"FROM ops.query_costs WHERE dt > DATE '{today - dt.timedelta(days=1)}'"
    assert answers.run(lake, sql).rows == [(today, "athena", 1, 10**10, 0.05)]
    assert [path for path in listed if path.startswith("query_costs")] == [f"query_costs/{today}"]
    monkeypatch.undo()
    [earlier] = answers.run(lake, "FROM ops.query_costs WHERE usd < 0.01").rows  # with names that say nothing
    assert earlier == (dt.date(2026, 1, 2), "athena", 1, 7, 0.00005)


def test_names_of_the_lake_become_those_of_glue_and_nothing_else_changes() -> None:
    sql = """SELECT gold.net, 'gold.daily_sales' FROM "gold"."daily_sales" AS gold -- gold.daily_sales
        JOIN SILVER.sales s ON s.dt = gold.dt"""
    assert tables_in(sql) == {"gold.daily_sales", "silver.sales"}
    assert in_glue(sql, "lake") == sql.replace('"gold"."', '"lake_gold"."').replace("SILVER.", '"lake_silver".')


def test_athena_needs_glue_and_is_absent_without_its_setting(shown: Lake) -> None:
    assert [one.name for one in catalogs(shown)] == ["duckdb", "glue"]
    with pytest.raises(ValueError, match="set LAKEHOUSE_GLUE_PREFIX, too"):
        Settings(root=ROOT, athena_workgroup="lake")
    with pytest.raises(answers.QueryError, match="Athena is not configured"):
        in_athena.run(shown, "SELECT 1")
    with pytest.raises(ContractError):
        tables_in("")
    assert calls_of(shown).workgroup == ""
