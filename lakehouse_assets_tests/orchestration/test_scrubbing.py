"""A person's value goes from a real Dagster instance, byte for byte, and the instance stays whole."""

import functools
import gzip
import hashlib
import json
import os
import pickle
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

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

from lakehouse_assets.defs.decisions import decision
from lakehouse_assets.orchestration import redaction, scrubbed_database
from lakehouse_assets.orchestration.instance import prepare_home
from lakehouse_assets.orchestration.redaction import Redaction
from lakehouse_assets.orchestration.resources import LakeResource
from lakehouse_assets.orchestration.scrubbing import Scrubbed, scrub
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


class _Lake:
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
                resources={"lakehouse": LakeResource(root=self.settings.root)},
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


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake whose instance has been told of the values in every way."""
    lake = _Lake(tmp_path_factory.mktemp("told") / "lake")
    for _ in range(2):
        lake.run()
    lake.decide()
    lake.tick()
    return Path(lake.settings.root)


@pytest.fixture
def lake(told: Path, tmp_path: Path) -> _Lake:
    """A copy of it."""
    shutil.copytree(told, tmp_path / "lake")
    return _Lake(tmp_path / "lake")


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


def shown(lake: _Lake) -> dict[str, list[Any]]:
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


def test_the_value_is_gone_and_all_that_was_shown_is_still_shown(lake: _Lake) -> None:
    before = shown(lake)
    assert len(traces(lake.home)) >= 9

    done = scrub(lake.home, REDACT)

    assert (traces(lake.home), done.unsearched) == ([], [])
    after = shown(lake)
    assert traces(lake.home) == []
    assert {kind: len(those) for kind, those in after.items()} == {kind: len(those) for kind, those in before.items()}
    assert [run[:3] for run in after["runs"]] == [run[:3] for run in before["runs"]]
    for one, other in zip(before["events"], after["events"], strict=True):
        assert (one.run_id, one.timestamp, one.level, one.step_key) == (
            other.run_id,
            other.timestamp,
            other.level,
            other.step_key,
        )
    assert done.changed["history/runs/index.db"] > 4
    assert sum(name.startswith("storage/") for name in done.changed) == 6


def test_the_mark_stands_where_the_value_was_and_numbers_stay(lake: _Lake) -> None:
    scrub(lake.home, REDACT)

    now = shown(lake)
    said, _, decided = (config["ops"] for *_, config, _ in now["runs"])
    assert said["says"]["config"] == {"who": MARK}
    assert decided["decide"]["config"]["values"] == {"CustomerID": MARK, "Name": MARK}
    assert decided["decide"]["config"]["why"] == f"{MARK} asked"
    tags = now["runs"][0][-1]
    assert (tags["customer"], tags["about"], tags["dagster/max_retries"]) == (MARK, f'{{"ids": ["{MARK}"]}}', "3")
    metadata = now["latest"][0].asset_materialization.metadata
    assert metadata["number"].value == NUMBER
    assert metadata["real"].value == float(NUMBER)
    assert metadata["json"].value == {MARK: [MARK, NUMBER, 1.0]}
    assert metadata["markdown"].value == f"- {MARK}\n- {MARK}"
    assert json.loads(json.loads(metadata["nested"].value)["deep"]) == [MARK, NUMBER, {MARK: f"\n{MARK}"}]
    assert metadata[MARK].value == f"/data/{MARK}"
    assert now["partitions"] == [MARK, f"{MARK} ", f"{MARK}  "]
    assert [tick.tick_data.skip_reason for tick in now["ticks"][1:]] == [f"{MARK} and {MARK} are given up"]


def test_a_number_as_value_leaves_the_numbers_ids_and_times_alone(lake: _Lake) -> None:
    with lake.instance() as instance:
        [record] = instance.get_run_records(limit=1)
        moment = f"{record.create_timestamp:%H}"
    before = shown(lake)

    done = scrub(lake.home, redacting(str(NUMBER), moment))

    assert done.unsearched == []
    after = shown(lake)
    assert [run[:2] for run in after["runs"]] == [run[:2] for run in before["runs"]]
    assert [entry.timestamp for entry in after["events"]] == [entry.timestamp for entry in before["events"]]
    latest = after["latest"][0].asset_materialization
    assert latest.metadata["number"].value == NUMBER
    assert latest.tags["dagster/priority"] == str(NUMBER)
    assert any(entry.user_message == f"{MARK} lines of {ODD} at 2011-03-01 08:26:00" for entry in after["events"])


def test_words_of_dagster_stay_where_it_needs_them(lake: _Lake) -> None:
    before = shown(lake)

    done = scrub(lake.home, redacting("ASSET_MATERIALIZATION", "DagsterEvent", "FAILURE", "SENSOR", "message"))

    assert done.unsearched == []
    after = shown(lake)
    assert [run[:2] for run in after["runs"]] == [run[:2] for run in before["runs"]]
    assert [(entry.dagster_event_type, entry.timestamp) for entry in after["events"]] == [
        (entry.dagster_event_type, entry.timestamp) for entry in before["events"]
    ]
    assert len(after["materializations"]) == len(before["materializations"])


def test_what_dagster_could_not_read_with_a_mark_is_left_and_told(lake: _Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    before = shown(lake)
    monkeypatch.setattr(redaction, "_is_readable", lambda text: "erased" not in text)

    done = scrub(lake.home, REDACT)

    assert any(
        ": event of row " in line and "holds the value where Dagster needs it" in line for line in done.unsearched
    )
    assert [run[3] for run in shown(lake)["runs"]] == [run[3] for run in before["runs"]]


def test_a_dry_run_counts_the_same_and_changes_no_byte(lake: _Lake) -> None:
    before, names = hashes(lake.home), sorted(lake.home.rglob("*"))

    counted = scrub(lake.home, REDACT, dry_run=True)

    assert (hashes(lake.home), sorted(lake.home.rglob("*"))) == (before, names)
    assert counted.changed
    assert scrub(lake.home, REDACT) == counted
    assert scrub(lake.home, REDACT) == Scrubbed()
    assert scrub(lake.home, REDACT, dry_run=True) == Scrubbed()


def test_a_dry_run_reads_what_a_running_instance_has_not_yet_checkpointed(lake: _Lake) -> None:
    with lake.instance() as instance:
        instance.add_dynamic_partitions("customers", ["else", f"{PLAIN}.0"])
        assert any(path.stat().st_size for path in lake.home.rglob("index.db-wal"))
        before = hashes(lake.home)
        counted = scrub(lake.home, REDACT, dry_run=True)
        assert hashes(lake.home) == before
        assert scrub(lake.home, REDACT) == counted
        assert traces(lake.home) == []


def test_no_home_is_nothing_to_do(tmp_path: Path) -> None:
    assert scrub(tmp_path / "none", REDACT) == Scrubbed()
    assert list(tmp_path.iterdir()) == []


def test_what_was_deleted_or_overwritten_is_gone_too(lake: _Lake) -> None:
    with lake.instance() as instance:
        run_id = lake.run()
        instance.delete_run(run_id)
        instance.delete_dynamic_partition("customers", PLAIN)
        for run in instance.get_runs():
            instance.add_run_tags(run.run_id, {"customer": "x", "about": "y"})
    scrub(lake.home, REDACT)
    assert traces(lake.home) == []


def test_values_in_files_of_every_kind(lake: _Lake) -> None:
    storage = lake.home / "storage"
    (storage / f"customers/{PLAIN}").mkdir(parents=True)
    (storage / f"customers/{PLAIN}/{PLAIN}.csv").write_text("fine")
    latin, packed, several = storage / "a.out", storage / "b.err.gz", storage / "c.zip"
    latin.write_bytes(f"one\r\n{ODD}\xff\r\n".encode("latin-1"))
    latin.chmod(0o640)
    packed.write_bytes(gzip.compress(f"two {ODD}\n".encode()))
    with zipfile.ZipFile(several, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("in.log", f"three {PLAIN}.0")
        archive.writestr("other.log", "four")
    outputs = {}
    for protocol in range(6):
        outputs[storage / f"old{protocol}"] = pickle.dumps(["x" * 300, {"who": ODD}, PLAIN, "q"], protocol)
        outputs[storage / f"fine{protocol}"] = pickle.dumps(["x" * 300, f"{PLAIN}1"], protocol)
    outputs[storage / "wide.txt"] = f"five {PLAIN}".encode("utf-16")
    for path, content in outputs.items():
        path.write_bytes(content)
    (lake.home / "dagster.yaml").write_text((lake.home / "dagster.yaml").read_text() + f"# of {PLAIN}\n")
    (lake.home / "core").write_bytes(b"\0\xff" + PLAIN.encode())
    (lake.home / "hidden.gz").write_bytes(gzip.compress(PLAIN.encode() * 100)[:-9])
    (lake.home / "broken.db").write_bytes(b"\0\xff")

    counted = scrub(lake.home, REDACT, dry_run=True)
    done = scrub(lake.home, REDACT)

    assert counted == done
    assert latin.read_bytes() == f"one\r\n{MARK}\xff\r\n".encode("latin-1")
    assert latin.stat().st_mode & 0o777 == 0o640
    assert gzip.decompress(packed.read_bytes()).decode() == f"two {MARK}\n"
    with zipfile.ZipFile(several) as archive:
        assert (archive.read("in.log").decode(), archive.read("other.log").decode()) == (f"three {MARK}", "four")
    assert [path.name for path in outputs if path.exists() and path.name.startswith("fine")] == [
        f"fine{protocol}" for protocol in range(6)
    ]
    assert (storage / f"customers/{MARK}/{MARK}.csv").read_text() == "fine"
    core, hidden, broken = (lake.home / name for name in ("core", "hidden.gz", "broken.db"))
    assert [line.split(": ")[0] for line in done.unsearched] == [str(broken), str(core), str(hidden)]
    for path in (hidden, *storage.glob("fine*")):
        path.unlink()
    assert traces(lake.home) == [str(core)]
    assert not any(PLAIN in line for line in [*done.unsearched, *done.changed])
    prepare_home(lake.settings)


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (
            "storage: {postgres: {postgres_url: postgresql://u@h/d}}",
            "runs, events, ticks are kept by dagster_postgres, which was not",
        ),
        ("storage: {mysql: {mysql_url: mysql://u@h/d}}", "runs, events, ticks are kept by dagster_mysql, "),
        (
            "event_log_storage: {module: dagster_postgres.event_log, class: PostgresEventLogStorage, config: {}}",
            "the instance's events are kept by dagster_postgres, which was not searched",
        ),
        (
            "storage: {sqlite: {base_dir: /elsewhere}}",
            "events are kept in /elsewhere/history/runs/, which was not",
        ),
        ("storage: {sqlite: {base_dir: {env: PLACE_OF_DAGSTER}}}", "runs, events, ticks are kept in /by/environment"),
        ("compute_logs: {module: dagster_aws.s3.compute_log_manager, class: S3ComputeLogManager}", "logs are kept by"),
        ("storage: [", "dagster.yaml: cannot be read (ParserError)"),
    ],
)
def test_what_is_kept_elsewhere_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: str, told: str
) -> None:
    monkeypatch.setenv("PLACE_OF_DAGSTER", "/by/environment")
    (tmp_path / "dagster.yaml").write_text(config)
    done = scrub(tmp_path, REDACT)
    assert told in "\n".join(done.unsearched)


def test_a_linked_folder_is_scrubbed_and_a_circle_of_links_ends(lake: _Lake, tmp_path: Path) -> None:
    (lake.home / "history").rename(tmp_path / "elsewhere")
    (lake.home / "history").symlink_to(tmp_path / "elsewhere")
    (lake.home / "storage" / "circle").symlink_to(lake.home)
    assert scrub(lake.home, REDACT).unsearched == []
    assert traces(tmp_path / "elsewhere") == traces(lake.home / "storage") == []


@contextmanager
def holding(database: Path, *statements: str) -> Iterator[sqlite3.Connection]:
    """Hold a database as another process would."""
    with closing(sqlite3.connect(database, isolation_level=None, check_same_thread=False)) as other:
        for statement in statements:
            other.execute(statement).fetchone()
        yield other


@pytest.mark.parametrize("mode", ["WAL", "DELETE", "PERSIST", "TRUNCATE"])
def test_an_open_database_of_any_mode_is_scrubbed(lake: _Lake, mode: str) -> None:
    index = lake.home / "history/runs/index.db"
    with holding(
        index, f"PRAGMA journal_mode = {mode}", "UPDATE asset_keys SET last_run_id = 'x'", "SELECT * FROM asset_keys"
    ):
        assert scrub(lake.home, REDACT).unsearched == []
        assert traces(lake.home) == []
    assert traces(lake.home) == []


@pytest.mark.parametrize("lock", ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE", "BEGIN"])
def test_a_lock_of_a_second_is_waited_for(lake: _Lake, lock: str) -> None:
    index = lake.home / "history/runs/index.db"
    with holding(index, lock, "SELECT * FROM asset_keys") as other:
        timer = threading.Timer(1, lambda: other.execute("COMMIT"))
        timer.start()
        assert scrub(lake.home, REDACT).unsearched == []
        timer.join()
        assert traces(lake.home) == []


@pytest.mark.parametrize("lock", ["BEGIN IMMEDIATE", "BEGIN"])
def test_a_lock_that_stays_is_told_and_the_rest_is_scrubbed(
    lake: _Lake, lock: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scrubbed_database, "_PATIENCE", 0.3)
    index = lake.home / "history/runs/index.db"
    with holding(index, lock, "SELECT * FROM asset_keys"):
        [line] = scrub(lake.home, REDACT).unsearched
        assert line.startswith(f"{index}: another process keeps it locked")
        assert {Path(path).name.removesuffix("-wal") for path in traces(lake.home)} <= {"index.db"}
    assert scrub(lake.home, REDACT).unsearched == []
    assert traces(lake.home) == []


def test_a_damaged_database_is_told(lake: _Lake) -> None:
    index = lake.home / "history/runs/index.db"
    index.write_bytes(index.read_bytes()[:4096] + b"\xff" * 200_000)
    [line] = scrub(lake.home, REDACT).unsearched
    assert line.startswith(f"{index}: cannot be used (")
    [line] = scrub(lake.home, REDACT, dry_run=True).unsearched
    assert line.startswith(f"{index}: cannot be used (")


def test_runs_go_on_while_the_instance_is_scrubbed(lake: _Lake) -> None:
    failures: list[BaseException] = []
    stop = threading.Event()

    def work() -> None:
        try:
            with lake.instance() as instance:
                while not stop.is_set():
                    instance.add_dynamic_partitions("others", [str(time.monotonic_ns())])
                    lake.decide()
        except BaseException as error:  # noqa: BLE001 - told by the test
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        for _ in range(5):
            assert scrub(lake.home, redacting(ODD)).unsearched == []
    finally:
        stop.set()
        thread.join()
    assert failures == []
    assert scrub(lake.home, REDACT).unsearched == []
    assert traces(lake.home) == []


_SCRUBS_AND_IS_KILLED = """
import functools, os, pathlib, signal, sqlite3, sys
from lakehouse_assets_tests.orchestration.test_scrubbing import REDACT
from lakehouse_assets.orchestration import scrubbing
def counted(original):
    def call(*args):
        global left
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*args)
    return call
