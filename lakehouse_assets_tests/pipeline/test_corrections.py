"""A correction gives a record other raw values, for good, wherever the record belongs by them."""

from dataclasses import replace

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.operations.decision_commands import correct, discard, waive
from lakehouse_assets_tests.decisions.person import (
    GOOD,
    NEXT,
    ask,
    bad_day,
    bad_line,
    findings,
    landed,
    quantities,
    quarantined,
    sales_of,
    settle,
    sound,
    take,
    with_feed,
)
from lakehouse_assets_tests.retail import DAY, build, land, line, publish, sales_csv, zipped

BAD = GOOD + 1
"""Line of the first bad record of `bad_day`."""


@pytest.mark.slow
def test_a_corrected_value_is_published_and_shows_in_gold(lake: Lake) -> None:
    land(lake, "day.csv", bad_day(bad_line(UnitPrice="10.00")))
    settle(lake, gold=True)
    assert quarantined(lake) == {("day.csv", BAD): ["quantity_readable"]}
    before = sales_of(lake)

    take(lake, correct, "day.csv", BAD, {"Quantity": "6"})
    settle(lake, gold=True)

    assert quarantined(lake) == {}
    assert sales_of(lake) == "4726.5000"  # 1830 units at 2.55, and 6 at 10.00
    assert before == "4666.5000"
    assert sound(lake)[DAY] == (BAD, BAD, 0, 0, 0, BAD, 0)


@pytest.mark.slow
def test_a_valid_record_can_be_corrected(lake: Lake) -> None:
    landed(lake, [("day.csv", sales_csv(3))])
    take(lake, correct, "day.csv", 2, {"Quantity": "700"})
    settle(lake)
    assert quantities(lake) == [1, 3, 700]
    assert sound(lake)[DAY].valid == 3


@pytest.mark.slow
def test_an_empty_value_is_no_value(lake: Lake) -> None:
    landed(lake, [("day.csv", sales_csv(2))])
    take(lake, correct, "day.csv", 1, {"CustomerID": None, "Description": None})
    settle(lake)
    rows = ask(lake, "SELECT _line, customer_id, description FROM silver.sales ORDER BY 1")
    assert rows == [(1, None, None), (2, "17850", "WHITE HANGING HEART T-LIGHT HOLDER")]
    sound(lake)


@pytest.mark.slow(covered=True)
def test_a_corrected_value_is_read_like_a_landed_one(lake: Lake) -> None:
    landed(lake, [("day.csv", bad_day(bad_line()))])
    take(lake, correct, "day.csv", BAD, {"Quantity": " 6 ", "StockCode": " 22423a ", "CustomerID": "12345.0"})
    settle(lake)
    rows = ask(lake, "SELECT quantity, stock_code, customer_id FROM silver.sales WHERE invoice_no = '540001'")
    assert rows == [(6, "22423A", "12345")]


@pytest.mark.slow
def test_a_correction_that_is_wrong_itself_leaves_the_record_in_quarantine_with_its_new_values(lake: Lake) -> None:
    landed(lake, [("day.csv", bad_day(bad_line()))])
    take(lake, correct, "day.csv", BAD, {"Quantity": "6", "UnitPrice": "-1"})
    settle(lake)
    assert quarantined(lake) == {("day.csv", BAD): ["unit_price_min"]}
    assert ask(lake, 'SELECT "Quantity", "UnitPrice" FROM quarantine.sales') == [("6", "-1")]
    assert sound(lake)[DAY].quarantined == 1


@pytest.mark.slow
def test_a_record_corrected_into_another_one_is_its_duplicate(lake: Lake) -> None:
    landed(lake, [("day.csv", bad_day(line(InvoiceDate=f"{DAY} 09:00:00", Quantity="seven")))])
    take(lake, correct, "day.csv", BAD, {"Quantity": "7"})
    settle(lake)
    assert quantities(lake) == list(range(1, GOOD + 1))
    assert sound(lake)[DAY] == (BAD, GOOD, 0, 1, 0, GOOD, 0)


@pytest.mark.slow
def test_a_ragged_record_takes_the_shape_that_a_person_gives_it(lake: Lake) -> None:
    broken = b"540001,22423,REGENCY, CAKESTAND,6,2011-03-01 10:00:00,2.00,,France\n"
    land(lake, "day.csv", bad_day() + broken)
    settle(lake)
    [(key, number)] = quarantined(lake)
    assert "record_shape" in quarantined(lake)[key, number]

    values = {"Description": "REGENCY CAKESTAND", "Quantity": "6", "InvoiceDate": f"{DAY} 10:00:00",
              "UnitPrice": "2.00", "CustomerID": None, "Country": "France"}  # fmt: skip
    take(lake, correct, key, number, values)
    settle(lake)

    assert quarantined(lake) == {}
    columns = "description, quantity, unit_price::VARCHAR, country, dt::VARCHAR"
    rows = ask(lake, f"SELECT {columns} FROM silver.sales WHERE invoice_no = '540001'")  # noqa: S608
    assert rows == [("REGENCY CAKESTAND", 6, "2.0000", "France", DAY)]
    assert sound(lake) == {DAY: (BAD, BAD, 0, 0, 0, BAD, 0)}


