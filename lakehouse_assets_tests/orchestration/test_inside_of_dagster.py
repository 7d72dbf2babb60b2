"""What this project takes from inside of Dagster, each in one place: what a new version of Dagster may break."""

import ast
import sqlite3
from collections import Counter
from contextlib import AbstractContextManager, closing
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from sqlalchemy import Connection

from lakehouse_assets.lake_settings import PROJECT
from lakehouse_assets.orchestration import event_batch
from lakehouse_assets.orchestration.event_log import KeptSqliteEventLogStorage
from lakehouse_assets.orchestration.events import TableCheckResult, together
from lakehouse_assets.orchestration.instance import opened
from lakehouse_assets.orchestration.lake_tables import Commits, LakeTables, only_own_events
from lakehouse_assets.settings import Settings

DAYS = dg.DailyPartitionsDefinition("2026-01-01")
INNER = {
    "alerts/checks.py": [
        "dagster._core.event_api",
        "dagster._core.storage.asset_check_execution_record",
    ],
    # That what steps print is kept and shown: `test_captured_output.py`.
    "orchestration/captured_output.py": [
        "dagster._core.execution.compute_logs",
        "dagster._core.storage.compute_log_manager",
        "dagster._core.storage.local_compute_log_manager",
    ],
    "orchestration/ecs_launcher.py": ["dagster._core.launcher"],
    "orchestration/event_batch.py": [
        "dagster._core.storage.event_log.schema",
        "dagster._core.storage.event_log.sqlite.sqlite_event_log",
    ],
    # That the process of an ingest goes on: `test_follow_up.py`.
    "orchestration/follow_up.py": [
        "dagster._core.definitions.reconstruct",
        "dagster._core.errors",
        "dagster._core.events",
        "dagster._core.execution.api",
        "dagster._core.execution.context.system",
        "dagster._core.execution.plan.plan",
        "dagster._core.execution.retries",
        "dagster._core.scheduler.instigation",
    ],
    # That `lakehouse run` describes its job once: `test_runner.py`.
    "orchestration/runner.py": [
        "dagster._core.definitions.job_base",
        "dagster._core.execution.execute_in_process",
    ],
    "orchestration/event_log.py": ["dagster._core.storage.event_log.sqlite.sqlite_event_log"],
    "orchestration/s3_logs.py": ["dagster._core.storage.compute_log_manager"],
    "orchestration/run_storage.py": ["dagster._core.storage.runs", "dagster._core.storage.schedules"],
}


@pytest.mark.slow
def test_only_these_modules_import_from_inside_of_dagster() -> None:
    package = PROJECT / "lakehouse_assets"
    found = {str(file.relative_to(package)): inner(file) for file in package.rglob("*.py") if inner(file)}
    assert found == INNER


def inner(file: Path) -> list[str]:
    """Return the modules inside of Dagster that a file imports."""
    nodes = list(ast.walk(ast.parse(file.read_text())))
    names = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    names += [name.name for node in nodes if isinstance(node, ast.Import) for name in node.names]
    return [name for name in names if name.startswith(("dagster._", "dagster_shared"))]