class Database(sqlite3.Connection):
    execute = counted(sqlite3.Connection.execute)
for at, home in enumerate(sys.argv[1:]):
    left = 60 + 55 * at
    if child := os.fork():
        os.waitpid(child, 0)
    else:
        sqlite3.connect = functools.partial(sqlite3.connect, factory=Database)
        pathlib.Path.replace = counted(pathlib.Path.replace)
        scrubbing.scrub(pathlib.Path(home), REDACT)
        os._exit(0)
"""


@pytest.mark.slow
def test_a_scrub_that_is_killed_at_any_moment_is_repeated(lake: _Lake, tmp_path: Path) -> None:
    whole, copies = shown(lake), []
    for at in range(8):
        shutil.copytree(lake.settings.root, tmp_path / f"copy{at}")
        copies.append(_Lake(tmp_path / f"copy{at}"))
    command = [sys.executable, "-c", _SCRUBS_AND_IS_KILLED, *(str(copy.home) for copy in copies)]
    subprocess.run(command, cwd=Path(__file__).parents[2], check=True)
    left = [len(traces(copy.home)) for copy in copies]
    for copy in copies:
        done = scrub(copy.home, REDACT)
        assert (traces(copy.home), done.unsearched) == ([], [])
        assert len(shown(copy)["events"]) == len(whole["events"])
        assert list(copy.home.rglob("*.scrubbing")) == []
    assert len({some for some in left if some}) > 3, left


def test_after_an_interrupted_scrub_clean_databases_are_written_anew_too(
    lake: _Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    rewritten: list[str] = []
    interruptions = iter([False, False, True])

    class Database(sqlite3.Connection):
        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            if sql == "VACUUM":
                rewritten.append(Path(super().execute("PRAGMA database_list").fetchone()[2]).name)
                if next(interruptions, False):
                    raise KeyboardInterrupt
            return super().execute(sql, *values)

    monkeypatch.setattr(sqlite3, "connect", functools.partial(sqlite3.connect, factory=Database))
    with pytest.raises(KeyboardInterrupt):
        scrub(lake.home, REDACT)
    databases = {path.name for path in lake.home.rglob("*.db")}
    assert scrub(lake.home, REDACT).unsearched == []
    assert set(rewritten[3:]) == databases

    del rewritten[:]
    scrub(lake.home, REDACT)
    assert set(rewritten) == {"index.db", "runs.db", "schedules.db"}


@pytest.mark.slow
def test_ten_thousand_events_take_seconds(lake: _Lake) -> None:
    lake.run(repeat=EVENTS)
    begun = time.monotonic()
    done = scrub(lake.home, REDACT)
    assert time.monotonic() - begun < 20
    assert sum(done.changed.values()) > EVENTS
    assert traces(lake.home) == []
    assert len(shown(lake)["events"]) > EVENTS


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("", ""),
        (PLAIN, MARK),
        (f" {PLAIN} ", f" {MARK} "),
        (f'"{PLAIN}"', f'"{MARK}"'),
        (json.dumps(ODD), f'"{MARK}"'),
        (f'{{"a": 1.10, "b": "{PLAIN}", "c": 12345678901234567890}}', None),
        ('{"a": 1.10,  "b": "x"}', '{"a": 1.10,  "b": "x"}'),
        (f"[{PLAIN}", f"[{MARK}"),
        (f'{{"{PLAIN}": 1, "{MARK}": 2}}', f'{{"{MARK} ": 1, "{MARK}": 2}}'),
        (f"{{'a': {ODD!r}}}", f"{{'a': {MARK!r}}}"),
        (f"said {json.dumps(json.dumps([ODD]))}", None),
        ("[" * 5000 + "]" * 5000, "[" * 5000 + "]" * 5000),
        ('{"__class__": "C17850Z", "C17850Z": "C17850Z", "e": {"__enum__": "C17850Z"}}', None),
        ('["\\ud800", "C17850Z"]', '["\\ud800", "(erased)"]'),
    ],
    ids=lambda text: str(text)[:30],
)
def test_a_text_is_redacted_in_its_own_form(text: str, clean: str | None) -> None:
    found = Redaction(REDACT).text(text)
    if clean is not None:
        assert found == clean
    assert Redaction(REDACT).text(found) == found
