"""A value that somebody gave to Dagster after all is found and goes, on SQLite, and on a real Postgres and S3."""

import json
import shutil
import sqlite3
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.remote_origin import InProcessCodeLocationOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    SensorInstigatorData,
    TickData,
    TickStatus,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from lakehouse_assets.orchestration import instance_search
from lakehouse_assets.orchestration.instance import opened
from lakehouse_assets.settings import Settings
from lakehouse_assets_tests.erasure.traces import decoded
from lakehouse_assets_tests.orchestration.postgres import Postgres
from lakehouse_assets_tests.s3_server import S3Server

pytestmark = [
    pytest.mark.slow,
    # Dagster follows a step's log with `tail`, and does not always wait for it to end.
    pytest.mark.filterwarnings("ignore:Exception ignored in.*Popen:pytest.PytestUnraisableExceptionWarning"),
]
VALUE = 'Zoë "Z" Quillfeather'
SPELT = (VALUE, json.dumps(VALUE)[1:-1], json.dumps(json.dumps(VALUE))[3:-3], repr(VALUE)[1:-1])
WAYS = ("config", "tag", "metadata", "nested", "check", "log", "print", "error")
ASSET = dg.AssetKey(["silver", "people"])


def holds(text: str) -> bool:
    return VALUE in text


@dg.op(config_schema={"way": str, "text": dg.Field(str, default_value="")})
def says(context: dg.OpExecutionContext) -> None:
    """Say the value in one way, beside what is innocent."""
    way = context.op_config["way"]
    context.log_event(dg.AssetMaterialization(ASSET, partition=f"of-{way}", metadata={"rows": 1}))
    if way == "metadata":
        row = dg.TableRecord({"name": VALUE})
        context.log_event(dg.AssetMaterialization(ASSET, partition="2011-03-01", metadata={
            "preview": dg.MetadataValue.table([row])}))  # fmt: skip
    elif way == "nested":
        context.log_event(dg.AssetObservation(ASSET, metadata={"json": {"deep": json.dumps([{VALUE: 1}])}}))
    elif way == "check":
        told = dg.AssetCheckEvaluation(ASSET, "known", passed=False, metadata={}, description=f"{VALUE} is unknown")
        context.log_event(told)  # type: ignore[arg-type] # as `events.evaluated` does
    elif way == "log":
        context.log.info(f"the record\n{VALUE}\nis odd")
    elif way == "print":
        print(f"printed {VALUE!r}", file=sys.stderr, flush=True)  # noqa: T201
    elif way == "error":
        raise ValueError(VALUE)


@dg.job
def saying() -> None:
    """One run."""
    says()


@dataclass
class Told:
    """An instance that was told the value, and all that is kept of it."""

    settings: Settings
    everything: Callable[[], Iterator[str]]

    def say(self, way: str) -> str:
        config = {"ops": {"says": {"config": {"way": way, "text": VALUE if way == "config" else ""}}}}
        with opened(self.settings) as instance:
            tags = {"who": VALUE} if way == "tag" else {}
            done = saying.execute_in_process(config, instance=instance, tags=tags, raise_on_error=False)
        return done.run_id

    def tick(self, text: str, cursor: str = "") -> None:
        """Keep the tick of a sensor that says something."""
        origin = RemoteRepositoryOrigin(
            InProcessCodeLocationOrigin(LoadableTargetOrigin(module_name="m", attribute="defs")), "r"
        ).get_instigator_origin("s")
        with opened(self.settings) as instance:
            if instance.get_instigator_state(origin.get_id(), origin.get_selector().get_id()) is None:
                data = SensorInstigatorData(cursor=cursor, min_interval=3)
                instance.add_instigator_state(
                    InstigatorState(origin, InstigatorType.SENSOR, InstigatorStatus.RUNNING, data)
                )
            instance.create_tick(
                TickData(
                    origin.get_id(), "s", InstigatorType.SENSOR, TickStatus.SKIPPED, 1.0, skip_reason=text,
                    selector_id=origin.get_selector().get_id(),
                )
            )  # fmt: skip

    def runs(self) -> set[str]:
        with opened(self.settings) as instance:
            return {run.run_id for run in instance.get_runs()}

    def kept(self) -> bool:
        """Return whether the value stands anywhere in what the instance keeps."""
        return any(one in text for text in self.everything() for one in SPELT)


