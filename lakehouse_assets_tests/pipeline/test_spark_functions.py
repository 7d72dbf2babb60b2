"""A model whose function takes tables of Spark: the rows of DuckDB, with all that other models keep to."""

import datetime as dt
import importlib
import json
import re
import shutil
import sys
import textwrap
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import ContractError, Model
from lakehouse_assets.contracts.python_function import SPARK, kinds
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.engines.spark import STAGING, Job, JobLostError
from lakehouse_assets.engines.spark_models import Translatable, work_of
from lakehouse_assets.lake_settings import PROJECT
from lakehouse_assets.pipeline.gold import ModelError, build, compile_sql
from lakehouse_assets.pipeline.pending import ModelState
from lakehouse_assets.query.verify import verify
from lakehouse_assets.storage import delta
from lakehouse_assets_tests.engines.spark_lake import needs_spark, on
from lakehouse_assets_tests.faults.conftest import IN_FULL
from lakehouse_assets_tests.pipeline import on_spark
from lakehouse_assets_tests.pipeline.totals import NEXT, Totals, build_one, stored, totals
from lakehouse_assets_tests.retail import DAY, day, ingest, land, line, publish, sales, sales_csv


def declared(lake: Lake, function: Callable[..., Any], place: str = "sail", **options: Any) -> tuple[Lake, Model]:
    """Return the lake with `gold.totals`, made by a function of `silver.sales` on Spark, and that model."""
    texts: dict[str, Any] = {
        "name": "totals",
        "description": "x",
        "owner": "team:x",
        "date": "dt",
        "inputs": {"rows": "silver.sales"},
    }
    model = Model(schema=Totals, function=function, **texts | options)
    settings = lake.settings.model_copy(update=on(place))
    return Lake(lake.store, settings, Registry([sales(lake)], [model])), model


@needs_spark
@pytest.mark.parametrize(
    "place",
    [
        pytest.param("sail", marks=pytest.mark.slow),
        pytest.param("local", marks=[pytest.mark.slow, IN_FULL]),
    ],
)
def test_a_function_makes_what_sql_makes_on_duckdb(published: Lake, place: str) -> None:
    if place == "local" and shutil.which("java") is None:
        pytest.skip("no Java is installed")
    lake, model = totals(published)
    build_one(lake, model)
    by_sql = stored(lake)
    lake, model = declared(published, on_spark.summed, place, name="by_function")
    assert [(one.engine, one.rows) for one in build(lake, model, [DAY, NEXT])] == [("spark", {DAY: 1, NEXT: 1})]
    assert sorted(stored(lake, "by_function"), key=str) == sorted(by_sql, key=str)
    assert len(by_sql) == 2
    assert ModelState.read(lake, model).pending == []
    assert list(lake.store.list(STAGING)) == []


@needs_spark
@pytest.mark.slow
@pytest.mark.parametrize(
    ("function", "told"),
    [
        (on_spark.more, r"more\(\): it returns the column 'more', which Totals does not declare"),
        (on_spark.misspelt, r"misspelt\(\): AnalysisException.* at the computation of its result: .*quantitee"),
        (on_spark.quoting, r"quoting\(\): LookupError at on_spark.py:\d+: None\. Nothing was written"),
        (on_spark.number, r"number\(\): it returns int, not a Spark DataFrame"),
        (on_spark.dividing, r"dividing\(\): a value cannot be computed by Spark"),
    ],
)
def test_what_fails_is_told_without_values_and_not_published(
    published: Lake, function: Callable[..., Any], told: str, capfd: pytest.CaptureFixture[str]
) -> None:
    lake, model = declared(published, function)
    with pytest.raises(ModelError, match=told) as raised:
        build_one(lake, model)
    assert "gold.totals stands" in str(raised.value)
    assert str(line()["InvoiceNo"]) not in f"{raised.value}{capfd.readouterr()}"
    assert not delta.exists(lake.store, "gold/totals") or stored(lake) == []
    assert list(lake.store.list(STAGING)) == []


