"""`lakehouse forget`: afterwards the person is nowhere, for good, and everything else is as it was."""

import hashlib
import subprocess
from pathlib import Path

import polars as pl
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.defs.automation.decisions import decision
from lakehouse_assets.orchestration.instance import opened, prepare_home
from lakehouse_assets.orchestration.resources import LakeResource
from lakehouse_assets.query import sql as answers
from lakehouse_assets.query.overview import status
from lakehouse_assets.query.tables import frames
from lakehouse_assets.query.verify import verify
from lakehouse_assets_tests.conftest import Cli, lake_at, uploaded
from lakehouse_assets_tests.erasure.everywhere import (
    AMONG,
    PERSON,
    both,
    first_landing,
    forget,
    march,
    second_landing,
)
from lakehouse_assets_tests.erasure.reading import IS_THEIRS, NAMED, not_forgotten, rows
from lakehouse_assets_tests.erasure.traces import objects_of, traces
from lakehouse_assets_tests.faults.conftest import EVERYTHING
from lakehouse_assets_tests.faults.reading import differences, tables_of
from lakehouse_assets_tests.faults.scenario import copy_of, environment, lakehouse
from lakehouse_assets_tests.prepared import Once
from lakehouse_assets_tests.retail import land, sales_csv, zipped

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def forgotten(village: Lake, once: Once) -> tuple[Lake, subprocess.CompletedProcess[str]]:
    """The village after an erasure, to be read or copied, and what the command said."""
    root, done = once(_forgotten, village.settings.root)
    return lake_at(root), done


def _forgotten(folder: Path, village: str) -> tuple[str, subprocess.CompletedProcess[str]]:
    lake = copy_of(lake_at(village), folder)
    return lake.settings.root, lakehouse(*NAMED, env=environment(lake))


@pytest.fixture
def after(forgotten: tuple[Lake, subprocess.CompletedProcess[str]], tmp_path: Path) -> Lake:
    """The village after an erasure, for a test to change."""
    return copy_of(forgotten[0], tmp_path)


@pytest.fixture(scope="module")
def before_on_s3(village: Lake, hamlet: Lake) -> Lake:
    """What is erased on S3, too. `FAULTS=all`: the whole village."""
    return village if EVERYTHING else hamlet


def test_after_it_the_person_is_nowhere_and_all_else_is_as_it_was(
    forgotten: tuple[Lake, subprocess.CompletedProcess[str]], village: Lake
) -> None:
    lake, done = forgotten
    assert done.returncode == 0, done.stdout + done.stderr
    assert PERSON not in done.stdout + done.stderr
    assert not_forgotten(lake, village) == []


def test_a_dry_run_counts_and_changes_nothing(village: Lake, tmp_path: Path, cli: Cli) -> None:
    lake = copy_of(village, tmp_path)
    prepare_home(lake.settings)  # the instance's configuration follows a lake that was moved
    before = {path: hashlib.sha256(data).digest() for path, data in objects_of(lake)}

    done = cli(lake, *NAMED, "--dry-run")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Dry run: nothing was erased." in done.stdout
    assert {path: hashlib.sha256(data).digest() for path, data in objects_of(lake)} == before
    counted = [line.split() for line in done.stdout.splitlines()]
    assert ["bronze", "records", "59"] in counted
    silver = frames(village)["silver.sales"].filter(IS_THEIRS["silver.sales"]).collect().height
    assert ["silver.sales", "records", str(silver)] in counted


def test_the_originals_landed_again_change_nothing(after: Lake, village: Lake, cli: Cli) -> None:
    lake = after
    before = tables_of(lake)

    force = {**first_landing(), **second_landing()}
    for key, data in force.items():
        land(lake, key, data)
    done = cli(lake, "run")

    assert "Traceback" not in done.stdout + done.stderr
    assert not_forgotten(lake, village) == []
    now = tables_of(lake)
    same = [name for name in before if not name.startswith(("ops.", "bronze."))]
    assert differences({name: now[name] for name in same}, {name: before[name] for name in same}) == []


