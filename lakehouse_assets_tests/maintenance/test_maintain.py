"""Maintenance changes files, never answers: whatever it does, every query and every fingerprint stay."""

import datetime as dt
import shutil
from pathlib import Path

import duckdb
import polars as pl
import pytest
from deltalake import DeltaTable

from lakehouse_assets.catalog.duckdb_views import rebuild
from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.partitioning import Partitioning
from lakehouse_assets.decisions.recorded import Decisions, record
from lakehouse_assets.maintenance.maintain import Action
from lakehouse_assets.maintenance.policy import Policy, PolicyError
from lakehouse_assets.pipeline import accounting
from lakehouse_assets.pipeline.pins import pin
from lakehouse_assets.storage import delta, delta_files
from lakehouse_assets.storage.schema_evolution import open_table
from lakehouse_assets_tests.maintenance import aging
from lakehouse_assets_tests.maintenance.aging import DAYS, EVERYTHING, assert_sound, data_files, done, live_files, put
from lakehouse_assets_tests.retail import build, ingest, land, publish, run, sales, sales_csv

NOW = Policy(dt.timedelta(), below_seven_days=True)
CROWDED = ("silver/sales", "gold/daily_metrics")


def told(actions: list[Action], table: str) -> dict[str, int]:
    """Return files by action of one table."""
    return {action.action: action.files for action in actions if action.table == table}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["lake", "s3_lake"])
def test_all_of_it_leaves_every_answer_and_fingerprint_equal(kind: str, request: pytest.FixtureRequest) -> None:
    lake: Lake = request.getfixturevalue(kind)
    aging.history(lake, rounds=2 if lake.settings.is_s3 else 5)
    before, marks = aging.content(lake), aging.fingerprints(lake)
    for path in CROWDED:
        aging.group(lake, path)
    aging.assert_same(before, aging.content(lake))
    assert all(len(live_files(lake, path)) > 3 * 4 for path in CROWDED)
    actions = done(lake, NOW)
    assert {a.action for a in actions if a.table == "silver.sales"} == {"compact", "vacuum", "checkpoint"}
    assert all(len(live_files(lake, path)) == 3 for path in CROWDED)
    aging.assert_same(before, aging.content(lake))
    assert aging.fingerprints(lake) == marks
    assert_sound(lake)
    assert done(lake, NOW) == []
    aging.assert_same(before, aging.content(lake))
    assert aging.fingerprints(lake) == marks


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["year", "part"])
def test_the_accounts_of_a_feed_are_compacted_under_the_marks_of_its_dates(lake: Lake, layout: str) -> None:
    if layout == "part":  # as an earlier version made the table
        columns = accounting.TABLE.types
        open_table(lake.store, accounting.TABLE.path, columns, Partitioning.SNAPSHOT, ("feed", "part"))
    aging.history(lake)
    aging.group(lake, "ops/accounting")
    before, marks = aging.content(lake), delta.fingerprints(lake.store, "ops/accounting")
    assert marks.keys() == {f"sales/{day}" for day in DAYS}
    done(lake, EVERYTHING)
    assert len(live_files(lake, "ops/accounting")) == (1 if layout == "year" else len(DAYS))
    last = max((Path(lake.settings.root) / "ops/accounting/_delta_log").glob("*.json")).read_text()
    assert all(f'"appId":"{name}"' in last for name in marks), "a publisher of these dates has to conflict with it"
    aging.assert_same(before, aging.content(lake))
    land(lake, "late.csv", sales_csv(30, DAYS[0]))
    assert list(run(lake)) == [DAYS[0]]
    assert_sound(lake)


@pytest.mark.slow
def test_a_new_file_after_it_changes_its_date_and_nothing_else(lake: Lake) -> None:
    aging.history(lake)
    aging.group(lake, "silver/sales")
    done(lake, NOW)
    done(lake, NOW)
    land(lake, "late.csv", sales_csv(30, DAYS[0]))
    assert list(run(lake)) == [DAYS[0]]
    assert_sound(lake)


@pytest.mark.slow
def test_today_and_dates_with_few_files_are_not_compacted(lake: Lake) -> None:
    today = str(lake.today(sales(lake)))
    aging.history(lake, days=[DAYS[0], DAYS[1], today])
    aging.group(lake, "silver/sales")
    land(lake, "again.csv", sales_csv(30, DAYS[1]))
    run(lake)
    others = {path for path in live_files(lake, "silver/sales") if DAYS[0] not in path}
    assert told(done(lake), "silver.sales")["compact"] == 6
    after = set(live_files(lake, "silver/sales"))
    assert others == {path for path in after if DAYS[0] not in path}
    assert [len(others), len(after)] == [1 + 6, 1 + 6 + 1]


