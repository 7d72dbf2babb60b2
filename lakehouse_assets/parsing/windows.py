"""Large text as UTF-8, some bytes at a time, whatever its encoding. Not here: where its records begin and end."""

import codecs
from collections.abc import Iterator

from lakehouse_assets.parsing.text_encoding import UTF8_SEQUENCE

NULS = 4  # more than one byte in four is NUL in no text
_BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


class NotInWindowsError(Exception):
    """The object has to be read as a whole, which also says what is wrong with it, if anything is."""


def begin_of(data: bytes) -> int:
    """Return where UTF-8 text begins: behind a byte order mark."""
    return len(_BOM) if data.startswith(_BOM) else 0


def pieces(data: bytes, encoding: str | None, size: int) -> Iterator[bytes]:
    """Yield text as UTF-8 without byte order mark, in pieces that may end anywhere.

    Args:
        encoding: The declared one; None for UTF-8 or Windows-1252, whichever it is.
        size: Bytes of a piece, before it is decoded.

    Raises:
        NotInWindowsError: The text is not in that encoding, or the codec cannot read in pieces.
    """
    encoding = encoding or _found(data, size)
    if encoding == "utf-8":
        yield from (data[at : at + size] for at in range(begin_of(data), len(data), size))
        return
    try:
        is_first = True
        for text in _decoded(data, encoding, size):
            if text:
                yield (text.removeprefix("\ufeff") if is_first else text).encode()
                is_first = False
    except (UnicodeError, LookupError):
        raise NotInWindowsError from None


def is_utf8(data: bytes, size: int) -> bool:
    """Return whether all of some bytes are UTF-8; `size` of them are looked at once."""
    try:
        for _ in _decoded(data, "utf-8", size):
            pass
    except UnicodeDecodeError:
        return False
    return True


def _found(data: bytes, size: int) -> str:
    if is_utf8(data, size):
        return "utf-8"
    if data.startswith(_UTF16) or UTF8_SEQUENCE.search(data):
        raise NotInWindowsError
    return "cp1252"


def _decoded(data: bytes, encoding: str, size: int) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(encoding)()
    for at in range(0, len(data), size):
        yield decoder.decode(data[at : at + size], final=at + size >= len(data))
