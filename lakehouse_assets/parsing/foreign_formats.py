"""Formats that are not read, by how their bytes begin: the reason names the format and what to land in its place.

Not here: formats that are read, and bytes that are of no known format.
"""

_PACKED = "unpack it, or pack it as gzip or zip, and land it again."
_EXPORTED = "export it as Parquet, CSV or JSON and land that."
_SAVED = "save it as .xlsx without one, or as CSV."
_SIGNS = (
    (0, b"\xd0\xcf\x11\xe0", "an Excel workbook of the old kind, or one with a password", _SAVED),
    (0, b"\x28\xb5\x2f\xfd", "Zstandard", _PACKED),
    (0, b"\xfd7zXZ\0", "xz", _PACKED),
    (4, b"1AY&SY", "bzip2", _PACKED),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", _PACKED),
    (257, b"ustar", "a tar archive", _PACKED),
    (0, b"Obj\x01", "Avro", _EXPORTED),
    (0, b"ARROW1\0", "an Arrow or Feather file", _EXPORTED),
    (0, b"SQLite format 3\0", "an SQLite database", _EXPORTED),
    (8, b"DUCK", "a DuckDB database", _EXPORTED),
    (0, b"%PDF-", "a PDF", _EXPORTED),
)
_PAGES = (b"<!doctype html", b"<html", b"<?xml")


def refusal(data: bytes) -> str | None:
    """Return why an object of a format that is not read is rejected; None for all others."""
    for at, sign, name, fix in _SIGNS:
        # A text may have the letters of a sign in the same place; what holds these databases and archives has NULs.
        if data.startswith(sign, at) and (at in {0, 4} or b"\0" in data[:512]):
            return f"it is {name}, which is not read; {fix}"
    if data.startswith(b"ORC") and data[-4:-1] == b"ORC":  # three letters are the header of some CSV
        return f"it is ORC, which is not read; {_EXPORTED}"
    if data[:512].removeprefix(b"\xef\xbb\xbf").lstrip().lower().startswith(_PAGES):
        return (
            "it is XML or a web page, perhaps one that tells of an error where it was fetched; look into it, and land "
            "the records as CSV, JSON or Parquet."
        )
    return None