def test_it_may_be_asked_twice(after: Lake, village: Lake, cli: Cli) -> None:
    lake = after

    force = cli(lake, "forget", "sales", f"customer_id= {PERSON} ")

    assert force.returncode == 0, force.stdout + force.stderr
    assert "No record of sales has this customer_id" in force.stdout
    assert not_forgotten(lake, village) == []
    assert answers.run(lake, "SELECT count(*) FROM ops.decisions WHERE kind = 'erase'").rows == [(1,)]


def test_others_decisions_hold_and_theirs_say_nothing_any_more(
    forgotten: tuple[Lake, subprocess.CompletedProcess[str]],
) -> None:
    lake, _ = forgotten
    decided = "SELECT kind, state, line, \"values\", why FROM ops.decisions WHERE kind <> 'erase' ORDER BY id"
    assert answers.run(lake, decided).rows == [
        ("release", "active", None, None, "the month is closed"),
        ("accept", "active", None, None, "the manifest is wrong"),
        ("pin", "active", None, None, "customer (erased) asked"),
        ("correct", "active", 28, '{"Quantity": "7"}', "the till prints .5"),
        ("correct", "active", None, None, "misread"),
        ("correct", "active", None, None, "a gift of (erased)."),
        ("discard", "active", None, None, "a test"),
        ("discard", "active", 3, None, "a test"),
    ]
    with_seven = "SELECT count(*) FROM silver.sales WHERE _source_key = 'corrected.csv' AND _line = 28 AND quantity = 7"
    assert answers.run(lake, with_seven).rows == [(1,)]


def test_dagster_was_told_nothing_of_them_and_keeps_all_runs_but_one_whose_reason_names_them(
    village: Lake, hamlet: Lake, tmp_path: Path, cli: Cli
) -> None:
    assert [path for path in traces(village, PERSON) if path.startswith(".dagster/")] == []
    lake = copy_of(hamlet, tmp_path)
    with opened(lake.settings) as instance:
        before = {run.run_id: len(instance.all_logs(run.run_id)) for run in instance.get_runs()}
        about = {"verb": "correct", "feed": "sales", "source_key": "plain.csv", "line": 1, "values": {"Quantity": "7"}}
        config = {"ops": {"decide": {"config": {**about, "why": f"as {PERSON} says", "who": "ann"}}}}
        resources = {"lakehouse": LakeResource(root=lake.settings.root)}
        typed = decision.execute_in_process(run_config=config, resources=resources, instance=instance)
    assert [path for path in traces(lake, PERSON) if path.startswith(".dagster/")]

    told = cli(lake, *NAMED)

    assert told.returncode == 0, told.stdout + told.stderr
    assert f"Dagster's run {typed.run_id} held the value and was deleted." in told.stdout
    assert traces(lake, PERSON) == []
    with opened(lake.settings) as instance:
        after = {run.run_id: len(instance.all_logs(run.run_id)) for run in instance.get_runs()}
    assert {run_id: after.get(run_id) for run_id in before} == before


def test_on_s3_it_is_the_same(before_on_s3: Lake, s3_lake: Lake, tmp_path: Path) -> None:
    large = {"LAKEHOUSE_INGEST_BATCH_BYTES": str(2**26), "LAKEHOUSE_PUBLISH_BATCH_ROWS": str(10**6)}
    uploaded(before_on_s3, s3_lake)
    assert len(traces(s3_lake, PERSON)) > 20

    done = lakehouse(*NAMED, env=environment(s3_lake, tmp_path / "dagster", **large))  # a commit costs more there

    assert done.returncode == 0, done.stdout + done.stderr
    assert not_forgotten(s3_lake, before_on_s3) == []


def test_what_nobody_can_look_into_is_told_and_the_rest_is_done(hamlet: Lake, tmp_path: Path, cli: Cli) -> None:
    lake = copy_of(hamlet, tmp_path)
    land(lake, "cut.zip", zipped({"a.csv": sales_csv(both(1))})[:-30])

    done = cli(lake, *NAMED)

    assert done.returncode == 1
    assert "not searched: cut.zip: the zip cannot be opened" in done.stdout
    assert status(lake).erasing
    lake.store.delete("landing/sales/cut.zip")
    assert cli(lake, *NAMED).returncode == 0
    assert traces(lake, PERSON) == []
    assert not status(lake).erasing