def test_a_job_gets_the_text_of_the_file_and_one_that_is_killed_publishes_nothing(published: Lake) -> None:
    lake, model = declared(published, on_spark.summed)
    documents: list[dict[str, Any]] = []

    def killed(job: Job) -> None:
        documents.append(json.loads(lake.store.read(f"{job.folder}/job.json")))
        Path(lake.store.uri(job.folder), "rows").mkdir()
        Path(lake.store.uri(job.folder), "rows", "half.parquet").write_bytes(b"PAR1")

    with pytest.raises(JobLostError, match=r"gold\.totals: the Spark job ended before it said"):
        list(build(lake, model, [DAY], start=killed))
    [document] = documents
    assert document["function"] == {
        "name": "summed",
        "file": "on_spark.py",
        "source": Path(on_spark.__file__).read_text(),
        "inputs": {"rows": "silver__sales"},
    }
    [group] = document["inputs"][0]["groups"]
    assert group["values"] == {"dt": DAY}, "only the date that is asked for"
    assert ModelState.read(lake, model).pending == [DAY, NEXT]
    assert list(lake.store.list(STAGING)) == []


def test_without_spark_the_setting_is_named(published: Lake) -> None:
    lake, model = declared(published, on_spark.summed, place="")
    for attempt in (lambda: build_one(lake, model), lambda: compile_sql(lake, model)):
        with pytest.raises(ModelError, match=r"summed\(\).*LAKEHOUSE_SPARK is empty; set it.*gold\.totals"):
            attempt()


@pytest.mark.slow
def test_a_lake_whose_spark_only_runs_reach_is_verified_as_far_as_it_can_be(published: Lake) -> None:
    lake, model = declared(published, on_spark.summed, place="emr-serverless")

    def elsewhere(job: Job) -> None:
        rows = pl.DataFrame({"dt": [dt.date.fromisoformat(DAY)], "units": [6], "sales": [Decimal("15.3000")]})
        (folder := Path(job.store.uri(job.folder), "rows")).mkdir()
        rows.cast({"sales": pl.Decimal(38, 4)}).write_parquet(folder / "part.parquet")
        job.store.create(f"{job.folder}/outcome/part.txt", b'{"rows": 1}')

    list(build(lake, model, [DAY], start=elsewhere))
    assert ModelState.read(lake, model).pending == [NEXT]
    assert list(verify(lake)) == []
    [file] = [item.path for item in lake.store.list("gold/totals") if item.path.endswith(".parquet")]
    lake.store.delete(file)
    assert "gold.totals" in {found.table for found in verify(lake)}, "its files are looked at"


_HEAD = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    "


@pytest.fixture
def function_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """What a file of some text calls `made`."""
    monkeypatch.syspath_prepend(tmp_path)

    def of(text: str) -> Any:
        (tmp_path / "made_on_spark.py").write_text(text)
        monkeypatch.delitem(sys.modules, "made_on_spark", raising=False)
        importlib.invalidate_caches()
        return importlib.import_module("made_on_spark").made

    return of


@pytest.mark.parametrize(
    ("imports", "annotation"),
    [
        ("from pyspark.sql import DataFrame", '"DataFrame"'),
        ("from pyspark.sql import DataFrame as Frame", '"Frame"'),
        ("import pyspark.sql", '"pyspark.sql.DataFrame"'),
        ("from pyspark import sql as s", '"s.DataFrame"'),
        ("from pyspark.sql.connect.dataframe import DataFrame", '"DataFrame"'),
    ],
)
def test_spark_is_asked_for_by_annotation_and_need_not_be_there(
    function_of: Callable[[str], Any], imports: str, annotation: str
) -> None:
    made = function_of(f"{_HEAD}{imports}\ndef made(rows: {annotation}) -> {annotation}: ...\n")
    assert kinds(made) == {"rows": SPARK}
    later = f"from __future__ import annotations\n{_HEAD}{imports}\n\ndef made(rows: {annotation}): ...\n"
    assert kinds(function_of(later)) == {"rows": SPARK}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "from lakehouse_assets.lake_settings import PROJECT\ndef made(rows: {}): ...",
            "imports lakehouse_assets.lake_settings",
        ),
        ("def made(rows: {}):\n    from made_on_spark.other import x", "line 2 imports made_on_spark.other"),
        ("def made(rows: {}):\n    from . import x", r"line 2 imports \., which is not there"),
        (
            "def of():\n    def made(rows: {}): ...\n    return made\nmade = of()\nx = made\nmade.__name__ = 'y'",
            "nested",
        ),
    ],
)
def test_a_file_that_cannot_go_alone_is_refused(
    published: Lake, function_of: Callable[[str], Any], text: str, told: str
) -> None:
    lake, model = declared(published, function_of(text.format('"pyspark.sql.DataFrame"') + "\n"))
    with pytest.raises(ContractError, match=rf"model 'totals' runs on Spark.*made_on_spark\.py alone.*{told}"):
        Translatable(everything=False)(lake.registry, model)


