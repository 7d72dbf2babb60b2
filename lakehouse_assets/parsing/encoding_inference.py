"""Which encoding some texts are in, from their bytes alone: the one under which they look most like words."""

import codecs
from collections.abc import Iterable

import polars as pl

from lakehouse_assets.parsing.plausible_text import odd_characters

_BOMS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_ONE_BYTE = ("cp1252", "mac_roman", "cp850", "cp1250", "latin-1")
_LINES = 5_000
_NULS = 4  # more than one byte in four


def encoding_of(texts: Iterable[bytes]) -> str | None:
    """Return the encoding to declare for some texts; None for UTF-8 and Windows-1252, which need no declaration."""
    odd: list[bytes] = []
    for data in texts:
        if bom := next((name for mark, name in _BOMS.items() if data.startswith(mark)), None):
            return bom
        if data[:1000].count(b"\0") * _NULS > len(data[:1000]):
            return "utf-16-le" if data[1:2] == b"\0" else "utf-16-be"
        if not data.isascii() and _decoded(data, "utf-8") is None:
            odd += [line for line in data.splitlines() if not line.isascii()]
    if not odd:
        return None
    joined = b"\n".join(odd[:_LINES])
    scores = {}
    for name in _ONE_BYTE:
        text = _decoded(joined, name, is_cut=False)
        if text is not None:
            scores[name] = odd_characters(pl.Series(text.split("\n")))[1]
    best = min(scores, key=lambda name: scores[name])  # of equals, the first one
    return None if best == "cp1252" else best


def decoded(data: bytes, encoding: str | None, *, is_cut: bool) -> str | None:
    """Return the text of bytes that may end within a character; None where they are not in the encoding."""
    if encoding is not None:
        return _decoded(data, encoding, is_cut=is_cut)
    text = _decoded(data, "utf-8", is_cut=is_cut)
    return _decoded(data, "cp1252", is_cut=is_cut) if text is None else text


def _decoded(data: bytes, encoding: str, *, is_cut: bool = True) -> str | None:
    try:
        return codecs.getincrementaldecoder(encoding)().decode(data, final=not is_cut).removeprefix("\ufeff")
    except UnicodeError:
        return None
