"""A real Dagster instance that was told of a person's values in every way, and what is read of it afterwards."""

import gzip
import hashlib
import json
import os
import re
import sqlite3
import sys
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
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

from lakehouse_assets.defs.automation.decisions import decision
from lakehouse_assets.orchestration.instance import prepare_home
from lakehouse_assets.orchestration.resources import resources_at
from lakehouse_assets.settings import Settings

MARK, NUMBER = "(erased)", 17850
PLAIN, ODD = "C17850Z", 'Zoë "Z" O\\Neil'
EVENTS = 10_000


def redacting(*values: str) -> Callable[[str], str]:
    """Return a redaction as the caller makes it: values as tokens of their own, with `.0` behind them or without."""
    either = "|".join(re.escape(value) for value in values)
    token = re.compile(rf"(?<![0-9A-Za-z_.:+-])(?:{either})(\.0)?(?![0-9A-Za-z_+-]|\.[0-9])")
    return lambda text: token.sub(MARK, text)


REDACT = redacting(PLAIN, ODD)


@dg.op(config_schema={"who": dg.Field(str, default_value=PLAIN), "repeat": dg.Field(int, default_value=1)})
def says(context: dg.OpExecutionContext) -> str:
    """Say the values in every way an op has."""
    for who in (PLAIN, ODD):
        print(f"printed {who}")  # noqa: T201
        print(f"printed {who!r}", file=sys.stderr)  # noqa: T201
        context.log.info(f"logged {who} and {json.dumps({'who': who})}\n{who} \n\t{who}")
        nested = json.dumps({"deep": json.dumps([who, NUMBER, {who: f"\n{who}"}])})
        context.log_event(
            dg.AssetMaterialization(
                dg.AssetKey(["customers"]),
                description=f"about {who}",
                partition=who,
                tags={"customer": PLAIN, "dagster/priority": str(NUMBER)},
                metadata={
                    "text": who,
                    "nested": nested,
                    "json": {who: [who, NUMBER, 1.0]},
                    "markdown": dg.MetadataValue.md(f"- {who}\n- {who}.0"),
                    "number": NUMBER,
                    "real": float(NUMBER),
                    who: dg.MetadataValue.path(f"/data/{who}"),
                },
            )
        )
        context.log_event(
            dg.AssetCheckEvaluation(  # type: ignore[arg-type] # as `events.evaluated` does
                dg.AssetKey(["customers"]), "known", passed=False, description=f"{who} is unknown"
            )
        )
    for _ in range(context.op_config["repeat"]):
        context.log.info(f"{NUMBER} lines of {context.op_config['who']} at 2011-03-01 08:26:00")
    return f"{PLAIN} and {ODD}"


@dg.op
def fails(said: str) -> None:
    msg = f"cannot use {said!r}"
    raise ValueError(msg) from KeyError(said)


class ToldLake:
    """A folder with an instance."""

    def __init__(self, root: Path) -> None:
        os.environ.pop("DAGSTER_HOME", None)  # of the lake before
        self.settings = Settings(root=str(root))
        self.home = prepare_home(self.settings)

    @contextmanager
    def instance(self) -> Iterator[dg.DagsterInstance]:
        with dg.DagsterInstance.from_config(str(self.home)) as instance:
            yield instance

    def run(self, **config: object) -> str:
        """Run a job whose config, output, logs, events, tags and error all hold the values."""
        storage = dg.FilesystemIOManager(base_dir=str(self.home / "storage"))

        @dg.job(resource_defs={"io_manager": storage}, tags={"default": PLAIN})
        def telling() -> None:
            fails(says())

        with self.instance() as instance:
            ran = telling.execute_in_process(
                instance=instance,
                raise_on_error=False,
                run_config={"ops": {"says": {"config": {"who": ODD} | config}}, "loggers": _QUIET},
                tags={"customer": ODD, "about": json.dumps({"ids": [PLAIN]}), "dagster/max_retries": "3"},
            )
            assert not ran.success
            return ran.run_id

    def decide(self) -> str:
        """Run the project's own job on the values."""
        about = {"verb": "correct", "feed": "sales", "why": f"{ODD} asked", "who": PLAIN, "source_key": f"{PLAIN}.csv"}
        config = {"ops": {"decide": {"config": about | {"line": 2, "values": {"CustomerID": PLAIN, "Name": ODD}}}}}
        with self.instance() as instance:
            ran = decision.execute_in_process(
                instance=instance,
                raise_on_error=False,
                run_config=config | {"loggers": _QUIET},
                resources=resources_at(self.settings.root),
            )
            assert not ran.success
            return ran.run_id

    def tick(self) -> None:
        """Leave a sensor's state, its tick, a dynamic partition and a cursor, with the values."""
        with self.instance() as instance:
            origin = RemoteRepositoryOrigin(InProcessCodeLocationOrigin(LoadableTargetOrigin(module_name="m")), "r")
            sensor = origin.get_instigator_origin("landing_sensor")
            data = SensorInstigatorData(cursor=json.dumps({"sales": f"{PLAIN}.csv", "other": ODD}))
            state = InstigatorState(sensor, InstigatorType.SENSOR, InstigatorStatus.RUNNING, data)
            instance.add_instigator_state(state)
            instance.create_tick(
                TickData(
                    instigator_origin_id=state.instigator_origin_id,
                    instigator_name="landing_sensor",
                    instigator_type=InstigatorType.SENSOR,
                    status=TickStatus.SKIPPED,
                    timestamp=time.time(),
                    selector_id=state.selector_id,
                    skip_reason=f"{ODD} and {PLAIN} are given up",
                    cursor=data.cursor,
                )
            )
            instance.add_dynamic_partitions("customers", [PLAIN, ODD, MARK])
            instance.run_storage.set_cursor_values({PLAIN: ODD})


