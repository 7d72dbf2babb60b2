"""A person's values never enter Dagster, whatever landed in whatever field: they stand in none of its files."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import dataframely as dy
import polars as pl
import pytest

from lakehouse_assets.alerts import stream
from lakehouse_assets.alerts.derive import facts_of
from lakehouse_assets.alerts.error_log import ErrorLog
from lakehouse_assets.alerts.facts import Kind
from lakehouse_assets.alerts.lake_problems import LakeProblems
from lakehouse_assets.alerts.wording import messages
from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Model
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.decisions import recorded
from lakehouse_assets.operations import decision_commands
from lakehouse_assets.orchestration import feed_assets
from lakehouse_assets.orchestration.model_assets import model_asset
from lakehouse_assets.orchestration.resources import resources_at
from lakehouse_assets.pipeline import source_records
from lakehouse_assets_tests.erasure.traces import decoded
from lakehouse_assets_tests.orchestration.daemon import Daemon
from lakehouse_assets_tests.retail import DAY, HEADERS, day, gzipped, land, line, sales, sales_csv, zipped

NUMBER, NAME = "9876543210", "Quillfeather"
NEXT = "2011-03-02"

pytestmark = pytest.mark.slow


def everywhere() -> list[dict[str, str | None]]:
    """Return bad records with the name in each field in turn, and in all that may hold it."""
    return [line(**{"Quantity": "six", header: NAME}) for header in HEADERS]


def parquet(**columns: list[object]) -> bytes:
    pl.DataFrame(columns).write_parquet(buffer := io.BytesIO())
    return buffer.getvalue()


def objects() -> dict[str, bytes]:
    theirs = day(DAY, 60, CustomerID=NUMBER)
    record = ",".join(str(value or "") for value in line(CustomerID=NUMBER, Description=NAME).values())
    renamed = sales_csv(theirs, NEXT).replace(b"InvoiceNo", b"Invoice No", 1)
    strange = (
        sales_csv(theirs).replace(b"Country\n", b"Country,Contact\n").replace(b"Kingdom\n", b"Kingdom,Quillfeather\n")
    )
    return {
        "good.csv": sales_csv([*theirs, line(Quantity="six", CustomerID=NUMBER, Description=NAME)]),
        "everywhere.csv": sales_csv([*day(DAY, 200, InvoiceNo="536370"), *everywhere()]),
        "held.csv": sales_csv([*day(NEXT, 2, CustomerID=NUMBER), *(r | {"InvoiceDate": NEXT} for r in everywhere())]),
        "undated.csv": sales_csv([line(InvoiceDate=NAME, CustomerID=NUMBER)]),
        "strange.csv": strange,
        "renamed.csv": renamed,
        "retyped.csv": sales_csv(day(DAY, 4, Quantity=NAME, UnitPrice=NUMBER * 4, CustomerID=NUMBER)),
        "ragged.csv": sales_csv(theirs) + f"{record},{NAME},{NUMBER}\n{NAME},{NUMBER}\n".encode(),
        "headless.csv": f"{record}\n{record}\n".encode(),
        "twice.csv": f"{record},{NAME}\n{record},{NAME}\n".encode(),
        "unclosed.csv": sales_csv(theirs) + f'1,"{NAME},{NUMBER}\n'.encode(),
        "quote.csv": sales_csv(theirs) + f'1,"{NAME}"x,{NUMBER}\n'.encode(),
        "mixed.csv": sales_csv([line(Description=f"£{NAME}")]) + sales_csv([line(Country="£")], encoding="cp1252"),
        "utf16.csv": sales_csv(theirs, encoding="utf-16"),
        "broken.jsonl": f'{{"CustomerID": "{NUMBER}", "Country": "{NAME}"}}\n{{"{NAME}": {NUMBER}, {NAME}}}\n'.encode(),
        "broken.json": f'[{{"CustomerID": "{NUMBER}"}}, "{NAME}" {NUMBER}]'.encode(),
        "keyed.json": json.dumps({NAME: {"CustomerID": NUMBER}, NUMBER: NAME}).encode(),
        "cut.json": f'{{"CustomerID": "{NUMBER}", "a": {{"b": "{NAME}'.encode(),
        "bytes.parquet": parquet(CustomerID=[NUMBER.encode() + b"\xff"], Country=[NAME]),
        "cut.parquet": parquet(CustomerID=[NUMBER], Country=[NAME])[:-9],
        "cut.csv.gz": gzipped(sales_csv(theirs))[:-12],
        "drop.zip": zipped({"a.csv": f"{record}\n".encode(), "b.csv": sales_csv(theirs)}),
        "promised.csv": sales_csv([line(CustomerID=NUMBER)]),
        "promised.csv.manifest.json": json.dumps({"rows": 2, "sums": {"CustomerID": NUMBER, "Country": NAME}}).encode(),
        "summed.csv": sales_csv([line(CustomerID=NUMBER, Country="France")]),
        "summed.csv.manifest.json": json.dumps({"sums": {"CustomerID": "1"}, "rows": 1}).encode(),
        "panic.csv": sales_csv([line(CustomerID=NUMBER)], NEXT),
    }


def traces(home: Path) -> list[str]:
    """Return the files of a Dagster instance in which a value of the person stands."""
    files = [path for path in home.rglob("*") if path.is_file()]
    return [str(path) for path in files if any(v in t for v in (NUMBER, NAME) for t in decoded(path.read_bytes()))]


def tell_all(lake: Lake, instance: dg.DagsterInstance) -> None:
    """Tell people, other systems and the error log all that happened: no value is in any of it."""
    facts = facts_of(lake, instance, stream.read(instance, stream.EVENTS_OF_FACTS, 0, 0, 100_000))
    assert {fact.kind for fact in facts} >= {Kind.OBJECT_REFUSED, Kind.GATE_HELD, Kind.RUN_FAILED, Kind.CONTRACT_DRIFT}
    single = [message for fact in facts for message in messages([fact])]
    texts = [json.dumps([fact.as_json() for fact in facts]), *(m.subject + m.body for m in [*single, *messages(facts)])]
    assert not [text for text in texts if NUMBER in text or NAME in text]
    ErrorLog(LakeProblems(lake.store)).deliver(facts)
    assert list(LakeProblems(lake.store).problems())


@pytest.fixture
def told(lake: Lake, daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> Daemon:
    """A daemon that has seen every kind of bad object of the person's, one of which no reader foresaw."""

    def failing(reader: Callable[..., Any]) -> Callable[..., Any]:
        def read(data: bytes, *about: Any) -> Any:
            if data == objects()["panic.csv"]:
                raise ValueError(NAME, NUMBER)
            return reader(data, *about)

        return read

    for name in ("read", "parse"):
        monkeypatch.setattr(source_records, name, failing(getattr(source_records, name)))
    for key, data in objects().items():
        land(lake, key, data)
    return daemon


