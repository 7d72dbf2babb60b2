"""Zip and gzip objects that are damaged, hostile or merely odd."""

import gzip
import io
import zipfile
import zlib

from lakehouse_assets_tests.bad_input.corpus import bad, records
from lakehouse_assets_tests.bad_input.zip_format import Member, encrypted, raw_zip
from lakehouse_assets_tests.retail import gzipped, sales_csv, zipped

_CSV = sales_csv(records())
_ONE = "day.csv"
_LARGE = sales_csv(records(2_000))


def _flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


def _with(method: int, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr(zipfile.ZipInfo(_ONE), data, method)
    return buffer.getvalue()


@bad("zip with a damaged member", suffix="zip")
def zip_damaged() -> bytes:
    return _flipped(zipped({_ONE: _LARGE}), 400)


@bad("zip cut short", suffix="zip")
def zip_cut() -> bytes:
    return zipped({_ONE: _LARGE})[:-100]


@bad("zip magic and nothing else", suffix="zip")
def zip_magic() -> bytes:
    return b"PK\x03\x04"


@bad("zip whose directory is damaged", suffix="zip")
def zip_directory() -> bytes:
    return zipped({_ONE: _CSV}).replace(b"PK\x01\x02", b"PK\x01\x03")


@bad("zip whose two headers give a member two names", suffix="zip")
def zip_two_names() -> bytes:
    return zipped({_ONE: _CSV}).replace(b"day.csv", b"dax.csv", 1)


@bad("encrypted zip", suffix="zip")
def zip_encrypted() -> bytes:
    return raw_zip([encrypted(_ONE, _CSV, b"secret")])


@bad("zip with one member encrypted and one not", suffix="zip", valid=records())
def zip_half_encrypted() -> bytes:
    return raw_zip([encrypted("secret.csv", _CSV, b"secret"), Member.of(_ONE, _CSV)])


@bad("nested zip", suffix="zip", valid=records())
def zip_nested() -> bytes:
    return zipped({_ONE: _CSV, "inner.zip": zipped({"other.csv": _CSV})})


@bad("zip with a member that climbs out of its folder", suffix="zip", valid=records())
def zip_traversal() -> bytes:
    return raw_zip([Member.of(_ONE, _CSV), Member.of("../../etc/passwd.csv", _CSV)])


@bad("zip with a member that climbs out in the Windows way", suffix="zip", valid=records())
def zip_traversal_windows() -> bytes:
    return raw_zip([Member.of(_ONE, _CSV), Member.of("..\\..\\day.csv", _CSV)])


@bad("zip with an absolute member name", suffix="zip", valid=records())
def zip_absolute() -> bytes:
    return raw_zip([Member.of(_ONE, _CSV), Member.of("/etc/passwd.csv", _CSV)])


@bad("zip with a member name with a drive letter", suffix="zip", valid=records())
def zip_drive() -> bytes:
    return raw_zip([Member.of(_ONE, _CSV), Member.of("C:/day.csv", _CSV)])


@bad("zip with two members of one name", suffix="zip")
def zip_twice() -> bytes:
    return raw_zip([Member.of(_ONE, _CSV), Member.of(_ONE, sales_csv(records(1)))])


@bad("zip with two members of the same content", suffix="zip", valid=records())
def zip_same_content() -> bytes:
    return zipped({"a.csv": _CSV, "b.csv": _CSV})


@bad("zip without members", suffix="zip")
def zip_empty() -> bytes:
    return zipped({})


@bad("zip with folders only", suffix="zip")
def zip_folders_only() -> bytes:
    return zipped({"drop/": b"", "drop/inner/": b""})


@bad("zip with folders beside files", suffix="zip", valid=records())
def zip_folders() -> bytes:
    return zipped({"drop/": b"", "drop/day.csv": _CSV})


@bad("zip with an empty member", suffix="zip", valid=records())
def zip_empty_member() -> bytes:
    return zipped({"a.csv": b"", _ONE: _CSV})


@bad("zip with the hidden files that macOS adds", suffix="zip", valid=records())
def zip_mac() -> bytes:
    double, folder = b"\0\5\x16\7\0\2\0\0Mac OS X" + bytes(100) + b"\xe9\x81", b"\0\0\0\1Bud1" + bytes(100)
    return zipped({"drop/day.csv": _CSV, "drop/.DS_Store": folder, "__MACOSX/drop/._day.csv": double})


@bad("zip with member names of every kind", suffix="zip", valid=records())
def zip_names() -> bytes:
    names = ("a b+c%20é!x 日本.csv", "n" * 1_000 + ".csv", "a//b/./c.csv")
    return raw_zip([Member.of(name, sales_csv([row])) for name, row in zip(names, records(), strict=True)])


@bad("zip with a method that nobody knows", suffix="zip")
def zip_method() -> bytes:
    return raw_zip([Member(_ONE, b"\x01\x02\x03" * 50, 500, 0, method=97)])


@bad("zip packed with bzip2", suffix="zip")
def zip_bzip2() -> bytes:
    return _with(zipfile.ZIP_BZIP2, _CSV)


@bad("zip packed with LZMA", suffix="zip")
def zip_lzma() -> bytes:
    return _with(zipfile.ZIP_LZMA, _CSV)


@bad("zip packed with bzip2, damaged", suffix="zip")
def zip_bzip2_damaged() -> bytes:
    return _flipped(_with(zipfile.ZIP_BZIP2, _LARGE), 200)


@bad("zip packed with LZMA, damaged", suffix="zip")
def zip_lzma_damaged() -> bytes:
    return _flipped(_with(zipfile.ZIP_LZMA, _LARGE), 60)


@bad("zip whose member is longer than its header says", suffix="zip")
def zip_longer() -> bytes:
    honest = Member.of(_ONE, _LARGE)
    return raw_zip([Member(_ONE, honest.packed, len(_CSV), honest.crc)])


@bad("zip whose member is shorter than its header says, with the right checksum", suffix="zip", valid=records())
def zip_shorter() -> bytes:
    honest = Member.of(_ONE, _CSV)
    return raw_zip([Member(_ONE, honest.packed, len(_LARGE), honest.crc)])


@bad("zip with a wrong checksum", suffix="zip")
def zip_checksum() -> bytes:
    return raw_zip([Member(_ONE, Member.of(_ONE, _CSV).packed, len(_CSV), zlib.crc32(_CSV) ^ 1)])


@bad("zip with a member over the size limit", suffix="zip", limit=100_000, valid=records())
def zip_large_member() -> bytes:
    return zipped({_ONE: _CSV, "large.csv": sales_csv(records(2_000))})


def _filled(size: int, at: int) -> bytes:
    """Return a file of about some size, with one record of its own; the rest is blank lines."""
    record = sales_csv([records(12)[at]])
    return record + b"\n" * (size - len(record))


@bad("zip whose members are too large together", suffix="zip", limit=100_000)
def zip_large_together() -> bytes:
    return zipped({f"{at:02}.csv": _filled(99_000, at) for at in range(11)})


@bad("zip whose members are too large together once out of their gzip", suffix="zip", limit=100_000)
def zip_gzips_large_together() -> bytes:
    return zipped({f"{at:02}.csv.gz": gzipped(_filled(99_000, at)) for at in range(11)})


@bad(
    "zip with a member over the size limit beside as much as is allowed", suffix="zip", limit=100_000, valid=records(10)
)
def zip_as_large_as_allowed() -> bytes:
    return zipped({f"{at:02}.csv": _filled(99_000, at) for at in range(10)} | {"large.csv": b"\n" * 100_001})


@bad("truncated gzip", suffix="csv.gz")
def gzip_cut() -> bytes:
    return gzipped(_LARGE)[:-200]


@bad("gzip header and nothing else", suffix="csv.gz")
def gzip_header() -> bytes:
    return gzipped(_LARGE)[:10]


@bad("gzip with a damaged middle", suffix="csv.gz")
def gzip_damaged() -> bytes:
    return _flipped(gzipped(_LARGE), 400)


@bad("gzip with a wrong checksum", suffix="csv.gz")
def gzip_checksum() -> bytes:
    return _flipped(gzipped(_LARGE), -8 + len(gzipped(_LARGE)))


@bad("gzip followed by other bytes", suffix="csv.gz")
def gzip_tail() -> bytes:
    return gzipped(_CSV) + b"and then some"


@bad("two gzips, one after the other", suffix="csv.gz", valid=records())
def gzip_twice() -> bytes:
    first, rest = _CSV.split(b"\n", 1)
    return gzipped(first + b"\n") + gzipped(rest)


@bad("gzip of nothing", suffix="csv.gz")
def gzip_empty() -> bytes:
    return gzipped(b"")


@bad("gzip in gzip", suffix="csv.gz.gz")
def gzip_in_gzip() -> bytes:
    return gzipped(gzipped(_CSV))


@bad("zip in gzip", suffix="zip.gz")
def zip_in_gzip() -> bytes:
    return gzipped(zipped({_ONE: _CSV}))


@bad("gzip in zip", suffix="zip", valid=records())
def gzip_in_zip() -> bytes:
    return zipped({"day.csv.gz": gzip.compress(_CSV, mtime=0)})


@bad("gzip over the size limit", suffix="csv.gz", limit=100_000)
def gzip_large() -> bytes:
    return gzipped(sales_csv(records(2_000)))


@bad("plain text over the size limit", limit=100_000)
def plain_large() -> bytes:
    return sales_csv(records(2_000))


@bad("a 7z archive", suffix="7z")
def seven_zip() -> bytes:
    return b"7z\xbc\xaf\x27\x1c\x00\x04" + bytes(range(256)) * 4