_QUIET = {"console": {"config": {"log_level": "CRITICAL"}}}


def spellings(value: str) -> set[bytes]:
    """Return the ways in which bytes may spell a value, JSON within JSON included."""
    found, said = (
        {value.encode(), value.encode("latin-1"), value.encode("utf-16-le"), repr(value)[1:-1].encode()},
        value,
    )
    for _ in range(4):
        said = json.dumps(said)[1:-1]
        found.add(said.encode())
    return found


SPELT = spellings(PLAIN) | spellings(ODD)


def traces(home: Path) -> list[str]:
    """Return where the values still are: in the bytes of any file, or in what those hold compressed."""
    return [str(path) for path in sorted(home.rglob("*")) if path.is_file() and any(map(_trace, _insides(path)))]


def _trace(data: bytes) -> bool:
    return any(spelt in data for spelt in SPELT)


def _insides(path: Path) -> Iterator[bytes]:
    data = path.read_bytes()
    yield path.name.encode()
    yield data
    if data.startswith(b"\x1f\x8b"):
        yield gzip.decompress(data)
    if data.startswith(b"PK"):
        with zipfile.ZipFile(path) as archive:
            yield from (archive.read(name) for name in archive.namelist())
    if data.startswith(b"SQLite format 3"):
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
            for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                for row in database.execute(f"SELECT * FROM {table}"):  # noqa: S608
                    for cell in row:
                        yield str(cell).encode()
                        if isinstance(cell, bytes):
                            yield zlib.decompress(cell)


def hashes(home: Path) -> dict[str, str]:
    """Return a digest of each file's bytes; not of SQLite's shared memory, in which readers note that they read."""
    files = (path for path in sorted(home.rglob("*")) if path.is_file() and not path.name.endswith("-shm"))
    return {str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def shown(lake: ToldLake) -> dict[str, list[Any]]:
    """Return all that the instance shows, deserialized: by kind, in order."""
    with lake.instance() as instance:
        runs = [record.dagster_run for record in instance.get_run_records(ascending=True)]
        customers = dg.AssetKey(["customers"])
        return {
            "runs": [(run.run_id, run.status, run.job_name, run.run_config, run.tags) for run in runs],
            "events": [entry for run in runs for entry in instance.all_logs(run.run_id)],
            "snapshots": [instance.get_job_snapshot(run.job_snapshot_id) for run in runs if run.job_snapshot_id],
            "plans": [
                instance.get_execution_plan_snapshot(run.execution_plan_snapshot_id)
                for run in runs
                if run.execution_plan_snapshot_id
            ],
            "materializations": list(instance.fetch_materializations(customers, limit=100).records),
            "latest": [instance.get_latest_materialization_event(customers)],
            "assets": [*instance.all_asset_keys(), *instance.get_asset_records()],
            "checks": list(
                instance.event_log_storage.get_asset_check_execution_history(dg.AssetCheckKey(customers, "known"), 9)
            ),
            "ticks": [
                tick
                for state in instance.all_instigator_state()
                for tick in [state, *instance.get_ticks(state.instigator_origin_id, state.selector_id)]
            ],
            "partitions": sorted(instance.get_dynamic_partitions("customers")),
        }