def test_an_erasure_taken_back_lets_the_originals_in_again(after: Lake, village: Lake, cli: Cli) -> None:
    lake = after
    [(erasure,)] = answers.run(lake, "SELECT id FROM ops.decisions WHERE kind = 'erase'").rows
    mine = pl.col("_source_key") == "plain.csv"
    without = rows(lake, "silver.sales", ~mine)

    cli(lake, "revoke", "sales", erasure, "--why", "it was somebody else")
    land(lake, "plain.csv", first_landing()["plain.csv"])
    assert cli(lake, "run").returncode == 0

    assert rows(lake, "silver.sales", ~mine) == rows(village, "silver.sales", ~mine)
    assert len(without) == len(rows(lake, "silver.sales", ~mine)) - 2
    assert list(verify(lake, deep=True)) == []


def test_nobody_decides_on_an_erased_record_or_brings_the_person_back(after: Lake, cli: Cli) -> None:
    erased = cli(after, "quarantine", "discard", "sales", "plain.csv", str(AMONG + 1), "--why", "a test")
    back = cli(after, "quarantine", "correct", "sales", "plain.csv", "1", "--set", f"CustomerID={PERSON}", "--why", "x")

    assert (erased.returncode, back.returncode) == (1, 1)
    assert "was erased, as a person asked" in erased.stderr
    assert "belong to a person who was erased" in back.stderr


@pytest.mark.parametrize(
    ("person", "told"),
    [
        ("customer_id", "is not of the form KEY=VALUE"),
        ("unit_price=3", "of sales does not identify a person (those that do are: customer_id)"),
        ("nothing=3", "of sales does not identify a person (those that do are: customer_id)"),
        ("country=France", "'country' of sales does not identify a person"),
        ("customer_id= ", "customer_id has no value"),
    ],
)
def test_a_request_that_identifies_nobody_is_refused_in_one_line(lake: Lake, cli: Cli, person: str, told: str) -> None:
    done = cli(lake, "forget", "sales", person)
    assert done.returncode == 1
    assert told in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert list(objects_of(lake)) == []


def test_in_an_empty_lake_it_is_a_standing_order(lake: Lake, cli: Cli) -> None:
    assert cli(lake, *NAMED).returncode == 0
    land(lake, "plain.csv", first_landing()["plain.csv"])
    assert cli(lake, "run").returncode == 0
    assert traces(lake, PERSON) == []
    assert answers.run(lake, "SELECT landed, valid, erased FROM ops.accounting ORDER BY part").rows == [
        (24, 24, 0),
        (2, 0, 2),
    ]


def test_verify_tells_of_a_person_who_is_back(lake: Lake) -> None:
    land(lake, "plain.csv", first_landing()["plain.csv"])
    forget(lake)
    [file] = Path(lake.settings.root).glob(f"bronze/sales/dt={march(1)}/*.parquet")
    back = pl.lit(f"{PERSON}.0").alias("CustomerID")
    pl.read_parquet(file, hive_partitioning=False).with_columns(back).write_parquet(file)

    told = [finding.what for finding in verify(lake)]

    assert any("holds records of an erased person" in what for what in told)


def test_what_a_late_writer_left_is_told_and_goes_when_asked_again(lake: Lake) -> None:
    original = first_landing()["plain.csv"]
    land(lake, "plain.csv", original)
    forget(lake)
    late = f"bronze/sales/dt={march(1)}/{hashlib.sha256(original).hexdigest()}.parquet"
    lake.store.create(late, PERSON.encode())

    assert [finding.what.partition(" is of an erased person")[0] for finding in verify(lake)] == [late]
    forget(lake)

    assert list(verify(lake, deep=True)) == []
    assert traces(lake, PERSON) == []
