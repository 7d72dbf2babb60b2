"""A declaration's version changes with its meaning and with nothing else; wrong declarations are refused."""

import importlib
from pathlib import Path
from typing import Any

import dataframely as dy
import polars as pl
import pytest

from lakehouse_assets.contracts.declare import (
    Contract,
    ContractError,
    Model,
    derived,
    drop_point_zero,
    source,
    upper,
)
from lakehouse_assets.contracts.partitioning import Partitioning
from lakehouse_assets_tests.contracts.orders import orders


def _sql(folder: Path, text: str) -> Path:
    file = folder / "totals.sql"
    file.write_text(text)
    return file


class Totals(dy.Schema):
    dt = dy.Date(primary_key=True)
    units = dy.Int64(nullable=False, min=0)


QUERY = "SELECT dt, sum(units)::BIGINT AS units FROM silver.orders WHERE code = 'A' GROUP BY dt"


def _model(folder: Path, query: str = QUERY, schema: type[dy.Schema] = Totals, **options: Any) -> Model:
    declared: dict[str, Any] = {
        "name": "totals", "schema": schema, "sql": _sql(folder, query), "description": "Totals.", "owner": "team:x",
        "date": "dt",
    }  # fmt: skip
    return Model(**declared | options)


def test_the_same_declaration_has_the_same_version() -> None:
    assert orders().version == orders().version


MEANINGS: dict[str, dict[str, Any]] = {
    "rule": {"rule": pl.col("units") < 999},
    "regex": {"columns": {"number": dy.String(nullable=False, regex="^[0-9]*$", metadata=source("Number"))}},
    "minimum": {"columns": {"units": dy.Int64(nullable=False, min=2, metadata=source("Units"))}},
    "nullability": {"columns": {"units": dy.Int64(nullable=True, min=1, metadata=source("Units"))}},
    "type": {"columns": {"units": dy.Int32(nullable=False, min=1, metadata=source("Units"))}},
    "scale": {"columns": {"price": dy.Decimal(18, 2, nullable=False, metadata=source("Price"))}},
    "header": {"columns": {"units": dy.Int64(nullable=False, min=1, metadata=source("Qty"))}},
    "alternative header": {"columns": {"units": dy.Int64(nullable=False, min=1, metadata=source("Units", "Qty"))}},
    "normaliser": {"columns": {"code": dy.String(nullable=True, metadata=source("Code"))}},
    "other normaliser": {
        "columns": {"code": dy.String(nullable=True, metadata=source("Code", normalise=(drop_point_zero,)))}
    },
    "format": {
        "columns": {
            "ordered_at": dy.Datetime(time_zone="UTC", nullable=False, metadata=source("At", formats=("%m/%d/%Y",)))
        }
    },
    "derivation": {
        "columns": {"amount": dy.Decimal(38, 4, nullable=False, metadata=derived(pl.col("price") * 2))},
    },
    "column": {"columns": {"note": dy.String(nullable=True, metadata=source("Note"))}},
    "threshold": {"gate": 0.91},
    "time zone": {"time_zone": "Europe/Paris"},
    "business date": {
        "columns": {"due": dy.Date(nullable=True, metadata=source("Due"))},
        "business_date": "due",
    },
}


@pytest.mark.parametrize("change", MEANINGS.values(), ids=MEANINGS.keys())
def test_the_version_of_a_feed_changes_with_its(change: dict[str, Any]) -> None:
    assert orders(**change).version != orders().version


WORDS: dict[str, dict[str, Any]] = {
    "description": {"description": "Orders, from the shop."},
    "owner": {"owner": "team:y"},
    "tags": {"tags": {"tier": "1"}},
    "column description": {
        "columns": {
            "units": dy.Int64(nullable=False, min=1, description="Pieces, not boxes.", metadata=source("Units"))
        }
    },
    "personal mark": {
        "columns": {"code": dy.String(nullable=True, metadata=source("Code", normalise=(upper,), personal=True))}
    },
}


@pytest.mark.parametrize("change", WORDS.values(), ids=WORDS.keys())
def test_the_version_of_a_feed_does_not_change_with_its(change: dict[str, Any]) -> None:
    assert orders(**change).version == orders().version


