"""Values that a record cannot have: dates out of range, at the clock change or in the future, numbers, codes."""

import datetime as dt

from lakehouse_assets_tests.bad_input.corpus import DAY, bad, records
from lakehouse_assets_tests.retail import sales_csv


def _file(**changes: str | None) -> bytes:
    """Return a good record and one with some values changed."""
    return sales_csv([*records(1), *records(1, DAY, **({"Quantity": "7"} | changes))])


@bad("a date before the first business date", valid=records(1), quarantined=1)
def too_early() -> bytes:
    return _file(InvoiceDate="2008-12-31 23:59:59")


@bad("a date in the year 1", valid=records(1), quarantined=1)
def year_one() -> bytes:
    return _file(InvoiceDate="0001-01-01 00:00:00")


@bad("a date in the year 0", valid=records(1), quarantined=1)
def year_zero() -> bytes:
    return _file(InvoiceDate="0000-01-01 00:00:00")


@bad("a date tomorrow", valid=records(1), quarantined=1)
def tomorrow() -> bytes:
    return _file(InvoiceDate=f"{dt.datetime.now(dt.UTC).date() + dt.timedelta(days=2)} 09:00:00")


@bad("the date 9999-12-31 that stands for never", valid=records(1), quarantined=1)
def never() -> bytes:
    return _file(InvoiceDate="9999-12-31 23:59:59")


@bad("a date after the year 9999", valid=records(1), quarantined=1)
def five_digits() -> bytes:
    return _file(InvoiceDate="+12011-03-02 09:00:00")


@bad("a date before the year 1", valid=records(1), quarantined=1)
def before_year_one() -> bytes:
    return _file(InvoiceDate="-0044-03-15 12:00:00")


@bad("a time whose offset carries it beyond the year 9999", valid=records(1), quarantined=1)
def carried_beyond() -> bytes:
    return _file(InvoiceDate="9999-12-31T23:30:00-05:00")


@bad("a time whose offset carries it before the year 1", valid=records(1), quarantined=1)
def carried_before() -> bytes:
    return _file(InvoiceDate="0001-01-01T00:30:00+05:00")


@bad("a day that does not exist", valid=records(1), quarantined=1)
def february_30() -> bytes:
    return _file(InvoiceDate="2011-02-30 09:00:00")


@bad("day and month exchanged", valid=records(1), quarantined=1)
def exchanged() -> bytes:
    return _file(InvoiceDate="2011-31-03 09:00:00")


@bad("a time at the clock change that does not exist", valid=records(1), quarantined=1)
def nonexistent() -> bytes:
    return _file(InvoiceDate="2011-03-27 01:30:00")


@bad(
    "a time at the clock change that is there twice",
    valid=[*records(1), *records(1, Quantity="7", InvoiceDate="2011-10-30 01:30:00")],
)
def ambiguous() -> bytes:
    return _file(InvoiceDate="2011-10-30 01:30:00")


@bad(
    "the clock change with offsets, each hour told apart",
    valid=[
        *records(1, InvoiceDate="2011-10-30T01:30:00+01:00"),
        *records(1, Quantity="7", InvoiceDate="2011-10-30T01:30:00+00:00"),
    ],
)
def told_apart() -> bytes:
    first = records(1, InvoiceDate="2011-10-30T01:30:00+01:00")
    return sales_csv([*first, *records(1, Quantity="7", InvoiceDate="2011-10-30T01:30:00Z")])


@bad("a time with an impossible offset", valid=records(1), quarantined=1)
def impossible_offset() -> bytes:
    return _file(InvoiceDate="2011-03-02T09:00:00+99:00")


@bad("the hour 24", valid=records(1), quarantined=1)
def hour_24() -> bytes:
    return _file(InvoiceDate="2011-03-02 24:00:00")


@bad("words for a date", valid=records(1), quarantined=1)
def yesterday() -> bytes:
    return _file(InvoiceDate="yesterday")


@bad("no date", valid=records(1), quarantined=1)
def no_date() -> bytes:
    return _file(InvoiceDate=None)


@bad("a date as a spreadsheet's serial number", valid=records(1), quarantined=1)
def serial_number() -> bytes:
    return _file(InvoiceDate="40604.375")


@bad("an integer beyond 64 bits", valid=records(1), quarantined=1)
def beyond_64_bits() -> bytes:
    return _file(Quantity="9223372036854775808")


@bad("an integer in digits of another script", valid=records(1), quarantined=1)
def other_digits() -> bytes:
    return _file(Quantity="٦")


@bad("an integer with a thousands separator", valid=records(1), quarantined=1)
def thousands() -> bytes:
    return _file(Quantity="1,000")


@bad("a price with a currency sign", valid=records(1), quarantined=1)
def currency() -> bytes:
    return _file(UnitPrice="£2.55")


@bad("a price with a decimal comma", valid=records(1), quarantined=1)
def decimal_comma() -> bytes:
    return _file(UnitPrice="2,55")


@bad("a price with an exponent", valid=records(1), quarantined=1)
def exponent() -> bytes:
    return _file(UnitPrice="1e2")


@bad("a negative price", valid=records(1), quarantined=1)
def negative_price() -> bytes:
    return _file(UnitPrice="-0.01")


@bad("a price with five decimals", valid=records(1), quarantined=1)
def five_decimals() -> bytes:
    return _file(UnitPrice="2.55001")


@bad("a price of twenty digits", valid=records(1), quarantined=1)
def twenty_digits() -> bytes:
    return _file(UnitPrice="12345678901234567890")


_LARGEST = {"Quantity": "9223372036854775807", "UnitPrice": "99999999999999.9999"}


@bad("the largest quantity at the largest price", valid=[*records(1), *records(1, DAY, **_LARGEST)])
def largest() -> bytes:
    return _file(**_LARGEST)


@bad("no stock code", valid=records(1), quarantined=1)
def no_stock_code() -> bytes:
    return _file(StockCode="   ")


@bad("no country", valid=records(1), quarantined=1)
def no_country() -> bytes:
    return _file(Country=None)


@bad("an invoice number of another form", valid=records(1), quarantined=1)
def other_invoice() -> bytes:
    return _file(InvoiceNo="INV-550001")


@bad("a cancellation with a positive quantity", valid=records(1), quarantined=1)
def positive_cancellation() -> bytes:
    return _file(InvoiceNo="C550001")


@bad("the same record a hundred times", valid=records(1), duplicates=99)
def a_hundred_times() -> bytes:
    return sales_csv(records(1) * 100)
