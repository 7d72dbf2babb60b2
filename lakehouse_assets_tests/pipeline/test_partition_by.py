"""`partition_by`: a partition holds a month or a year of business dates, named by its first day."""

import datetime as dt
from pathlib import Path
from typing import Any

import dataframely as dy
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import ContractError, Feed, Model
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.decisions import kinds
from lakehouse_assets.decisions.recorded import record
from lakehouse_assets.operations import decision_commands
from lakehouse_assets.operations.computing import partitions_to_force
from lakehouse_assets.pipeline.accounting import scan_accounting
from lakehouse_assets.pipeline.pending import FeedState
from lakehouse_assets.query.verify import verify
from lakehouse_assets_tests.faults.conftest import IN_FULL
from lakehouse_assets_tests.pipeline.declared import feed_of, lake_of, put, stored
from lakehouse_assets_tests.retail import build, ingest, publish

COLUMNS = {"sold_at": dy.Datetime(time_zone="UTC", nullable=False), "units": dy.Int64(nullable=False, min=0)}


def sales(**options: Any) -> Feed:
    declared = {"business_date": "sold_at", "time_zone": "Europe/London", "partition_by": "month"}
    return feed_of(COLUMNS, **declared | options)


def sold(*times: str, units: int = 1) -> list[dict[str, Any]]:
    return [{"sold_at": time, "units": units} for time in times]


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize("where", ["folder", pytest.param("s3", marks=[pytest.mark.slow, IN_FULL])])
def test_a_partition_holds_a_month(where: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    root = tmp_path if where == "folder" else request.getfixturevalue("s3_lake").settings.root
    lake = lake_of(root, sales(gate=0.5))
    records = sold("2026-03-01 00:00:00", "2026-03-31 23:59:59", "2026-04-01 00:00:00", "2026-03-31T22:59:00Z", "never")
    outcomes = put(lake, {"a.json": [*records, *sold("2026-03-15 10:00:00", units=-1)]})
    assert {name: (o.verdict, o.valid, o.quarantined) for name, o in outcomes.items()} == {
        "2026-03-01": ("published", 3, 1), "2026-04-01": ("published", 1, 0), "undated": ("outside", 0, 1),
    }  # fmt: skip
    assert [date for (date,) in stored(lake, "silver", "dt")] == [
        dt.date(2026, 3, 1), dt.date(2026, 3, 1), dt.date(2026, 4, 1), dt.date(2026, 3, 1),
    ]  # fmt: skip
    assert stored(lake, "quarantine", "_line", "dt") == [(5, None), (6, dt.date(2026, 3, 1))]
    assert scan_accounting(lake.store).collect().height == 3
    assert list(put(lake, {"late.json": sold("2026-04-30 12:00:00")})) == ["2026-04-01"]
    assert list(verify(lake, deep=True)) == []


def test_a_year_is_a_partition_too(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, sales(partition_by="year"))
    assert list(put(lake, {"a.json": sold("2024-02-29 12:00:00", "2024-12-31 12:00:00", "2025-01-01 12:00:00")})) == [
        "2024-01-01", "2025-01-01",
    ]  # fmt: skip


@pytest.mark.slow(covered=True)
def test_a_feed_that_is_declared_by_month_later_moves_its_records(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, sales(partition_by="day"))
    put(lake, {"a.json": sold("2026-03-02 12:00:00", "2026-03-05 12:00:00")})
    by_month = Lake(lake.store, lake.settings, Registry([sales()], []))
    ingest(by_month, feed="things")
    publish(by_month, feed="things")
    assert stored(by_month, "silver", "dt", "units") == [(dt.date(2026, 3, 1), 1)] * 2
    assert publish(by_month, feed="things") == {}
    assert list(verify(by_month, deep=True)) == []


@pytest.mark.slow(covered=True)
def test_a_correction_moves_a_record_into_the_month_that_it_says(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, feed := sales())
    put(lake, {"a.json": sold("2026-03-02 12:00:00", "2026-03-05 12:00:00")})
    values = {"sold_at": "2026-05-17 12:00:00"}
    record(lake.store, decision_commands.correct(lake, feed, "a.json", 1, values, "typing error"))
    publish(lake, feed="things")
    assert stored(lake, "silver", "_line", "dt") == [(1, dt.date(2026, 5, 1)), (2, dt.date(2026, 3, 1))]


@pytest.mark.slow(covered=True)
def test_late_data_and_expiry_look_at_the_last_day_of_the_month(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, feed := sales(late_data_window=40, time_zone="UTC"))
    today = lake.today(feed)
    first = today.replace(day=1)
    put(lake, {"now.json": sold(f"{first} 00:00:01"), "old.json": sold("2020-01-31 12:00:00")})
    assert lake.ledger_of(feed).refused["source_key"].to_list() == ["old.json"]
    before = (first.replace(day=28) + dt.timedelta(days=4)).replace(day=1)
    for limit, expired in ((today, False), (before, True)):
        decision = kinds.new(kinds.Expire, "things", "why", None, before=str(limit))
        state = FeedState.read(lake, feed, lake.ledger_of(feed), (decision,))
        assert state.is_expired(str(first)) is expired


class Monthly(dy.Schema):
    """Units of a month."""

    dt = dy.Date(primary_key=True)
    units = dy.Int64(nullable=False)


def _model(folder: Path, query: str, name: str = "monthly", **options: Any) -> Model:
    file = folder / f"{name}.sql"
    file.write_text(query)
    declared: dict[str, Any] = {"schema": Monthly, "description": "Units.", "owner": "team:x", "date": "dt"}
    return Model(name=name, sql=file, **declared | options)


UNITS = "SELECT dt, sum(units)::BIGINT AS units FROM silver.things GROUP BY dt"


@pytest.mark.slow
def test_a_model_by_date_over_months_is_built_month_by_month(tmp_path: Path) -> None:
    lake = lake_of(tmp_path / "lake", feed := sales())
    lake = Lake(lake.store, lake.settings, Registry([feed], [_model(tmp_path, UNITS)]))
    put(lake, {"a.json": sold("2026-03-02 12:00:00", "2026-03-05 12:00:00", "2026-04-05 12:00:00")})
    assert [built.rows for built in build(lake)["monthly"]] == [{"2026-03-01": 1, "2026-04-01": 1}]
    put(lake, {"b.json": sold("2026-04-06 12:00:00")})
    assert [built.rows for built in build(lake)["monthly"]] == [{"2026-04-01": 1}]
    assert list(verify(lake)) == []


def test_a_model_by_date_reads_tables_of_one_period(tmp_path: Path) -> None:
    daily = sales(name="others", partition_by="day")
    second = _model(tmp_path, "SELECT dt, units FROM gold.monthly JOIN silver.others USING (dt)", "mixed")
    with pytest.raises(ContractError, match=r"mixed\.sql reads tables by day and by month, and gold\.mixed is built"):
        Registry([sales(), daily], [_model(tmp_path, UNITS), second])
    whole = _model(tmp_path, "SELECT dt, units FROM gold.monthly JOIN silver.others USING (dt)", "mixed", date=None)
    Registry([sales(), daily], [_model(tmp_path, UNITS), whole])


def test_a_range_of_dates_chooses_the_months_that_it_touches(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, sales())
    put(lake, {"a.json": sold("2026-03-02 12:00:00", "2026-04-05 12:00:00", "2026-05-05 12:00:00")})
    found = partitions_to_force(lake, ["silver.things"], dt.date(2026, 3, 15), dt.date(2026, 4, 1))
    assert found == {"silver/things": ["2026-03-01", "2026-04-01"]}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"partition_by": "week"}, '"day", "month" or "year"'),
        ({"business_date": None}, "for a feed with a business_date"),
        ({"start_date": dt.date(2026, 3, 15)}, "such as 2026-03-01"),
        ({"partition_by": "year", "start_date": dt.date(2026, 3, 1)}, "such as 2026-01-01"),
    ],
)
def test_a_senseless_declaration_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ContractError, match="feed 'things': ") as error:
        sales(**options)
    assert said in str(error.value)


def test_days_are_the_default_and_change_no_version() -> None:
    plain = feed_of(COLUMNS, business_date="sold_at")
    by_day = feed_of(COLUMNS, business_date="sold_at", partition_by="day")
    assert (plain.version, plain.reading_version) == (by_day.version, by_day.reading_version)
    by_month = feed_of(COLUMNS, business_date="sold_at", partition_by="month")
    assert by_month.version != plain.version
    assert by_month.reading_version != plain.reading_version