def test_ingest_publish_and_decisions_tell_dagster_no_value(told: Daemon) -> None:
    lake, home = told.lake, told.lake.settings.dagster_home
    results = told.settle()
    told_of = [e for r in results for e in r.get_asset_check_evaluations() if not e.passed and e.description]
    assert any("everywhere.csv" in str(e.metadata) or "headless.csv" in str(e.metadata) for e in told_of)
    feed = sales(lake)
    corrected = {"CustomerID": f"{NUMBER}.0", "Quantity": "7", "Description": NAME}
    recorded.record(lake.store, decision_commands.correct(lake, feed, "good.csv", 61, corrected, "misread"))
    recorded.record(lake.store, decision_commands.release(lake, feed, NEXT, "closed"))
    job = told.definitions.resolve_job_def("decision")
    for line_number, values in ((202, {"Quantity": "8"}), (203, {"UnitPrice": "1.00"})):
        config = {"feed": "sales", "verb": "correct", "source_key": "everywhere.csv", "line": line_number, "why": "w"}
        about = config | {"values": values, "who": "ann", "dry_run": False}
        assert job.execute_in_process({"ops": {"decide": {"config": about}}}, instance=told.instance).success
    told.settle()
    maintained = told.definitions.resolve_job_def("maintenance").execute_in_process(
        {"ops": {"look_after_tables": {"config": {"expire_quarantine_days": 1, "expire_rejected_days": 1}}}},
        instance=told.instance,
    )
    assert maintained.success
    told.settle()
    assert told.instance.get_runs_count() > 5
    assert traces(home) == []
    tell_all(lake, told.instance)
    assert traces(Path(lake.store.root) / "ops" / "errors") == []


