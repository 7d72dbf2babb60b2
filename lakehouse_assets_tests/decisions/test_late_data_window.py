"""A feed with a window for late data takes older records by decision only; one without a window takes them always."""

import datetime as dt

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets_tests.decisions.manifests import live, promise, reasons
from lakehouse_assets_tests.decisions.person import quantities, settle, sound, with_feed
from lakehouse_assets_tests.retail import day, land, line, sales, sales_csv, zipped

WINDOW = 30


@pytest.fixture
def lake(lake: Lake) -> Lake:
    return with_feed(lake, late_data_window=WINDOW)


def ago(lake: Lake, days: int) -> str:
    return str(lake.today(sales(lake)) - dt.timedelta(days=days))


@pytest.mark.slow
def test_records_of_the_last_day_of_the_window_are_taken(lake: Lake) -> None:
    land(lake, "drop.csv", sales_csv([*day(ago(lake, WINDOW)), *day(ago(lake, 0))]))
    settle(lake)
    assert (reasons(lake), live(lake)) == ({}, {"drop.csv": 6})
    sound(lake)


@pytest.mark.slow
def test_one_record_older_than_the_window_holds_its_object_with_all_its_records(lake: Lake) -> None:
    old, recent = ago(lake, WINDOW + 1), ago(lake, 1)
    land(lake, "drop.csv", sales_csv([*day(recent, 60), *day(old, 1)]))
    land(lake, "other.csv", sales_csv(2, recent))
    settle(lake)
    assert reasons(lake) == {
        "drop.csv": f"it has records of {old}, older than the {WINDOW} days in which late data is taken; "
        "accept it with `lakehouse accept`, or land it without them."
    }
    assert (live(lake), quantities(lake, recent)) == ({"other.csv": 2}, [1, 2])
    sound(lake)


@pytest.mark.slow
def test_the_last_good_version_stays_while_a_late_one_is_held_and_one_without_them_releases_it(lake: Lake) -> None:
    old, recent = ago(lake, 400), ago(lake, 1)
    land(lake, "drop.csv", sales_csv(2, recent))
    settle(lake)
    land(lake, "drop.csv", sales_csv([*day(recent, 3), *day(old)]))
    settle(lake)
    assert (list(reasons(lake)), quantities(lake, recent)) == (["drop.csv"], [1, 2])
    land(lake, "drop.csv", sales_csv(3, recent))
    settle(lake)
    assert (reasons(lake), quantities(lake, recent)) == ({}, [1, 2, 3])
    sound(lake)


@pytest.mark.slow(covered=True)
def test_a_late_member_holds_its_zip(lake: Lake) -> None:
    members = {"a.csv": sales_csv(2, ago(lake, 1)), "b.csv": sales_csv(2, ago(lake, WINDOW + 1))}
    land(lake, "drop.zip", zipped(members))
    settle(lake)
    assert (live(lake), set(reasons(lake))) == ({}, {"drop.zip!a.csv", "drop.zip!b.csv"})


@pytest.mark.slow(covered=True)
def test_undated_and_future_records_are_not_late(lake: Lake) -> None:
    records = [line(InvoiceDate="yesterday"), line(InvoiceDate="2999-01-01 10:00:00"), *day(ago(lake, 1))]
    land(lake, "drop.csv", sales_csv(records))
    settle(lake)
    assert (reasons(lake), live(lake)) == ({}, {"drop.csv": 5})


@pytest.mark.slow
def test_without_a_window_a_file_400_days_late_is_taken(lake: Lake) -> None:
    lake = with_feed(lake, late_data_window=None)
    old = ago(lake, 400)
    land(lake, "drop.csv", sales_csv(2, old))
    settle(lake)
    assert (reasons(lake), quantities(lake, old)) == ({}, [1, 2])
    sound(lake)


@pytest.mark.slow
def test_an_object_that_was_taken_in_time_stays_when_its_manifest_comes_after_the_window(lake: Lake) -> None:
    old = ago(lake, 400)
    then = with_feed(lake, late_data_window=None)  # 400 days ago, every record was in time
    land(then, "drop.csv", sales_csv(2, old))
    settle(then)
    promise(lake, "drop.csv.manifest.json", rows=2)
    settle(lake)
    assert (reasons(lake), quantities(lake, old)) == ({}, [1, 2])
    sound(lake)
