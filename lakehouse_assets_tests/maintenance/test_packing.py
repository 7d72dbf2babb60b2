"""Packing: small bronze files of closed dates become few, and nothing else changes."""

import datetime as dt
from pathlib import Path

import duckdb
import polars as pl
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.maintenance import packing
from lakehouse_assets.maintenance.maintain import KEEP_PACKED, PACK, REMOVE_PACKED
from lakehouse_assets.maintenance.policy import Policy
from lakehouse_assets.pipeline import packs
from lakehouse_assets.pipeline.gate import PUBLISHED
from lakehouse_assets.query.verify import verify
from lakehouse_assets.storage import delta
from lakehouse_assets_tests.faults.conftest import IN_FULL
from lakehouse_assets_tests.maintenance import aging
from lakehouse_assets_tests.maintenance.aging import assert_sound, done
from lakehouse_assets_tests.maintenance.packed import (
    NOW,
    bronze,
    land_minutes,
    minute,
    packs_of,
    publish_minutes,
    read_again,
    told,
)
from lakehouse_assets_tests.retail import DAY, ingest, land, publish, run, sales


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["lake", pytest.param("s3_lake", marks=[pytest.mark.slow, IN_FULL])])
def test_many_small_files_become_one_pack_and_no_answer_changes(kind: str, request: pytest.FixtureRequest) -> None:
    lake: Lake = request.getfixturevalue(kind)
    publish_minutes(lake, 6)
    before, marks = aging.content(lake), aging.fingerprints(lake)

    assert told(lake, Policy()) == {PACK: 6, KEEP_PACKED: 6}
    assert len(bronze(lake)) == 7
    aging.assert_same(before, aging.content(lake))
    assert told(lake, NOW) == {REMOVE_PACKED: 6}
    [path] = bronze(lake)
    assert packs.is_pack(path)
    aging.assert_same(before, aging.content(lake))
    assert aging.fingerprints(lake) == marks
    assert_sound(lake)
    assert publish(lake, force=True)[DAY].verdict == PUBLISHED
    aging.assert_same(before, aging.content(lake))
    assert told(lake, NOW) == {}


@pytest.mark.slow
def test_a_dry_run_says_what_would_be_packed_and_writes_nothing(lake: Lake) -> None:
    publish_minutes(lake, 6)
    before = aging.bytes_of(lake)
    assert [(a.action, a.files) for a in done(lake, dry_run=True) if a.table == "bronze.sales"] == [(PACK, 6)]
    assert aging.bytes_of(lake) == before


def test_open_dates_and_few_files_are_left_alone(lake: Lake) -> None:
    land_minutes(lake, 4)
    today = lake.today(sales(lake))
    recent = str(today - dt.timedelta(days=3))
    land_minutes(lake, 6, date=recent)
    ingest(lake)
    assert told(lake, Policy()) == {}
    assert told(lake, Policy(pack_after=dt.timedelta(days=2))) == {PACK: 6, KEEP_PACKED: 6}


@pytest.mark.slow
def test_late_objects_lie_beside_the_pack_until_there_are_many(lake: Lake) -> None:
    publish_minutes(lake, 6)
    done(lake, NOW)
    [first] = packs_of(lake)
    land_minutes(lake, 2, first=6)
    assert list(run(lake)) == [DAY]
    assert told(lake, NOW) == {}
    assert (packs_of(lake), len(bronze(lake))) == ({first}, 3)
    land_minutes(lake, 2, first=8)
    run(lake)
    before = aging.content(lake)
    assert told(lake, NOW) == {PACK: 5, REMOVE_PACKED: 4, KEEP_PACKED: 1}
    [second] = packs_of(lake)
    assert len(bronze(lake)) == 2, "the old pack stays for readers under way"
    for path in (Path(lake.store.uri(path)) for path in bronze(lake)):
        assert path.stem in {first, second}
    aging.assert_same(before, aging.content(lake))
    assert_sound(lake)