def test_what_only_type_checkers_import_is_not_needed(published: Lake, function_of: Callable[[str], Any]) -> None:
    text = f"{_HEAD}from lakehouse_assets.lake_settings import PROJECT\ndef made(rows: 'pyspark.sql.DataFrame'): ...\n"
    lake, model = declared(published, function_of(text))
    assert work_of(lake.registry, model)["function"]["source"] == text


def test_tables_that_spark_cannot_hand_over_are_refused(published: Lake) -> None:
    with pytest.raises(
        ContractError, match=r"model 'totals': mixed\(\) takes 'rows' as pyspark.sql.DataFrame.*take 'others' so, too"
    ):
        declared(published, on_spark.mixed, inputs={"rows": "silver.sales", "others": "silver.sales"})
    lake, model = declared(published, on_spark.summed, inputs={"rows": "bronze.sales"})
    with pytest.raises(ContractError, match=r"reads bronze.sales.*take its tables as pl\.LazyFrame"):
        Translatable(everything=False)(lake.registry, model)


_EXAMPLE_IN_SQL = """
WITH lines AS (
    SELECT dt, customer_id, invoice_no, line_amount, epoch(invoiced_at)::BIGINT AS seconds,
        seconds - lag(seconds) OVER (PARTITION BY dt, customer_id ORDER BY seconds, invoice_no) AS pause
    FROM silver.sales WHERE customer_id IS NOT NULL
)
SELECT dt, customer_id, count(DISTINCT invoice_no) AS invoices, sum(line_amount) AS spent, max(pause) AS longest_pause
FROM lines GROUP BY dt, customer_id
"""


@needs_spark
@pytest.mark.slow
def test_the_example_of_the_page(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (PROJECT / "docs" / "engines.md").read_text(encoding="utf-8")
    for name, text in re.findall(r"`gold/(\w+\.py)`[^`]*```python\n(.*?)```", page, re.DOTALL):
        (folder := tmp_path / "my_lake" / "gold").mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(textwrap.dedent(text))
    monkeypatch.syspath_prepend(tmp_path)
    model = importlib.import_module("my_lake.gold.customer_days").MODEL
    times = ["09:00:00", "09:40:00", "17:20:05"]
    lines = [line(InvoiceNo=f"53636{n}", InvoiceDate=f"{DAY} {time}") for n, time in enumerate(times)]
    land(lake, "x.csv", sales_csv([*lines, *day(NEXT, CustomerID="17850"), *day(NEXT, CustomerID=None)]))
    ingest(lake)
    publish(lake)

    def rows_of(model: Model) -> list[dict[str, Any]]:
        ours = replace(lake, settings=lake.settings.model_copy(update=on("sail")))
        ours = replace(ours, registry=Registry([sales(lake)], [model]))
        Translatable(everything=False)(ours.registry, model)
        build_one(ours, model)
        assert not list(verify(ours))
        return sorted(stored(ours, model.name), key=lambda row: (row["dt"], row["customer_id"]))

    (tmp_path / "in_sql.sql").write_text(_EXAMPLE_IN_SQL)
    found = rows_of(model)
    assert found == rows_of(replace(model, name="in_sql", function=None, inputs={}, sql=tmp_path / "in_sql.sql"))
    assert [row["longest_pause"] for row in found] == [27605, 0]
