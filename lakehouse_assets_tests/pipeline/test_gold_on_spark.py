"""A model on Spark: the rows of DuckDB, published by the lake, whatever becomes of the job. Mostly on fast Sail."""

import shutil
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import ContractError, Model
from lakehouse_assets.contracts.registry import _usable
from lakehouse_assets.engines.spark import STAGING, Job, JobLostError, start_process
from lakehouse_assets.engines.spark_models import Translatable
from lakehouse_assets.pipeline.gold import ModelError, RuleBrokenError
from lakehouse_assets.pipeline.gold import build as build_model
from lakehouse_assets.pipeline.gold_on_spark import bytes_read, is_for_spark
from lakehouse_assets.pipeline.pending import ModelState
from lakehouse_assets.query.verify import verify
from lakehouse_assets.storage import delta
from lakehouse_assets_tests.engines.spark_lake import needs_spark, on
from lakehouse_assets_tests.pipeline.totals import GOOD, NEXT, Totals, build_one, stored, totals
from lakehouse_assets_tests.retail import DAY, sales

_ROWS = [{"units": 6, "sales": Decimal("15.3000")}] * 2


def _on_spark(lake: Lake, sql: str = GOOD, place: str = "sail") -> tuple[Lake, Model]:
    """Return a published lake with `gold.totals` computed by Spark."""
    lake = replace(lake, settings=lake.settings.model_copy(update=on(place)))
    return totals(lake, sql, engine="spark")


def _staging(lake: Lake) -> list[str]:
    return [item.path for item in lake.store.list(STAGING)]


def _rows(lake: Lake) -> list[dict[str, object]]:
    return [{"units": row["units"], "sales": row["sales"]} for row in stored(lake)]


@needs_spark
@pytest.mark.slow
def test_spark_computes_what_duckdb_does_and_the_lake_publishes_it(published: Lake) -> None:
    lake, model = _on_spark(published)
    built = list(build_model(lake, model, [DAY, NEXT]))
    assert [(one.engine, one.rows) for one in built] == [("spark", {DAY: 1, NEXT: 1})]
    assert _rows(lake) == _ROWS
    assert ModelState.read(lake, model).pending == []
    assert list(build_model(lake, model, [DAY, NEXT])) == []  # the second time there is nothing to do
    assert _staging(lake) == []
    assert not [found for found in verify(lake) if "totals" in str(found)], "DuckDB computes the same"


@needs_spark
@pytest.mark.slow
@pytest.mark.parametrize(
    ("sql", "error", "told"),
    [
        ("SELECT dt, 1 AS units, 0::DECIMAL(38,4) AS sales, 1 AS more FROM silver.sales", ModelError, "'more'"),
        (GOOD.replace("sum(quantity)", "sum(quantity) * 1000"), RuleBrokenError, "'units_max'"),
        (GOOD.replace("sum(quantity)", "sum(quantity * 9223372036854775807)"), ModelError, "a value cannot be"),
        (GOOD.replace("quantity", "quantities"), ContractError, "quantities"),
    ],
)
def test_what_is_not_declared_is_not_published(
    published: Lake, sql: str, error: type[Exception], told: str, capfd: pytest.CaptureFixture[str]
) -> None:
    lake, model = _on_spark(published, sql)
    with pytest.raises(error) as raised:
        build_one(lake, model)
    assert told in str(raised.value)
    assert "totals" in str(raised.value)
    assert "9223372036854775807" not in f"{raised.value}{capfd.readouterr()}"
    assert not delta.exists(lake.store, "gold/totals") or stored(lake) == []
    assert _staging(lake) == []


def _killed(job: Job) -> None:
    """Do what a job does that is killed as soon as it has begun to write."""
    lake_folder = Path(job.store.uri(job.folder))
    (lake_folder / "rows").mkdir()
    (lake_folder / "rows" / "half.parquet").write_bytes(b"PAR1")


@pytest.mark.slow
def test_a_job_that_is_killed_publishes_nothing_and_is_done_again(published: Lake) -> None:
    lake, model = _on_spark(published)
    with pytest.raises(JobLostError, match=r"gold\.totals: the Spark job ended before it said"):
        list(build_model(lake, model, [DAY], start=_killed))
    assert ModelState.read(lake, model).pending == [DAY, NEXT]
    assert _staging(lake) == []


