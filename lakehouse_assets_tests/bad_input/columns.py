"""Columns that are not the declared ones: doubled, missing, added, renamed, of another type, by the thousand."""

from lakehouse_assets_tests.bad_input.corpus import bad, records
from lakehouse_assets_tests.bad_input.delimited import GOOD, HEADER, text, with_lines
from lakehouse_assets_tests.retail import HEADERS, sales_csv

_THOUSANDS = [f"more_{at}" for at in range(10_000)]


@bad("a column name twice")
def twice() -> bytes:
    return with_lines(*(GOOD.format(at) + ",7" for at in (1, 2, 3)), header=HEADER + ",Quantity")


@bad("a column name twice, once with spaces")
def twice_spaced() -> bytes:
    return with_lines(*(GOOD.format(at) + ",7" for at in (1, 2, 3)), header=HEADER + ", Quantity ")


@bad("a column name of 1 MB, twice")
def long_twice() -> bytes:
    rows = (f"{GOOD.format(at)},1,2" for at in (1, 2, 3))
    return with_lines(*rows, header=f"{HEADER},{'n' * 1_000_000},{'n' * 1_000_000}")


@bad("a column name of 1 MB", valid=records())
def long_name() -> bytes:
    rows = (f"{GOOD.format(at)},1" for at in (1, 2, 3))
    return with_lines(*rows, header=f"{HEADER},{'n' * 1_000_000}")


@bad("a required column missing")
def missing_required() -> bytes:
    return sales_csv(records(), columns=[name for name in HEADERS if name != "Quantity"])


@bad("an optional column missing", valid=records(3, Description=None))
def missing_optional() -> bytes:
    return sales_csv(records(), columns=[name for name in HEADERS if name != "Description"])


@bad("a column added", valid=records())
def added() -> bytes:
    return with_lines(*(f"{line},web" for line in text(records()).splitlines()), header=f"{HEADER},Channel")


@bad("a column added that is called as one of the lake's own", valid=records())
def added_internal() -> bytes:
    rows = (f"{line},a,b,c,d" for line in text(records()).splitlines())
    return with_lines(*rows, header=f"{HEADER},_problem,_extra,_line,dt")


@bad("a required column renamed")
def renamed() -> bytes:
    return sales_csv(records()).replace(b"Quantity", b"Qty")


@bad("columns in another case")
def other_case() -> bytes:
    return with_lines(rows=records(), header=HEADER.lower())


@bad("columns in another order", valid=records())
def other_order() -> bytes:
    return sales_csv(records(), columns=HEADERS[::-1])


@bad("a column of another type: words for numbers", quarantined=3)
def other_type() -> bytes:
    return with_lines(*(GOOD.format(word) for word in ("one", "two", "three")))


@bad("a column of another type: decimals for integers", valid=records(1), quarantined=2)
def decimals() -> bytes:
    return with_lines(GOOD.format("1"), GOOD.format("2.0"), GOOD.format("2.5"))


@bad("10,000 columns", valid=records())
def ten_thousand() -> bytes:
    rows = (f"{line}{',1' * len(_THOUSANDS)}" for line in text(records()).splitlines())
    return with_lines(*rows, header=",".join([HEADER, *_THOUSANDS]))


@bad("10,000 columns, the last name twice")
def ten_thousand_twice() -> bytes:
    rows = (f"{line}{',1' * len(_THOUSANDS)},1" for line in text(records()).splitlines())
    return with_lines(*rows, header=",".join([HEADER, *_THOUSANDS, _THOUSANDS[-1]]))


@bad("one column")
def one_column() -> bytes:
    return b"InvoiceNo\n550001\n550002\n"
