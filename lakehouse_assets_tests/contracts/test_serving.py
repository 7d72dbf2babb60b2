"""A table that cannot be served as declared is refused where it is declared, and says what to write."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import dataframely as dy
import polars as pl
import pytest

from lakehouse_assets.contracts.columns import TextMap
from lakehouse_assets.contracts.dagster_asset import model_of
from lakehouse_assets.contracts.declare import ContractError, Model, Serving
from lakehouse_assets.contracts.registry import Registry, registry

pytestmark = pytest.mark.usefixtures("every_table")


class Visits(dy.Schema):
    day = dy.Date(nullable=False, description="Day.")
    page = dy.String(nullable=False, description="Page.")
    by = TextMap(description="What is counted by.")
    visits = dy.Int64(nullable=False, description="Visits.")
    note = dy.String(nullable=True, description="Note.")


def counted(sales: pl.LazyFrame) -> pl.LazyFrame:
    return sales


def visits(path: str = "visits", *key: str, **options: Any) -> Model:
    by_function: dict[str, Any] = {"function": counted, "inputs": {"sales": "silver.sales"}}
    chosen: dict[str, Any] = {"date": "day", "name": "visits"} | ({} if "sql" in options else by_function) | options
    return Model(schema=Visits, description="x", owner="team:x", serving=Serving(path, key), **chosen)


REFUSED = {
    "its path is lower-case letters": ("Visits", "page"),
    "its key is a tuple of columns": ("visits",),
    "the schema has no column 'pgae'; name one of day, page": ("visits", "pgae"),
    "each column once, and not the date 'day'": ("visits", "page", "day"),
    "'note' may be null, so it names no row": ("visits", "page", "note"),
    "'by' stands in the address and is no text": ("visits", "by"),
    "'visits' is neither text nor a map of texts": ("visits", "page", "visits"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_cannot_be_served_is_refused(why: str) -> None:
    with pytest.raises(ContractError, match=f"model 'visits': serving=Serving.*: {why}"):
        visits(*REFUSED[why])


def test_a_table_without_dates_is_not_served() -> None:
    with pytest.raises(ContractError, match="only a table by date can be served; name its date="):
        visits("visits", "page", date=None)


def test_serving_a_table_builds_nothing_anew() -> None:
    assert visits("visits", "page", "by").version == replace(visits("visits", "page"), serving=None).version


def test_two_tables_at_one_address_are_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "x.sql"
    file.write_text("SELECT 1")
    models = [visits("visits", "page", name=name, sql=file) for name in ("one", "two")]
    with pytest.raises(ContractError, match="'one' and 'two' are both served at 'visits'; give one another path"):
        Registry([], models)


def test_an_asset_is_served_by_its_metadata() -> None:
    def asset(serving: Any) -> dg.AssetsDefinition:
        schema = dg.MetadataValue.python_artifact(Visits)
        metadata = {"schema": schema, "date": "day", "serving": serving}

        @dg.asset(key=["gold", "visits"], metadata=metadata, owners=["team:x"], description="x")
        def built(sales: pl.LazyFrame) -> pl.LazyFrame:
            return sales

        return built

    found = model_of(asset({"path": "visits", "key": ["page", "by"]}))
    assert found is not None
    assert found.serving == Serving("visits", ("page", "by"))
    with pytest.raises(ContractError, match=r"serving='visits' is not the path and the key of a served table; write"):
        model_of(asset("visits"))


def test_daily_metrics_are_served() -> None:
    served = [model for model in registry().models.values() if model.serving is not None]
    assert [(model.name, model.serving) for model in served] == [
        ("daily_metrics", Serving("metrics", ("metric_name", "dimensions")))
    ]