@pytest.mark.slow
def test_large_files_do_not_make_a_date_crowded(lake: Lake) -> None:
    aging.history(lake)
    aging.group(lake, "silver/sales")
    size = max(delta_files.file_sizes(lake.store, "silver/sales").values())
    assert "compact" not in told(done(lake, Policy(small_bytes=1)), "silver.sales")
    assert told(done(lake, Policy(small_bytes=size + 1)), "silver.sales")["compact"] == 18


@pytest.mark.slow
def test_a_dry_run_changes_no_byte_and_tells_what_a_real_run_does(lake: Lake) -> None:
    aging.history(lake)
    for path in CROWDED:
        aging.group(lake, path)
    rebuild(lake)
    DeltaTable(lake.store.uri("gold/daily_sales")).create_checkpoint()
    aging.age(lake, 40)
    put(lake, "silver/sales/dt=2011-03-01/part-orphan.parquet", 8)
    put(lake, f"bronze/sales/dt={DAYS[0]}/{'0' * 64}.parquet", 8)
    put(lake, "landing/sales/.abc.tmp", 8)
    before = aging.bytes_of(lake)
    planned = done(lake, dry_run=True)
    assert aging.bytes_of(lake) == before
    assert {a.action for a in planned} == {
        "compact",
        "rebuild",
        "vacuum",
        "trim the log",
        "checkpoint",
        "remove orphans",
    }
    assert done(lake) == planned
    assert aging.bytes_of(lake) != before


def test_a_lake_in_which_nothing_was_done_needs_nothing_and_stays_empty(lake: Lake) -> None:
    assert done(lake, dry_run=True) == done(lake) == []
    assert not Path(lake.store.root).exists()


@pytest.mark.slow
@pytest.mark.parametrize(("days", "gone"), [(6.9, False), (7.1, True)])
def test_vacuum_removes_what_was_let_go_of_more_than_a_week_ago(lake: Lake, days: float, *, gone: bool) -> None:
    aging.history(lake)
    aging.age(lake, days)
    before, live = data_files(lake, "silver/sales"), live_files(lake, "silver/sales")
    assert len(before) == 9
    assert told(done(lake), "silver.sales").get("vacuum", 0) == (6 if gone else 0)
    assert data_files(lake, "silver/sales") == (live if gone else before)


@pytest.mark.slow
def test_vacuum_goes_by_when_a_file_was_let_go_of_not_by_its_age(lake: Lake) -> None:
    aging.history(lake, rounds=1)
    aging.age(lake, 30)
    land(lake, "late.csv", sales_csv(30, DAYS[0]))
    run(lake)
    old = delta.opened(lake.store, "silver/sales", 1)
    assert "vacuum" not in told(done(lake), "silver.sales")
    assert delta.rows(lake.store, old).select(pl.len()).collect().item() == 60


@pytest.mark.slow
def test_what_a_checkpoint_forgot_is_vacuumed_by_what_older_log_entries_tell(lake: Lake) -> None:
    aging.history(lake)
    aging.age(lake, 9)
    table = DeltaTable(lake.store.uri("silver/sales"))
    table.create_checkpoint()
    assert DeltaTable(lake.store.uri("silver/sales")).vacuum(0, enforce_retention_duration=False) == []
    assert told(done(lake, Policy(dt.timedelta(days=12))), "silver.sales") == {}
    assert told(done(lake), "silver.sales") == {"vacuum": 6}
    assert data_files(lake, "silver/sales") == live_files(lake, "silver/sales")


def test_less_than_seven_days_has_to_be_confirmed() -> None:
    with pytest.raises(PolicyError, match=r"breaks readers that are under way.*Nothing was done; say --below-seven"):
        Policy(dt.timedelta(hours=167))
    assert Policy(dt.timedelta(hours=168)) == Policy()