@pytest.mark.slow
def test_the_event_log_keeps_connections_and_is_read_by_dagster_s_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: Counter[str] = Counter()
    has_table, has_column = SqliteEventLogStorage.has_table, SqliteEventLogStorage._has_asset_key_col_on_connection

    def counted_table(log: SqliteEventLogStorage, name: str) -> bool:
        asked[name] += 1
        return has_table(log, name)

    def counted_column(log: SqliteEventLogStorage, connection: Connection, name: str) -> bool:
        asked[name] += 1
        return has_column(log, connection, name)

    monkeypatch.setattr(SqliteEventLogStorage, "has_table", counted_table)
    monkeypatch.setattr(SqliteEventLogStorage, "_has_asset_key_col_on_connection", counted_column)
    key = dg.AssetKey("table")

    @dg.asset(key=key, check_specs=[dg.AssetCheckSpec("rule", asset=key)])
    def table():  # type: ignore[no-untyped-def] # noqa: ANN202 - Dagster would take an annotation for one output's
        return dg.MaterializeResult(check_results=[dg.AssetCheckResult(check_name="rule", passed=True)])

    settings = Settings(root=str(tmp_path))
    with opened(settings) as instance:
        assert isinstance(instance.event_log_storage, KeptSqliteEventLogStorage)
        runs = [dg.materialize([table], instance=instance).run_id for _ in range(6)]
        logs = {run: [record.event_log_entry for record in instance.get_records_for_run(run).records] for run in runs}
        assert len(instance.event_log_storage._connections) == 4
    assert asked["asset_check_executions"] == asked["last_materialization_timestamp"] == 1
    original = SqliteEventLogStorage(str(settings.dagster_home / "history" / "runs"))
    for run, log in logs.items():
        assert "PIPELINE_SUCCESS" in [str(entry.dagster_event_type.value) for entry in log if entry.dagster_event_type]
        assert [record.event_log_entry for record in original.get_records_for_run(run).records] == log
    made = original.get_event_records(dg.EventRecordsFilter(dg.DagsterEventType.ASSET_MATERIALIZATION, asset_key=key))
    assert {record.run_id for record in made} == set(runs)
    original.dispose()


@pytest.mark.slow
def test_events_that_are_stored_together_are_those_of_dagster_s_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_batch, "_LONGEST_BATCH", 3)
    key, date = dg.AssetKey("table"), "2026-01-0{}".format
    checks = [dg.AssetCheckSpec(name, asset=key) for name in ("gate", "rule")]

    @dg.asset(key=key, partitions_def=DAYS, check_specs=checks, output_required=False)
    def table(context: dg.AssetExecutionContext):  # type: ignore[no-untyped-def] # noqa: ANN202
        def gate(partition: str, *, passed: bool) -> None:
            context.log_event(dg.AssetCheckEvaluation(key, "gate", passed=passed, metadata={}, partition=partition))

        with together(context.instance), together(context.instance):
            for day in range(1, 5):
                gate(date(day), passed=day > 1)
                tags = {"dagster/data_version": str(day)}
                context.log_event(dg.AssetMaterialization(key, partition=date(day), metadata={"rows": day}, tags=tags))
            context.log.info("in between")
            context.log_event(dg.AssetObservation(key, partition=date(2)))
            gate(date(1), passed=True)
            gate(date(9), passed=False)
            gate(date(9), passed=True)
        with together(context.instance):
            yield dg.AssetCheckResult(check_name="gate", passed=False)
            yield TableCheckResult(check_name="rule", passed=True)

    settings = Settings(root=str(tmp_path / "lake"))
    with opened(settings) as instance:
        run_id = dg.materialize([table], instance=instance, partition_key=date(3)).run_id
        records = instance.get_records_for_run(run_id).records
        log = [record.event_log_entry for record in records]
        assert instance.get_latest_materialization_event(key) == [e for e in log if is_made(e)][-1]
    assert_stored_as_by_dagster_s_own(settings, log, tmp_path / "original")
    partitions = [row["partition"] for row in rows_of(index_of(settings))["asset_check_executions"]]
    assert sorted(map(str, partitions)) == [*map(date, (1, 2, 3, 3, 4, 9)), "None", "None"]


