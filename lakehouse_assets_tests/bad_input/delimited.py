"""Delimited text that is not what it should be: lines, fields, separators, headers."""

import csv
import io
from collections.abc import Sequence

from lakehouse_assets_tests.bad_input.corpus import bad, records
from lakehouse_assets_tests.retail import HEADERS, Record, sales_csv

HEADER = ",".join(HEADERS)


def text(rows: Sequence[Record], columns: Sequence[str] = HEADERS) -> str:
    """Return CSV lines of some records without the header."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerows([[row.get(name) or "" for name in columns] for row in rows])
    return buffer.getvalue()


def with_lines(*lines: str, rows: Sequence[Record] = (), newline: str = "\n", header: str = HEADER) -> bytes:
    """Return a CSV of some good records and then some raw lines."""
    return (newline.join([header, *text(rows).splitlines(), *lines]) + newline).encode()


GOOD = "550001,85123A,WHITE HANGING HEART T-LIGHT HOLDER,{},2011-03-02 09:00:00,2.55,12345,United Kingdom"


@bad("empty file")
def empty() -> bytes:
    return b""


@bad("blank lines only")
def blank_lines() -> bytes:
    return b"\n\r\n  \n\t\n"


@bad("byte order mark only")
def mark_only() -> bytes:
    return b"\xef\xbb\xbf"


@bad("header only")
def header_only() -> bytes:
    return with_lines()


@bad("header only, without line end")
def header_only_unended() -> bytes:
    return HEADER.encode()


@bad("no header")
def no_header() -> bytes:
    return text(records()).encode()


@bad("header repeated among the records", valid=records(2), quarantined=1)
def header_again() -> bytes:
    return with_lines(GOOD.format(1), HEADER, GOOD.format(2))


@bad("semicolons as separator", valid=records())
def semicolons() -> bytes:
    return sales_csv(records(), separator=";")


@bad("tabs as separator", valid=records(), suffix="tsv")
def tabs() -> bytes:
    return sales_csv(records(), separator="\t")


@bad("pipes as separator", valid=records())
def pipes() -> bytes:
    return sales_csv(records(), separator="|")


@bad("an unknown separator")
def tildes() -> bytes:
    return sales_csv(records(), separator="~")


@bad("a header with commas over records with semicolons", quarantined=3)
def two_separators() -> bytes:
    return with_lines(*(GOOD.format(at).replace(",", ";") for at in (1, 2, 3)))


@bad("a separator declared in the first line, as Excel does")
def declared_separator() -> bytes:
    return b"sep=;\n" + sales_csv(records(), separator=";")


@bad("ragged rows, too short", valid=records(2), quarantined=2)
def short_rows() -> bytes:
    return with_lines(GOOD.format(1), "550001,85123A,CUT", GOOD.format(2), "550002,85123A")


@bad("ragged rows, too long", valid=records(2), quarantined=1)
def long_rows() -> bytes:
    return with_lines(GOOD.format(1), GOOD.format(3) + ",and,more", GOOD.format(2))


@bad("the first row too short", valid=records(2), quarantined=1)
def first_short() -> bytes:
    return with_lines("550001,85123A,CUT", GOOD.format(1), GOOD.format(2))


@bad("the first row too long", valid=records(2), quarantined=1)
def first_long() -> bytes:
    return with_lines(GOOD.format(3) + ",more", GOOD.format(1), GOOD.format(2))


@bad("two rows too long that differ only in what is too much", valid=records(1), quarantined=2)
def long_alike() -> bytes:
    return with_lines(GOOD.format(1), GOOD.format(2) + ",one", GOOD.format(2) + ",two")


@bad("one row too short and one too long by as much", valid=records(1), quarantined=2)
def balanced_rows() -> bytes:
    return with_lines(GOOD.format(1), GOOD.format(2).rsplit(",", 1)[0], GOOD.format(3) + ",more")


@bad("a header with a quoted separator, over a row one field short", valid=records(2), quarantined=1)
def balanced_header() -> bytes:
    order = [*(name for name in HEADERS if name != "Description"), '"Note, free"', "Description"]
    line = "550001,85123A,{},2011-03-02 09:00:00,2.55,12345,United Kingdom,x"
    whole = line + ",WHITE HANGING HEART T-LIGHT HOLDER"
    return with_lines(whole.format(1), whole.format(2), line.format(3), header=",".join(order))


@bad("a trailing separator on every line, the header's too", valid=records())
def trailing_everywhere() -> bytes:
    return with_lines(*(GOOD.format(at) + "," for at in (1, 2, 3)), header=HEADER + ",")


@bad("a trailing separator on every line but the header", quarantined=3)
def trailing_rows() -> bytes:
    return with_lines(*(GOOD.format(at) + "," for at in (1, 2, 3)))


@bad("two trailing separators on every line, the header's too")
def trailing_twice() -> bytes:
    return with_lines(*(GOOD.format(at) + ",," for at in (1, 2, 3)), header=HEADER + ",,")


@bad("commas only")
def commas_only() -> bytes:
    return b",,,,,,,\n" * 1_000


@bad("header, then rows of commas only", valid=records(1), quarantined=1, duplicates=1)
def empty_rows() -> bytes:
    return with_lines(GOOD.format(1), ",,,,,,,", ",,,,,,,")


@bad("a blank line after the header", valid=records())
def blank_first() -> bytes:
    return with_lines("", *(GOOD.format(at) for at in (1, 2, 3)))


@bad("blank lines among the records", valid=records())
def blank_between() -> bytes:
    return with_lines(GOOD.format(1), "", "", GOOD.format(2), GOOD.format(3), "")


@bad("a NUL byte in a value", valid=records(2), quarantined=1)
def nul_in_value() -> bytes:
    return with_lines(GOOD.format(1), GOOD.format(2), GOOD.format(3).replace("HEART", "HE\0RT"))


@bad("a NUL byte in a number", valid=records(2), quarantined=1)
def nul_in_number() -> bytes:
    return with_lines(GOOD.format(1), GOOD.format(2), GOOD.format("3\0"))


@bad("a NUL byte in the header")
def nul_in_header() -> bytes:
    return with_lines(GOOD.format(1), header=HEADER.replace("Quantity", "Quan\0tity"))


@bad("NUL bytes only")
def nul_only() -> bytes:
    return b"\0" * 10_000


@bad("some NUL bytes after the records", valid=records(), quarantined=1)
def nul_tail() -> bytes:
    return with_lines(rows=records()) + b"\0" * 16


@bad("NUL bytes after the records, to the end of a block, as after a crash")
def nul_block() -> bytes:
    return with_lines(rows=records()).ljust(4_096, b"\0")


@bad("cut in the middle of the last record", valid=records(2), quarantined=1)
def cut_short() -> bytes:
    return with_lines(*(GOOD.format(at) for at in (1, 2, 3)))[:-45]


@bad("one field of 5 MB", valid=records(1, Description="x" * 5_000_000))
def long_field() -> bytes:
    return sales_csv(records(1, Description="x" * 5_000_000))


@bad("quoted header names with spaces", valid=records())
def spaced_header() -> bytes:
    return with_lines(rows=records(), header=",".join(f'" {name}  "' for name in HEADERS))


@bad("a header name with a line end in quotes", valid=records())
def broken_header() -> bytes:
    rows = (line + ",x" for line in text(records()).splitlines())
    return with_lines(*rows, header=HEADER + ',"Note\nof the till"')


@bad("a comment before the header")
def comment_first() -> bytes:
    return b"# exported by till 7\n" + sales_csv(records())