@pytest.mark.slow
def test_a_pack_is_never_larger_than_one_object_may_be(lake: Lake) -> None:
    publish_minutes(lake, 8)
    before = aging.content(lake)
    size = Path(lake.store.uri(bronze(lake)[0])).stat().st_size
    done(lake, Policy(dt.timedelta(), below_seven_days=True, small_bytes=4 * size + 100))
    files = packs.known(lake.store, "sales").group_by("pack").len()["len"]
    assert sorted(files) == [4, 4]
    aging.assert_same(before, aging.content(lake))
    assert_sound(lake)


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["cut", "gone", "of others"])
def test_a_damaged_pack_is_named_and_made_anew_from_the_originals(lake: Lake, damage: str) -> None:
    publish_minutes(lake, 6)
    done(lake, NOW)
    before, [path] = aging.content(lake), bronze(lake)
    if damage == "cut":
        lake.store.replace(path, lake.store.read(path)[:100])
    elif damage == "gone":
        lake.store.delete(path)
    else:
        file = Path(lake.store.uri(path))
        frame = pl.read_parquet(file)
        frame.filter(pl.col("_source_hash") != frame["_source_hash"][0]).write_parquet(file)
    assert any(path in str(one) and "lakehouse run bronze.sales" in str(one) for one in verify(lake))
    assert told(lake, NOW) == {}, "what is damaged is not packed"

    read_again(lake)

    assert_sound(lake)
    columns = pl.exclude("_ingested_at", "ingested_at", "run_id", "version", "object_token")
    aging.assert_same({"silver.sales": before["silver.sales"]}, {"silver.sales": aging.content(lake)["silver.sales"]})
    rows = [content["bronze.sales"].select(columns) for content in (before, aging.content(lake))]
    assert rows[0].sort(rows[0].columns).equals(rows[1].sort(rows[1].columns))


@pytest.mark.slow
def test_an_erasure_meanwhile_makes_packing_begin_anew(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    publish_minutes(lake, 6)
    write, turns = packs.write, iter([True])

    def beaten(*arguments: object) -> None:
        if next(turns, False):
            packing.take_out(lake, sales(lake), lambda _: False)
        write(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(packs, "write", beaten)
    done(lake, Policy())
    assert len(packs_of(lake)) == 1
    assert len(bronze(lake)) == 7, "the pack of the attempt that was beaten is gone"
    assert_sound(lake)


@pytest.mark.slow
def test_the_join_for_athena_counts_each_live_record_once_at_any_moment(lake: Lake) -> None:
    """With DuckDB in the place of Athena: Parquet by folder, and the two tables as their logs say."""

    page = (Path(__file__).parents[2] / "docs" / "aws.md").read_text()
    [sql] = [block for block in page.split("```") if "lake_bronze.sales b" in block]
    sql = sql.removeprefix("sql").replace("b.dt", "CAST(b.dt AS VARCHAR)")

    def counted() -> int:
        connection = duckdb.connect()
        for table in ("ledger", "packs"):
            rows = delta.rows(lake.store, delta.opened(lake.store, f"ops/{table}")).collect()
            connection.register(table, rows)
        files = lake.store.uri("bronze/sales/*/*.parquet")
        found = connection.read_parquet(files, filename=True, union_by_name=True, hive_partitioning=True)
        connection.register("bronze", found)
        [[count]] = connection.execute(
            sql.replace("lake_ops.", "").replace("lake_bronze.sales", "bronze").replace('"$path"', "filename")
        ).fetchall()
        return int(count)

    land_minutes(lake, 6)
    land(lake, "alias.csv", minute(0))
    run(lake)
    land(lake, f"{DAY}-0005.csv", minute(50))
    run(lake)
    packs.opened(lake.store)
    for policy, files in ((None, 7), (Policy(), 8), (NOW, 1)):
        if policy is not None:
            done(lake, policy)
        assert (len(bronze(lake)), counted()) == (files, 18)