CODE = pl.col("code")
SUBTLE = {
    "a value in the middle of a list": (CODE.is_in(list("ABCDEFGH")), CODE.is_in(list("ABCDxFGH"))),
    "which ends of a range count": (pl.col("units").is_between(1, 9), pl.col("units").is_between(1, 9, closed="left")),
    "a pattern taken literally": (CODE.str.contains("A."), CODE.str.contains("A.", literal=True)),
    "digits of rounding": (pl.col("price").round(1) > 0, pl.col("price").round(2) > 0),
    "the group of a match": (CODE.str.extract("(.)(.)", 1) == "A", CODE.str.extract("(.)(.)", 2) == "A"),
    "the time zone of a comparison": (
        pl.col("ordered_at").dt.convert_time_zone("Europe/London").dt.hour() < 9,
        pl.col("ordered_at").dt.convert_time_zone("Europe/Paris").dt.hour() < 9,
    ),
}


@pytest.mark.parametrize(("one", "other"), SUBTLE.values(), ids=SUBTLE.keys())
def test_the_version_changes_with_every_argument_of_a_rule(one: pl.Expr, other: pl.Expr) -> None:
    assert orders(one).version != orders(other).version


def test_the_version_changes_with_what_an_unnamed_normaliser_does() -> None:
    def code(suffix: str) -> dict[str, Any]:
        normalise = (lambda text: text.str.strip_suffix(suffix),)
        return {"code": dy.String(nullable=True, metadata=source("Code", normalise=normalise))}

    assert orders(columns=code("-x")).version != orders(columns=code("-y")).version
    assert orders(columns=code("-x")).version == orders(columns=code("-x")).version


def test_the_version_of_a_model_does_not_change_with_layout_comments_or_words(tmp_path: Path) -> None:
    spaced = "-- totals\n" + QUERY.replace(" FROM", "\n  FROM  /* orders */") + "\n;"
    model = _model(tmp_path)
    assert model.version == _model(tmp_path, spaced, description="x", owner="team:y", plot="units").version


class LooserTotals(dy.Schema):
    dt = dy.Date(primary_key=True)
    units = dy.Int64(nullable=False, min=-1)


class OtherTotals(dy.Schema):
    dt = dy.Date(primary_key=True)
    units = dy.Int32(nullable=False, min=0)


class TwoDates(dy.Schema):
    dt = dy.Date(primary_key=True)
    shipped = dy.Date(nullable=False)


@pytest.mark.parametrize(
    "change",
    [
        {"query": QUERY.replace("'A'", "'B'")},
        {"query": QUERY.replace("'A'", "'a'")},
        {"query": QUERY.replace("sum", "max")},
        {"schema": LooserTotals},
        {"schema": OtherTotals},
        {"partitioning": Partitioning.BY_YEAR_MONTH_DAY},
        {"date": None},
    ],
    ids=["literal", "case of a literal", "function", "rule", "type", "partitioning", "snapshot"],
)
def test_the_version_of_a_model_changes_with_its(tmp_path: Path, change: dict[str, Any]) -> None:
    before = _model(tmp_path).version
    assert _model(tmp_path, **change).version != before


def test_the_version_of_a_model_changes_with_the_column_that_dates_it(tmp_path: Path) -> None:
    query = "SELECT dt, shipped FROM silver.orders"
    by_order = _model(tmp_path, query, TwoDates).version
    assert _model(tmp_path, query, TwoDates, date="shipped").version != by_order


def test_a_model_reads_the_tables_in_its_sql_and_no_ctes(tmp_path: Path) -> None:
    query = "WITH a AS (SELECT * FROM silver.orders) SELECT dt, units FROM a JOIN gold.other USING (dt)"
    assert _model(tmp_path, query).upstream == ("gold.other", "silver.orders")


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown business date": ({"business_date": "dated"}, "'dated' is no source column of its contract"),
    "a computed business date": ({"business_date": "amount"}, "'amount' is no source column of its contract"),
    "no column": (
        {"contract": type("Empty", (Contract,), {}), "business_date": None},
        "its contract reads no column, so all records would",
    ),
    "a name with a capital": ({"name": "Orders"}, "a name is lower-case letters, digits and underscores"),
    "a name with a quote": ({"name": "o'rders"}, "a name is lower-case letters, digits and underscores"),
}


@pytest.mark.parametrize(("change", "message"), BAD.values(), ids=BAD.keys())
def test_a_feed_is_refused_with(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ContractError, match=message):
        orders(**change)


