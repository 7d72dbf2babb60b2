"""A waiver takes a record in spite of a contract rule; a discard takes one out, counted."""

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.decisions.kinds import DecisionError
from lakehouse_assets.operations.decision_commands import correct, discard, waive
from lakehouse_assets_tests.decisions.person import (
    GOOD,
    ask,
    bad_day,
    bad_line,
    held,
    landed,
    quantities,
    quarantined,
    settle,
    sound,
    take,
)
from lakehouse_assets_tests.retail import DAY, day, line, publish, sales, sales_csv

BAD = GOOD + 1
GIFT = line(InvoiceNo="GIFT1", Quantity="500", UnitPrice="-2.00")
"""Breaks two rules of the contract; every value can be read."""


@pytest.mark.slow
def test_a_waived_record_is_published_as_it_is(lake: Lake) -> None:
    landed(lake, [("day.csv", bad_day(GIFT))])
    assert quarantined(lake) == {("day.csv", BAD): ["invoice_no_regex", "unit_price_min"]}
    take(lake, waive, "day.csv", BAD, ["invoice_no_regex", "unit_price_min"])
    settle(lake)
    assert quarantined(lake) == {}
    rows = ask(lake, "SELECT quantity, line_amount::VARCHAR, line_type FROM silver.sales WHERE invoice_no = 'GIFT1'")
    assert rows == [(500, "-1000.0000", "adjustment")]
    assert sound(lake)[DAY] == (BAD, BAD, 0, 0, 0, BAD, 0)


@pytest.mark.slow
def test_a_record_stays_in_quarantine_for_the_rules_that_are_not_waived(lake: Lake) -> None:
    landed(lake, [("day.csv", bad_day(GIFT))])
    take(lake, waive, "day.csv", BAD, ["invoice_no_regex"])
    settle(lake)
    assert quarantined(lake) == {("day.csv", BAD): ["unit_price_min"]}
    take(lake, waive, "day.csv", BAD, ["unit_price_min"])
    settle(lake)
    assert quarantined(lake) == {}
    sound(lake)


@pytest.mark.slow
def test_a_waiver_is_for_its_record_only(lake: Lake) -> None:
    other = line(InvoiceNo="GIFT2", Quantity="500")
    landed(lake, [("day.csv", bad_day(line(InvoiceNo="GIFT1"), other)), ("more.csv", sales_csv([GIFT]))])
    take(lake, waive, "day.csv", BAD, ["invoice_no_regex"])
    settle(lake)
    assert set(quarantined(lake)) == {("day.csv", BAD + 1), ("more.csv", 1)}
    sound(lake)


@pytest.mark.slow
def test_a_rule_between_columns_can_be_waived(lake: Lake) -> None:
    landed(lake, [("day.csv", bad_day(line(InvoiceNo="C540001", Quantity="500")))])
    assert quarantined(lake) == {("day.csv", BAD): ["cancellation_not_positive"]}
    take(lake, waive, "day.csv", BAD, ["cancellation_not_positive"])
    settle(lake)
    assert quantities(lake)[-1] == 500
    sound(lake)


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize(
    ("rule", "record"),
    [
        ("quantity_readable", bad_line()),
        ("unit_price_readable", line(UnitPrice="free")),
        ("unit_price_scale", line(UnitPrice="1.00001")),
        ("invoiced_at_in_range", line(InvoiceDate="2999-01-01 10:00:00")),
        ("invoiced_at_readable", line(InvoiceDate="yesterday")),
        ("country_required", line(Country=None)),
        ("record_shape", line(Country=None)),
    ],
)
def test_what_cannot_be_read_or_is_not_there_cannot_be_waived(
    lake: Lake, rule: str, record: dict[str, str | None]
) -> None:
    landed(lake, [("day.csv", bad_day(record))])
    with pytest.raises(DecisionError, match=rf"'{rule}' cannot be waived; .* Nothing was decided\.$") as refused:
        waive(lake, sales(lake), "day.csv", BAD, [rule], "it is fine")
    assert "invoice_no_regex" in str(refused.value)
    assert ask(lake, "SELECT * FROM ops.decisions") == []


@pytest.mark.slow
def test_a_discarded_record_counts_as_discarded_and_nowhere_else(lake: Lake) -> None:
    landed(lake, [("day.csv", bad_day(bad_line()))])
    take(lake, discard, "day.csv", BAD)
    settle(lake)
    assert quarantined(lake) == {}
    assert quantities(lake) == list(range(1, GOOD + 1))
    assert sound(lake)[DAY] == (BAD, GOOD, 0, 0, 1, GOOD, 0)


@pytest.mark.slow
def test_a_discarded_record_weighs_nothing_in_the_score(lake: Lake) -> None:
    landed(lake, [("day.csv", sales_csv([*day(count=19), *(bad_line(Quantity=text) for text in ("a", "b"))]))])
    assert held(lake) == [DAY]
    take(lake, discard, "day.csv", 20)
    [outcome] = publish(lake).values()
    assert (outcome.verdict, outcome.score) == ("published", 0.95)
    assert sound(lake)[DAY] == (21, 19, 1, 0, 1, 19, 0)


@pytest.mark.slow
def test_a_valid_record_can_be_discarded(lake: Lake) -> None:
    landed(lake, [("day.csv", sales_csv(3))])
    take(lake, discard, "day.csv", 2)
    settle(lake)
    assert quantities(lake) == [1, 3]
    assert sound(lake)[DAY] == (3, 2, 0, 0, 1, 2, 0)


@pytest.mark.slow
def test_all_records_of_a_date_can_be_discarded(lake: Lake) -> None:
    landed(lake, [("day.csv", sales_csv(2))])
    take(lake, discard, "day.csv", 1)
    take(lake, discard, "day.csv", 2)
    settle(lake)
    assert quantities(lake) == []
    assert sound(lake)[DAY] == (2, 0, 0, 0, 2, 0, 0)


@pytest.mark.slow
def test_the_duplicate_of_a_discarded_record_takes_its_place(lake: Lake) -> None:
    landed(lake, [("a.csv", sales_csv(3)), ("b.csv", sales_csv(2))])
    take(lake, discard, "a.csv", 1)
    settle(lake)
    rows = ask(lake, "SELECT _source_key, quantity FROM silver.sales ORDER BY 1, 2")
    assert rows == [("a.csv", 2), ("a.csv", 3), ("b.csv", 1)]
    assert sound(lake)[DAY] == (5, 3, 0, 1, 1, 3, 0)


@pytest.mark.slow
def test_a_record_that_was_moved_is_discarded_where_it_is(lake: Lake) -> None:
    landed(lake, [("a.csv", sales_csv(3)), ("b.csv", sales_csv(1, "2011-03-02"))])
    take(lake, correct, "a.csv", 3, {"InvoiceDate": "2011-03-02 10:00:00"})
    settle(lake)
    take(lake, discard, "a.csv", 3)
    settle(lake)
    assert (quantities(lake), quantities(lake, "2011-03-02")) == ([1, 2], [1])
    assert sound(lake)["2011-03-02"] == (2, 1, 0, 0, 1, 1, 0)


@pytest.mark.slow
def test_an_undated_record_can_be_discarded(lake: Lake) -> None:
    landed(lake, [("a.csv", sales_csv([*day(), line(InvoiceDate="yesterday")]))])
    take(lake, discard, "a.csv", 4)
    settle(lake)
    assert quarantined(lake) == {}
    assert sound(lake)["undated"] == (1, 0, 0, 0, 1, 0, 0)