@needs_spark
@pytest.mark.slow
def test_a_run_that_is_killed_leaves_its_staging_which_nobody_reads(published: Lake) -> None:
    lake, model = _on_spark(published)

    class Killed(BaseException):
        pass

    def dies(job: Job) -> None:
        start_process(job)
        left.append({item.path: lake.store.read(item.path) for item in lake.store.list(job.folder)})
        raise Killed

    left: list[dict[str, bytes]] = []
    with pytest.raises(Killed):
        list(build_model(lake, model, [DAY, NEXT], start=dies))
    for path, data in left[0].items():  # as a SIGKILL leaves it: nobody removed it
        lake.store.create(path, data)
    assert ModelState.read(lake, model).pending == [DAY, NEXT]
    assert build_one(lake, model) == {DAY: 1, NEXT: 1}
    assert _rows(lake) == _ROWS
    assert sorted(_staging(lake)) == sorted(left[0])


@needs_spark
@pytest.mark.skipif(shutil.which("java") is None, reason="no Java is installed")
@pytest.mark.slow
def test_the_virtual_machine_computes_the_same(published: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    # A third of its CPU would go into code that is compiled better than a job of seconds needs.
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
    lake, model = _on_spark(published, place="local")
    assert build_one(lake, model) == {DAY: 1, NEXT: 1}
    assert _rows(lake) == _ROWS


@pytest.mark.slow
def test_the_bytes_to_read_decide_where_nothing_is_declared(published: Lake) -> None:
    lake, model = totals(published)
    both, one = bytes_read(lake, model, [DAY, NEXT]), bytes_read(lake, model, [DAY])
    assert 0 < one < both

    def decided(partitions: list[str], engine: str | None = None, **settings: object) -> bool:
        chosen = lake.settings.model_copy(update=settings)
        return is_for_spark(replace(lake, settings=chosen), replace(model, engine=engine), partitions)

    assert decided([DAY, NEXT], spark="sail", spark_above_bytes=one)
    assert not decided([DAY], spark="sail", spark_above_bytes=one)
    assert not decided([DAY, NEXT], "duckdb", spark="sail", spark_above_bytes=one)
    assert not decided([DAY, NEXT], spark="sail")
    assert not decided([DAY, NEXT], spark_above_bytes=one)
    assert decided([DAY], "spark", spark="sail")
    assert not decided([DAY], "spark"), "there is no Spark"


_ONLY_DUCKDB = (
    "SELECT dt, approx_quantile(quantity, 0.5) AS units, 0::DECIMAL(38,4) AS sales FROM silver.sales GROUP BY dt"
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("engine", "check"), [("spark", Translatable(everything=False)), (None, Translatable(everything=True))]
)
def test_sql_that_cannot_be_translated_is_refused(published: Lake, engine: str | None, check: Translatable) -> None:
    lake, model = totals(published, _ONLY_DUCKDB, engine=engine)
    with pytest.raises(ContractError, match=r"model 'totals' may run on Spark.*APPROX_QUANTILE"):
        check(lake.registry, model)
    Translatable(everything=True)(lake.registry, replace(model, engine="duckdb"))
    Translatable(everything=False)(lake.registry, replace(model, engine=None))


def test_what_is_refused_stops_its_own_table_only(published: Lake) -> None:
    lake, model = totals(published, _ONLY_DUCKDB, engine="spark")
    _, other = totals(published, engine="duckdb")
    (good := Path(f"{lake.store.root}-other.sql")).write_text(GOOD)
    (bad := Path(f"{lake.store.root}-bad.sql")).write_text(_ONLY_DUCKDB)
    models = [replace(model, sql=bad), replace(other, name="others", sql=good)]
    found = _usable([sales(lake)], models, [], Translatable(everything=False))
    assert list(found.models) == ["others"]
    [broken] = found.broken
    assert broken.table == "gold.totals"
    assert "APPROX_QUANTILE" in broken.what


def test_a_function_has_no_engine(published: Lake) -> None:
    with pytest.raises(ContractError, match="leave engine out"):
        Model(name="x", schema=Totals, description="x", owner="team:x", function=lambda: None, engine="spark")
    with pytest.raises(ContractError, match="neither of the engines"):
        totals(published, engine="flink")