def test_a_personal_value_in_the_run_configuration_is_refused_before_there_is_a_run(told: Daemon) -> None:
    job = told.definitions.resolve_job_def("decision")
    config = {"feed": "sales", "verb": "correct", "source_key": "good.csv", "line": 61, "why": "w", "who": "ann"}
    about = {"ops": {"decide": {"config": config | {"values": {"CustomerID": NUMBER}}}}}
    with pytest.raises(dg.DagsterInvalidConfigError, match='Received unexpected config entry "CustomerID"'):
        job.execute_in_process(about, instance=told.instance)
    assert told.instance.get_runs_count() == 0
    assert traces(told.lake.settings.dagster_home) == []


class People(dy.Schema):
    customer_id = dy.String(nullable=True)
    lines = dy.Int16(nullable=False)

    @dy.rule()
    def few(cls) -> pl.Expr:  # noqa: N805
        return pl.col("lines") < 1000


WRONG = (
    "2000::SMALLINT",  # breaks the rule
    "max(customer_id)::BIGINT",  # does not fit
    "max(customer_id || 'x')::BIGINT",  # cannot be computed
    "max(error('of ' || customer_id))::SMALLINT",
)


def test_a_gold_table_of_people_tells_dagster_no_value(
    lake: Lake, daemon_of: Callable[..., Daemon], tmp_path: Path
) -> None:
    land(lake, "good.csv", sales_csv(day(DAY, 3, CustomerID=NUMBER)))
    daemon = daemon_of(lake)
    daemon.settle("landing_sensor")
    daemon.launch(daemon.requests("tables_sensor")[0])
    resources = resources_at(lake.settings.root)
    for at, column in enumerate(("count(*)::SMALLINT", *WRONG)):
        sql = tmp_path / f"people{at}.sql"
        sql.write_text(f"SELECT customer_id, {column} AS lines FROM silver.sales GROUP BY 1", encoding="utf-8")  # noqa: S608
        model = Model("people", People, description="People.", owner="team:data-platform", sql=sql)
        registry = Registry(list(lake.registry.feeds.values()), [model])
        asset = model_asset(model, replace(lake, registry=registry))
        done = dg.materialize([asset], instance=daemon.instance, resources=resources, raise_on_error=False)
        assert done.success == (at == 0)
    assert daemon.instance.get_runs_count() == 2 + 1 + len(WRONG)
    assert traces(lake.settings.dagster_home) == []


def test_an_error_that_nobody_foresaw_tells_dagster_where_not_what(
    lake: Lake, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(lake, "good.csv", sales_csv(day(DAY, 3, CustomerID=NUMBER)))
    daemon.settle("landing_sensor")

    def publish(*_: object, **__: object) -> None:
        raise ValueError(NAME, NUMBER)

    monkeypatch.setattr(feed_assets, "publish", publish)
    failed = daemon.launch(daemon.requests("tables_sensor")[0])
    [event] = [event for event in failed.all_events if event.is_step_failure]
    assert event.step_failure_data.user_failure_data is not None
    told = str(event.step_failure_data.user_failure_data.description)
    assert told.startswith("ValueError at ")
    assert "feed_assets.py:" in told
    assert traces(lake.settings.dagster_home) == []
