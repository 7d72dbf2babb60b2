"""From bytes to UTF-8 text. Not here: what the text says, and whether it looks as text should."""

import re

from lakehouse_assets.parsing.archives import Rejection

_BOM = b"\xef\xbb\xbf"
UTF8_SEQUENCE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")


def utf8(data: bytes, encoding: str | None = None) -> bytes:
    """Return text as UTF-8 without byte order mark.

    Args:
        encoding: The declared one; None for UTF-8 or Windows-1252, whichever it is.

    Raises:
        Rejection: The text is not in the declared encoding, or in neither of the two, or in both.
    """
    if encoding is not None:
        return _decoded(data, encoding)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        msg = "the text is UTF-16; save it as UTF-8 and land it again."
        raise Rejection(msg)
    data = data.removeprefix(_BOM)
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    else:
        return data
    for number, line in enumerate(data.splitlines(), start=1):
        if line.isascii():
            continue
        try:
            line.decode("utf-8")
        except UnicodeDecodeError:
            if not UTF8_SEQUENCE.search(line):
                continue
        msg = f"line {number} is UTF-8 but other lines are not; save all of it in one encoding and land it again."
        raise Rejection(msg)
    try:
        return data.decode("cp1252").encode()
    except UnicodeDecodeError as error:
        msg = f"byte {error.start:,} is neither UTF-8 nor Windows-1252; save it as UTF-8 and land it again."
        raise Rejection(msg) from None


def _decoded(data: bytes, encoding: str) -> bytes:
    try:
        return data.decode(encoding).removeprefix("\ufeff").encode()
    except UnicodeError as error:
        where = f"byte {error.start:,}" if isinstance(error, UnicodeDecodeError) else "some of it"
        msg = (
            f"{where} is not text in {encoding}, the encoding that its feed declares; land it in that encoding, or "
            "correct the declaration."
        )
        raise Rejection(msg) from None