@pytest.mark.slow(covered=True)
def test_what_a_run_plans_and_then_finds_is_stored_in_few_transactions_with_the_rows_of_dagster_s_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = dg.AssetKey("table")
    names = [f"rule_{number}" for number in range(20)]
    commits: list[str] = []
    connect = KeptSqliteEventLogStorage._connect

    def counted(log: KeptSqliteEventLogStorage, shard: str) -> AbstractContextManager[Connection]:
        commits.append(shard)
        return connect(log, shard)

    monkeypatch.setattr(KeptSqliteEventLogStorage, "_connect", counted)
    monkeypatch.delenv("DAGSTER_EVENT_BATCH_SIZE", raising=False)

    @dg.asset(key=key, check_specs=[dg.AssetCheckSpec(name, asset=key) for name in names])
    def table(context: dg.AssetExecutionContext):  # type: ignore[no-untyped-def] # noqa: ANN202
        yield dg.MaterializeResult()
        before = len(commits)
        with together(context.instance):
            for name in names:
                yield TableCheckResult(check_name=name, passed=name != names[3])
        assert len(commits) - before < 10

    settings = Settings(root=str(tmp_path / "lake"))
    with opened(settings) as instance:
        run_id = dg.materialize([table], instance=instance).run_id
        log = [record.event_log_entry for record in instance.get_records_for_run(run_id).records]
    assert len(commits) < 80
    assert_stored_as_by_dagster_s_own(settings, log, tmp_path / "original")
    stored = rows_of(index_of(settings))["asset_check_executions"]
    assert [row["execution_status"] for row in stored].count("SUCCEEDED") == len(stored) - 1 == 19


def assert_stored_as_by_dagster_s_own(settings: Settings, log: list[dg.EventLogEntry], folder: Path) -> None:
    """Store the events of a run with Dagster's own storage, and compare all rows with those of the lake's."""
    original = SqliteEventLogStorage(str(folder))
    for entry in log:
        original.store_event(entry)
    original.dispose()
    for shard in ("index", log[0].run_id):
        assert rows_of(index_of(settings).with_stem(shard)) == rows_of(folder / f"{shard}.db")


def index_of(settings: Settings) -> Path:
    return settings.dagster_home / "history" / "runs" / "index.db"


def is_made(entry: dg.EventLogEntry) -> bool:
    return entry.dagster_event_type is dg.DagsterEventType.ASSET_MATERIALIZATION


def rows_of(database: Path) -> dict[str, list[dict[str, object]]]:
    """Return what Dagster's tables of events hold, without the time at which a row was written."""
    tables = "event_logs", "asset_keys", "asset_event_tags", "asset_check_executions"
    with closing(sqlite3.connect(database)) as connection:
        connection.row_factory = sqlite3.Row
        found = {table: connection.execute(f"select * from {table} order by id").fetchall() for table in tables}  # noqa: S608
    return {table: [{**row, "create_timestamp": None} for row in map(dict, rows)] for table, rows in found.items()}


def test_a_check_of_a_table_is_tied_to_no_partition_of_the_run() -> None:
    key = dg.AssetKey("table")

    @dg.asset(key=key, check_specs=[dg.AssetCheckSpec(name, asset=key) for name in ("ours", "theirs")])
    def table():  # type: ignore[no-untyped-def] # noqa: ANN202 - Dagster would take an annotation for one output's
        ours = TableCheckResult(check_name="ours", passed=True)
        return dg.MaterializeResult(check_results=[ours, dg.AssetCheckResult(check_name="theirs", passed=True)])

    with dg.DagsterInstance.ephemeral() as instance:
        found = dg.materialize([table], instance=instance).get_asset_check_evaluations()
        tied = {check.check_name: check.target_materialization_data is not None for check in found}
    assert tied == {"ours": False, "theirs": True}


def test_only_what_the_commits_say_is_recorded_as_materialized(tmp_path: Path) -> None:
    published = dg.AssetMaterialization("held_in_part", partition="2026-01-02")

    @dg.asset(partitions_def=DAYS)
    def held_in_part(context: dg.AssetExecutionContext):  # type: ignore[no-untyped-def] # noqa: ANN202
        with only_own_events(context):
            yield dg.Output(Commits(iter([[], [published]])))

    @dg.asset(partitions_def=DAYS, deps=[held_in_part])
    def of_dagster() -> None: ...

    run = dg.materialize(
        [held_in_part, of_dagster],
        partition_key="2026-01-03",
        resources={"io_manager": LakeTables(root=str(tmp_path))},
        instance=dg.DagsterInstance.ephemeral(),
    )
    made = [(e.asset_key.to_user_string(), e.partition) for e in run.get_asset_materialization_events() if e.asset_key]
    assert made == [("held_in_part", "2026-01-02"), ("of_dagster", "2026-01-03")]