LOGS = """
compute_logs:
  module: lakehouse_assets.orchestration.s3_logs
  class: LakehouseS3ComputeLogManager
  config: {{bucket: lake, prefix: {prefix}, skip_empty_files: true, local_dir: "{folder}"}}
"""


@pytest.fixture(params=["sqlite", "postgres"])
def told(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Told:
    settings = Settings(root=str(tmp_path / "lake"))
    home = settings.dagster_home
    database = f"d{uuid.uuid4().hex}"
    if request.param == "postgres":
        request.getfixturevalue("postgres").configure(home, database)
        s3: S3Server = request.getfixturevalue("s3_server")
        for name, value in s3.environment.items():
            monkeypatch.setenv(name, value)
        with (home / "dagster.yaml").open("a") as config:
            config.write(LOGS.format(prefix=database, folder=home / "logs"))

    def everything() -> Iterator[str]:
        for path in home.rglob("*"):
            if path.is_file():
                yield from decoded(path.read_bytes())
        if request.param == "postgres":
            server: Postgres = request.getfixturevalue("postgres")
            yield server.dump(database)
            client = request.getfixturevalue("s3_server").client()
            for one in client.list_objects_v2(Bucket="lake", Prefix=database).get("Contents", []):
                yield client.get_object(Bucket="lake", Key=one["Key"])["Body"].read().decode()

    return Told(settings, everything)


def test_every_run_that_says_it_is_deleted_and_no_other(told: Told) -> None:
    innocent = told.say("nothing")
    guilty = [told.say(way) for way in WAYS]
    told.tick(f"no file of {VALUE}")
    assert told.kept()

    looked = instance_search.forget(told.settings, holds, dry_run=True)
    assert (set(looked.runs), looked.ticks, looked.wiped, looked.left) == (set(guilty), 1, {ASSET}, [])
    assert told.runs() == {innocent, *guilty}

    done = instance_search.forget(told.settings, holds)

    assert (done.runs, done.ticks, done.wiped, done.left) == (looked.runs, 1, {ASSET}, [])
    assert told.runs() == {innocent}
    assert not told.kept()
    with opened(told.settings) as instance:
        assert "2011-03-01" in instance.get_materialized_partitions(ASSET)
    assert instance_search.forget(told.settings, holds) == instance_search.Searched()


def test_what_cannot_be_deleted_is_told(told: Told) -> None:
    told.tick("nothing new", cursor=VALUE)
    with opened(told.settings) as instance:
        config = {"ops": {"says": {"config": {"way": "nothing"}}}}
        run = instance.create_run_for_job(
            saying, run_config=config, tags={"who": VALUE}, status=dg.DagsterRunStatus.STARTED
        )
    [cursor_or_run, other] = sorted(instance_search.forget(told.settings, holds).left)
    assert (
        cursor_or_run
        == f"Dagster's run {run.run_id} holds the value and is under way; run the command again when it has ended."
    )
    assert other == "The cursor of Dagster's s holds the value; reset it in the UI."


def test_a_search_that_was_interrupted_is_repeated(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    guilty = told.say("metadata")
    for step in ("delete_run", "report_runless_asset_event"):
        with monkeypatch.context() as patch:
            patch.setattr(dg.DagsterInstance, step, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                instance_search.forget(told.settings, holds)
        assert told.runs() == {guilty}
    with monkeypatch.context() as patch:
        patch.setattr(instance_search, "_drop_deleted_bytes", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            instance_search.forget(told.settings, holds)
    assert told.runs() == set()
    assert instance_search.forget(told.settings, holds).left == []
    assert not told.kept()


def test_a_database_that_another_process_holds_is_told(tmp_path_factory: pytest.TempPathFactory) -> None:
    settings = Settings(root=str(tmp_path_factory.mktemp("held") / "lake"))
    with opened(settings):
        pass
    index = next(settings.dagster_home.rglob("index.db"))
    with closing(sqlite3.connect(index, isolation_level=None)) as other, pytest.MonkeyPatch.context() as patch:
        patch.setattr(instance_search, "_PATIENCE_S", 0.2)
        other.execute("BEGIN IMMEDIATE")
        [line] = instance_search._drop_deleted_bytes(settings)
        assert line.startswith(f"{index}: deleted bytes may still be in it (database is locked); stop Dagster")
    shutil.rmtree(settings.dagster_home)
