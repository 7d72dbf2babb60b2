"""A person's value goes from a real Dagster instance, byte for byte, and the instance stays whole."""

import gzip
import json
import pickle
import time
import zipfile
from pathlib import Path

import pytest

from lakehouse_assets.orchestration import redaction
from lakehouse_assets.orchestration.instance import prepare_home
from lakehouse_assets.orchestration.redaction import Redaction
from lakehouse_assets.orchestration.scrubbing import Scrubbed, scrub
from lakehouse_assets_tests.orchestration.person_told import (
    EVENTS,
    MARK,
    NUMBER,
    ODD,
    PLAIN,
    REDACT,
    ToldLake,
    hashes,
    redacting,
    shown,
    traces,
)

pytestmark = [
    pytest.mark.slow,
    # Dagster follows a step's log with `tail`, and does not always wait for it to end.
    pytest.mark.filterwarnings("ignore:Exception ignored in.*Popen:pytest.PytestUnraisableExceptionWarning"),
]


def test_the_value_is_gone_and_all_that_was_shown_is_still_shown(told: ToldLake) -> None:
    before = shown(told)
    assert len(traces(told.home)) >= 9

    done = scrub(told.home, REDACT)

    assert (traces(told.home), done.unsearched) == ([], [])
    after = shown(told)
    assert traces(told.home) == []
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


def test_the_mark_stands_where_the_value_was_and_numbers_stay(told: ToldLake) -> None:
    scrub(told.home, REDACT)

    now = shown(told)
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


def test_a_number_as_value_leaves_the_numbers_ids_and_times_alone(told: ToldLake) -> None:
    with told.instance() as instance:
        [record] = instance.get_run_records(limit=1)
        moment = f"{record.create_timestamp:%H}"
    before = shown(told)

    done = scrub(told.home, redacting(str(NUMBER), moment))

    assert done.unsearched == []
    after = shown(told)
    assert [run[:2] for run in after["runs"]] == [run[:2] for run in before["runs"]]
    assert [entry.timestamp for entry in after["events"]] == [entry.timestamp for entry in before["events"]]
    latest = after["latest"][0].asset_materialization
    assert latest.metadata["number"].value == NUMBER
    assert latest.tags["dagster/priority"] == str(NUMBER)
    assert any(entry.user_message == f"{MARK} lines of {ODD} at 2011-03-01 08:26:00" for entry in after["events"])


def test_words_of_dagster_stay_where_it_needs_them(told: ToldLake) -> None:
    before = shown(told)

    done = scrub(told.home, redacting("ASSET_MATERIALIZATION", "DagsterEvent", "FAILURE", "SENSOR", "message"))

    assert done.unsearched == []
    after = shown(told)
    assert [run[:2] for run in after["runs"]] == [run[:2] for run in before["runs"]]
    assert [(entry.dagster_event_type, entry.timestamp) for entry in after["events"]] == [
        (entry.dagster_event_type, entry.timestamp) for entry in before["events"]
    ]
    assert len(after["materializations"]) == len(before["materializations"])


def test_what_dagster_could_not_read_with_a_mark_is_told(told: ToldLake, monkeypatch: pytest.MonkeyPatch) -> None:
    before = shown(told)
    monkeypatch.setattr(redaction, "_is_readable", lambda text: "erased" not in text)

    done = scrub(told.home, REDACT)

    assert any(
        ": event of row " in line and "holds the value where Dagster needs it" in line for line in done.unsearched
    )
    assert [run[3] for run in shown(told)["runs"]] == [run[3] for run in before["runs"]]


def test_a_dry_run_counts_the_same_and_changes_no_byte(told: ToldLake) -> None:
    before, names = hashes(told.home), sorted(told.home.rglob("*"))

    counted = scrub(told.home, REDACT, dry_run=True)

    assert (hashes(told.home), sorted(told.home.rglob("*"))) == (before, names)
    assert counted.changed
    assert scrub(told.home, REDACT) == counted
    assert scrub(told.home, REDACT) == Scrubbed()
    assert scrub(told.home, REDACT, dry_run=True) == Scrubbed()


def test_a_dry_run_reads_what_a_running_instance_has_not_yet_checkpointed(told: ToldLake) -> None:
    with told.instance() as instance:
        instance.add_dynamic_partitions("customers", ["else", f"{PLAIN}.0"])
        assert any(path.stat().st_size for path in told.home.rglob("index.db-wal"))
        before = hashes(told.home)
        counted = scrub(told.home, REDACT, dry_run=True)
        assert hashes(told.home) == before
        assert scrub(told.home, REDACT) == counted
        assert traces(told.home) == []


def test_no_home_is_nothing_to_do(tmp_path: Path) -> None:
    assert scrub(tmp_path / "none", REDACT) == Scrubbed()
    assert list(tmp_path.iterdir()) == []


def test_what_was_deleted_or_overwritten_is_gone_too(told: ToldLake) -> None:
    with told.instance() as instance:
        run_id = told.run()
        instance.delete_run(run_id)
        instance.delete_dynamic_partition("customers", PLAIN)
        for run in instance.get_runs():
            instance.add_run_tags(run.run_id, {"customer": "x", "about": "y"})
    scrub(told.home, REDACT)
    assert traces(told.home) == []


def test_values_in_files_of_every_kind(told: ToldLake) -> None:
    storage = told.home / "storage"
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
    (told.home / "core").write_bytes(b"\0\xff" + PLAIN.encode())
    (told.home / "hidden.gz").write_bytes(gzip.compress(PLAIN.encode() * 100)[:-9])
    (told.home / "broken.db").write_bytes(b"\0\xff")

    counted = scrub(told.home, REDACT, dry_run=True)
    done = scrub(told.home, REDACT)

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
    core, hidden, broken = (told.home / name for name in ("core", "hidden.gz", "broken.db"))
    assert [line.split(": ")[0] for line in done.unsearched] == [str(broken), str(core), str(hidden)]
    for path in (hidden, *storage.glob("fine*")):
        path.unlink()
    assert traces(told.home) == [str(core)]
    assert not any(PLAIN in line for line in [*done.unsearched, *done.changed])
    prepare_home(told.settings)


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


def test_a_linked_folder_is_scrubbed_and_a_circle_of_links_ends(told: ToldLake, tmp_path: Path) -> None:
    (told.home / "history").rename(tmp_path / "elsewhere")
    (told.home / "history").symlink_to(tmp_path / "elsewhere")
    (told.home / "storage" / "circle").symlink_to(told.home)
    assert scrub(told.home, REDACT).unsearched == []
    assert traces(tmp_path / "elsewhere") == traces(told.home / "storage") == []


def test_ten_thousand_events_take_seconds(told: ToldLake) -> None:
    told.run(repeat=EVENTS)
    begun = time.monotonic()
    done = scrub(told.home, REDACT)
    assert time.monotonic() - begun < 20
    assert sum(done.changed.values()) > EVENTS
    assert traces(told.home) == []
    assert len(shown(told)["events"]) > EVENTS


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