@pytest.mark.slow
def test_a_correction_of_another_field_leaves_a_nul_byte_in_quarantine(lake: Lake) -> None:
    landed(lake, [("day.csv", bad_day(bad_line(Description="TEA\0POT")))])
    take(lake, correct, "day.csv", BAD, {"Quantity": "6"})
    settle(lake)
    assert quarantined(lake) == {("day.csv", BAD): ["record_shape"]}
    take(lake, correct, "day.csv", BAD, {"Description": "TEAPOT"})
    settle(lake)
    assert quarantined(lake) == {}
    sound(lake)


@pytest.mark.slow
def test_of_two_corrections_of_one_record_the_later_value_counts_and_the_other_fields_stand(lake: Lake) -> None:
    landed(lake, [("day.csv", bad_day(bad_line(UnitPrice="cheap")))])
    take(lake, correct, "day.csv", BAD, {"Quantity": "6", "UnitPrice": "1.00"})
    settle(lake)
    take(lake, correct, "day.csv", BAD, {"Quantity": "8"})
    settle(lake)
    rows = ask(lake, "SELECT quantity, unit_price::VARCHAR FROM silver.sales WHERE invoice_no = '540001'")
    assert rows == [(8, "1.0000")]
    sound(lake)


@pytest.mark.slow
def test_a_correction_undoes_an_earlier_discard(lake: Lake) -> None:
    landed(lake, [("day.csv", bad_day(bad_line()))])
    take(lake, discard, "day.csv", BAD)
    settle(lake)
    take(lake, correct, "day.csv", BAD, {"Quantity": "6"})
    settle(lake)
    assert ask(lake, "SELECT quantity FROM silver.sales WHERE invoice_no = '540001'") == [(6,)]
    assert sound(lake)[DAY].discarded == 0


@pytest.mark.slow
def test_a_correction_and_a_waiver_of_one_record_hold_together(lake: Lake) -> None:
    landed(lake, [("day.csv", bad_day(bad_line(InvoiceNo="X1")))])
    take(lake, waive, "day.csv", BAD, ["invoice_no_regex"])
    take(lake, correct, "day.csv", BAD, {"Quantity": "6"})
    settle(lake)
    assert ask(lake, "SELECT quantity FROM silver.sales WHERE invoice_no = 'X1'") == [(6,)]
    assert quarantined(lake) == {}
    sound(lake)


@pytest.mark.slow
def test_a_record_of_a_member_of_a_zip_is_corrected_by_its_own_key(lake: Lake) -> None:
    land(lake, "drop.zip", zipped({"a.csv": sales_csv(3), "b.csv": bad_day(bad_line(), date=NEXT)}))
    settle(lake)
    take(lake, correct, "drop.zip!b.csv", BAD, {"Quantity": "99", "InvoiceDate": f"{NEXT} 08:00:00"})
    settle(lake)
    assert quantities(lake, NEXT) == [*range(1, GOOD + 1), 99]
    assert quantities(lake) == [1, 2, 3]
    sound(lake)


@pytest.mark.slow
def test_of_a_content_under_two_keys_one_correction_counts_for_both(lake: Lake) -> None:
    data = bad_day(bad_line())
    landed(lake, [("a.csv", data), ("b.csv", data)])
    take(lake, correct, "a.csv", BAD, {"Quantity": "600"})
    settle(lake)
    assert max(quantities(lake)) == 600
    # The key of the correction goes its own way; the other one keeps the content, and its correction, live.
    landed(lake, [("a.csv", sales_csv(1, NEXT))])
    assert max(quantities(lake)) == 600
    assert ask(lake, "SELECT DISTINCT _source_key FROM silver.sales WHERE quantity = 600") == [("b.csv",)]
    sound(lake)


@pytest.mark.slow
def test_a_feed_without_dates_is_corrected_too(lake: Lake) -> None:
    lake = replace(lake, registry=Registry(list(lake.registry.feeds.values()), []))
    lake = with_feed(lake, business_date=None, usual_rows=None)
    land(lake, "all.csv", bad_day(bad_line()))
    settle(lake)
    take(lake, correct, "all.csv", BAD, {"Quantity": "600"})
    settle(lake)
    assert ask(lake, "SELECT max(quantity) FROM silver.sales") == [(600,)]
    assert (findings(lake), quarantined(lake)) == ([], {})


@pytest.mark.slow
def test_corrections_survive_a_replay_and_unrelated_late_files(lake: Lake) -> None:
    landed(lake, [("day.csv", bad_day(bad_line()))])
    take(lake, correct, "day.csv", BAD, {"Quantity": "600"})
    settle(lake)
    publish(lake, force=True)
    assert quantities(lake)[-1] == 600
    landed(lake, [("late.csv", sales_csv([line(InvoiceNo="540002", Quantity="700")])), ("x.csv", sales_csv(1, NEXT))])
    assert quantities(lake)[-2:] == [600, 700]
    build(lake)
    sound(lake)
