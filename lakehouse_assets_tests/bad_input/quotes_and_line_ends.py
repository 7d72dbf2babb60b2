"""Delimited text whose quotes or line ends are not what they should be. Not here: fields and headers."""

from lakehouse_assets_tests.bad_input.corpus import bad, records
from lakehouse_assets_tests.bad_input.delimited import GOOD, HEADER, text, with_lines
from lakehouse_assets_tests.retail import sales_csv


@bad("a quote that is never closed")
def unclosed() -> bytes:
    return with_lines(GOOD.format(1), GOOD.format(2).replace("WHITE", '"WHITE'), GOOD.format(3))


@bad("two rows that each open a quote and never close it", valid=[records(4)[0], records(4)[3]], quarantined=1)
def two_unclosed() -> bytes:
    opened = (GOOD.format(at).replace("WHITE", '"WHITE') for at in (2, 3))
    return with_lines(GOOD.format(1), *opened, GOOD.format(4))


@bad("quotes in the middle of fields", valid=records(3, Description='INCH 12" RULER "BEST"'))
def inner_quotes() -> bytes:
    name = "WHITE HANGING HEART T-LIGHT HOLDER"
    return with_lines(*(GOOD.format(at).replace(name, 'INCH 12" RULER "BEST"') for at in (1, 2, 3)))


@bad("one lone quote in the middle of a field", valid=[*records(1, Description='RULER 12"'), *records()[1:]])
def lone_inner_quote() -> bytes:
    lines = [GOOD.format(at) for at in (1, 2, 3)]
    lines[0] = lines[0].replace("WHITE HANGING HEART T-LIGHT HOLDER", 'RULER 12"')
    return with_lines(*lines)


@bad("text after a closing quote", valid=records(2), quarantined=1)
def text_after_quote() -> bytes:
    return with_lines(GOOD.format(1), GOOD.format(2), GOOD.format(3).replace("WHITE", '"WHITE" NEARLY'))


@bad("quotes escaped with a backslash", valid=records(2), quarantined=1)
def backslash_quotes() -> bytes:
    name = "WHITE HANGING HEART T-LIGHT HOLDER"
    return with_lines(GOOD.format(1), GOOD.format(2), GOOD.format(3).replace(name, r'"RULER 12\" LONG, RED"'))


@bad("quotes doubled and separators in quotes", valid=records(3, Description='HEART, "WHITE", 12" ; LARGE'))
def doubled_quotes() -> bytes:
    return sales_csv(records(3, Description='HEART, "WHITE", 12" ; LARGE'))


@bad("line ends in quotes", valid=records(3, Description="FIRST LINE\r\nSECOND LINE\nTHIRD"))
def breaks_in_quotes() -> bytes:
    return sales_csv(records(3, Description="FIRST LINE\r\nSECOND LINE\nTHIRD"), newline="\r\n")


@bad("line ends CR only", valid=records())
def cr_only() -> bytes:
    return sales_csv(records(), newline="\r")


@bad("line ends CR only, with LF in a quoted field")
def cr_only_with_lf() -> bytes:
    return sales_csv(records(3, Description="FIRST\nSECOND"), newline="\r")


@bad("line ends CR LF", valid=records())
def cr_lf() -> bytes:
    return sales_csv(records(), newline="\r\n")


@bad("line ends CR CR LF, as after two conversions", valid=records())
def cr_cr_lf() -> bytes:
    return sales_csv(records(), newline="\r\r\n")


@bad("the header's line end CR, the others LF")
def header_ends_in_cr() -> bytes:
    return HEADER.encode() + b"\r" + text(records()).encode()


@bad("line ends CR, the last one LF", valid=records())
def last_lf() -> bytes:
    return sales_csv(records(), newline="\r")[:-1] + b"\n"


@bad("line ends CR, the last one CR LF", valid=records())
def last_cr_lf() -> bytes:
    return sales_csv(records(), newline="\r") + b"\n"


@bad("one line end CR among LF", valid=records()[2:], quarantined=1)
def one_cr() -> bytes:
    return sales_csv(records()).replace(b"United Kingdom\n", b"United Kingdom\r", 1)


@bad("the last line without line end", valid=records())
def unended() -> bytes:
    return sales_csv(records()).rstrip(b"\n")