def test_a_column_without_headers_is_read_from_the_field_of_its_own_name() -> None:
    plain = dy.Int64(nullable=False, min=1)
    marked = dy.String(nullable=True, metadata=source(normalise=(upper,), personal=True))
    found = orders(columns={"units": plain, "code": marked}).sources
    assert (found["units"].headers, found["code"].headers, found["code"].personal) == (("units",), ("code",), True)
    same = orders(columns={"units": dy.Int64(nullable=False, min=1, metadata=source("units"))})
    assert orders(columns={"units": plain}).version == same.version


TOTALS = """
import dataframely as dy
from lakehouse_assets.contracts.declare import Model

class Totals(dy.Schema):
    units = dy.Int64(nullable=False)

def totals(**options):
    return Model(name="totals", schema=Totals, description="x", owner="team:x", **options)
"""


def test_the_sql_of_a_model_lies_beside_its_schema_under_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "declares_totals.py").write_text(TOTALS)
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("declares_totals")
    with pytest.raises(ContractError, match=r"model 'totals': there is no .*totals.sql; write its query there, or"):
        module.totals()
    (tmp_path / "totals.sql").write_text("SELECT 1 AS units")
    assert module.totals().sql == tmp_path / "totals.sql"
    (tmp_path / "other.sql").write_text("SELECT 2 AS units")
    assert module.totals(sql=tmp_path / "other.sql").query == "SELECT 2 AS units"
    with pytest.raises(ContractError, match="has both sql= and function="):
        module.totals(sql=tmp_path / "other.sql", function=lambda: None)


def test_a_query_in_place_of_its_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"sql=.SELECT dt.* is no path of a file with one query; write sql=Path"):
        _model(tmp_path, sql=QUERY)


def test_a_model_whose_date_is_not_in_its_schema_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="its date or plotted column 'day' is not in Totals"):
        _model(tmp_path, date="day")


def test_a_model_that_has_nothing_to_be_drawn_over_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="there is no date to draw 'units' over; name one with plot_over"):
        _model(tmp_path, plot="units", date=None)


def test_bronze_silver_and_quarantine_follow_from_the_contract() -> None:
    feed = orders()
    assert list(feed.bronze.columns) == [
        "Number", "Code", "Units", "At", "Price",
        "_extra", "_problem", "_source_key", "_line", "_source_hash", "_ingested_at", "dt",
    ]  # fmt: skip
    assert {name: str(feed.silver.columns[name].dtype) for name in feed.silver.columns} == {
        "number": "String", "code": "String", "units": "Int64",
        "ordered_at": "Datetime(time_unit='us', time_zone='UTC')", "price": "Decimal(precision=18, scale=4)",
        "amount": "Decimal(precision=38, scale=4)", "dt": "Date", "_source_key": "String", "_line": "Int64",
    }  # fmt: skip
    assert list(feed.quarantine.columns) == [
        "rules", "Number", "Code", "Units", "At", "Price", "dt", "_problem", "_extra", "_source_key", "_line",
        "_source_hash",
    ]  # fmt: skip
    assert [table.path for table in (feed.bronze, feed.silver, feed.quarantine)] == [
        "bronze/orders", "silver/orders", "quarantine/orders",
    ]  # fmt: skip


def test_a_feed_may_be_cut_by_year_month_day_or_not_at_all() -> None:
    by_day = orders(partitioning=Partitioning.BY_YEAR_MONTH_DAY)
    assert list(by_day.silver.columns)[-5:] == ["year", "month", "day", "_source_key", "_line"]
    whole = orders(business_date=None)
    assert whole.silver.partitioning is whole.quarantine.partitioning is Partitioning.SNAPSHOT
    assert "dt" not in whole.silver.columns
    assert "ordered_at_in_range" not in whole.rules


def test_personal_columns_are_marked_in_every_layer() -> None:
    column = dy.String(nullable=True, metadata=source("Code", personal=True))
    feed = orders(columns={"code": column})
    marked = {
        table.full_name: [name for name, column in table.columns.items() if column.personal]
        for table in (feed.bronze, feed.silver, feed.quarantine)
    }
    assert marked == {
        "bronze.orders": ["Code", "_extra"], "silver.orders": ["code"], "quarantine.orders": ["Code", "_extra"],
    }  # fmt: skip
