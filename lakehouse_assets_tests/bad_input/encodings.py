"""Text in other encodings than UTF-8, in several at once, and things that are no text at all."""

from lakehouse_assets_tests.bad_input.corpus import bad, records
from lakehouse_assets_tests.retail import HEADERS, sales_csv
from lakehouse_assets_tests.workbook import workbook

_POUND = records(3, Description="£5 VOUCHER “GIFT”")


@bad("UTF-8 with byte order mark", valid=_POUND)
def marked() -> bytes:
    return sales_csv(_POUND, encoding="utf-8-sig")


@bad("UTF-8 with two byte order marks")
def marked_twice() -> bytes:
    return b"\xef\xbb\xbf" + sales_csv(_POUND, encoding="utf-8-sig")


@bad("UTF-16 with byte order mark")
def utf16() -> bytes:
    return sales_csv(_POUND, encoding="utf-16")


@bad("UTF-16 without byte order mark")
def utf16_unmarked() -> bytes:
    return sales_csv(records(), encoding="utf-16-le")


@bad("UTF-32")
def utf32() -> bytes:
    return sales_csv(_POUND, encoding="utf-32")


@bad("Windows-1252", valid=_POUND)
def windows() -> bytes:
    return sales_csv(_POUND, encoding="cp1252")


@bad("Windows-1252 with bytes that it does not define")
def windows_undefined() -> bytes:
    return sales_csv(_POUND, encoding="cp1252").replace(b"VOUCHER", b"VOU\x81\x8dCHER")


@bad("mixed encodings, one line each")
def mixed_lines() -> bytes:
    return sales_csv(_POUND[:2]) + sales_csv(_POUND[2:], encoding="cp1252").split(b"\n", 1)[1]


@bad("mixed encodings in one line")
def mixed_in_a_line() -> bytes:
    mixed = records(1, Description="PRICE ONE, PRICE TWO")
    return sales_csv(mixed).replace(b"ONE", "£1".encode()).replace(b"TWO", "£2".encode("cp1252"))


@bad("UTF-8 cut in the middle of a character")
def cut_character() -> bytes:
    return sales_csv(records(3, Country="España")).rpartition(b"\xb1")[0]


@bad(
    "emoji, right-to-left, combining and invisible characters", valid=records(3, Description="🎁 هدية e\u0301\u200b🇬🇧")
)
def unusual_characters() -> bytes:
    return sales_csv(records(3, Description="🎁 هدية e\u0301\u200b🇬🇧"))


@bad("a spreadsheet formula as text", valid=records(3, Description='=HYPERLINK("http://example.com"),\'x'))
def formula() -> bytes:
    return sales_csv(records(3, Description='=HYPERLINK("http://example.com"),\'x'))


@bad("a PNG image", suffix="png")
def png() -> bytes:
    return b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256)) * 40


@bad("a PDF document", suffix="pdf")
def pdf() -> bytes:
    return b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer\n%%EOF\n"


@bad("an HTML error page", suffix="html")
def html() -> bytes:
    return b"<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head>\n<body>nginx, sorry</body></html>\n"


@bad("an Excel workbook", suffix="xlsx")
def excel() -> bytes:
    return workbook({"Sales": [HEADERS, ["536365", "85123A", "HEART", 6, "2011-03-01", 2.55, None, "France"]]})


@bad("an Excel workbook of the old kind", suffix="xls")
def old_excel() -> bytes:
    return bytes.fromhex("d0cf11e0a1b11ae1") + bytes(504)


@bad("Mac Roman", valid=records(3, Description="DŽcor"))
def mac_roman() -> bytes:
    return sales_csv(records(3, Description="Décor"), encoding="mac_roman")


@bad("random bytes", suffix="bin")
def noise() -> bytes:
    return bytes((at * 7919 + at // 251 * 31) % 256 for at in range(20_000))