@pytest.mark.slow
def test_log_entries_of_a_month_stay_and_so_does_the_checkpoint_they_rest_on(lake: Lake) -> None:
    path, log = "silver/sales", Path(lake.store.uri("silver/sales/_delta_log"))
    land(lake, "a.csv", sales_csv())
    ingest(lake)
    for _ in range(24):  # a checkpoint is written at 19
        publish(lake, force=True)
        aging.age(lake, 2, path)
    build(lake)
    # Version v is now 2 x (24 - v) days old; 30 days ago was version 9, which no checkpoint precedes.
    assert "trim the log" not in told(done(lake), "silver.sales")
    aging.age(lake, 21, path)  # now it is version 20
    marks = delta.fingerprints(lake.store, path)
    assert told(done(lake), "silver.sales")["trim the log"] == 19
    names = sorted(file.name for file in log.glob("0*"))
    assert names[0] == f"{19:020}.checkpoint.parquet"
    for version in range(19, 25):
        assert DeltaTable(lake.store.uri(path), version=version).version() == version
    assert delta.fingerprints(lake.store, path) == marks
    assert_sound(lake)


@pytest.mark.slow
def test_the_catalog_answers_after_what_it_named_was_vacuumed(lake: Lake) -> None:
    aging.history(lake)
    aging.group(lake, "silver/sales")
    rebuild(lake)
    assert told(done(lake, NOW), "silver.sales")["vacuum"] >= 18
    with duckdb.connect(lake.store.uri("catalog.duckdb"), read_only=True) as catalog:
        assert catalog.sql("SELECT count(*) FROM silver.sales").fetchall() == [(66,)]
    assert_sound(lake)


@pytest.mark.slow
def test_what_a_waiting_pin_will_read_stays_until_it_is_restored(lake: Lake) -> None:
    aging.history(lake)
    feed = sales(lake)
    marks = delta.fingerprints(lake.store, feed.silver.path)
    record(lake.store, pin(lake, feed.silver, 1, list(marks), marks, "the first files were right", "a"))
    assert Decisions.load(lake.store, "sales").active
    assert told(done(lake, NOW), "silver.sales")["vacuum, once pinned dates are restored"] == 6
    publish(lake)
    build(lake)
    assert aging.content(lake)["silver.sales"].height == 60
    assert told(done(lake, NOW), "silver.sales")["vacuum"] == 9
    assert aging.content(lake)["silver.sales"].height == 60
    assert_sound(lake)


@pytest.mark.slow
def test_a_table_whose_log_cannot_be_read_is_told_and_the_others_are_done(lake: Lake) -> None:
    aging.history(lake)
    aging.age(lake, 8)
    entry = f"gold/daily_sales/_delta_log/{2:020}.json"
    put(lake, entry, 8, b'{"add": {"pa')
    before = data_files(lake, "gold/daily_sales")
    actions = done(lake)
    [problem] = [action for action in actions if action.problem]
    assert problem.table == "gold.daily_sales"
    assert problem.action.startswith("left alone: its Delta log cannot be read (")
    assert data_files(lake, "gold/daily_sales") == before
    assert told(actions, "gold.daily_metrics")["vacuum"] == 6


@pytest.mark.slow
def test_a_folder_without_a_delta_log_and_a_table_of_an_older_revision_keep_their_data(lake: Lake) -> None:
    aging.history(lake, rounds=1)
    shutil.copytree(lake.store.uri("silver/sales"), lake.store.uri("silver/sales.r9"))
    shutil.copytree(lake.store.uri("silver/sales"), lake.store.uri("gold/lost"))
    shutil.rmtree(lake.store.uri("gold/lost/_delta_log"))
    aging.age(lake, 40, "silver/sales.r9")
    aging.age(lake, 40, "gold/lost")
    actions = done(lake)
    assert told(actions, "gold/lost (not declared)") == {"left alone: it has no Delta log": 3}
    assert told(actions, "silver/sales.r9 (not declared)") == {"checkpoint": 2}
    assert data_files(lake, "gold/lost") == data_files(lake, "silver/sales.r9") == live_files(lake, "silver/sales")


@pytest.mark.slow
def test_a_checkpoint_that_cannot_be_written_is_told_and_the_other_tables_get_theirs(lake: Lake) -> None:
    aging.history(lake, rounds=1)
    log = Path(lake.store.uri("gold/daily_sales/_delta_log"))
    newest = max(log.glob("*.json"))
    newest.with_suffix(".checkpoint.parquet").mkdir()
    actions = done(lake)
    [problem] = [action for action in actions if action.problem]
    assert (problem.table, problem.action[:26]) == ("gold.daily_sales", "no checkpoint was written ")
    assert "checkpoint" not in told(actions, "gold.daily_sales")
    assert told(actions, "gold.daily_metrics")["checkpoint"] > 0
