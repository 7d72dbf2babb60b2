"""Whether text looks decoded as it was written. Any bytes are some text in a one-byte encoding; few are words.

Read in another encoding than its own, `décor` is `dŽcor` or `d‚cor`: capitals and signs stand inside of words, where
no language has them. Not here: decoding, and what is said of it.
"""

# ruff: noqa: RUF001, RUF002 - signs that look like others are what this is about

import polars as pl

_AT_MOST = 20_000
_ODD_SHARE = 0.2
_CAPITALS = "À-ÖØ-ÞŠŒŽŸ"
_SIGNS = "†‡ˆ‰¢£¥¦§¨©ª«¬®¯°±²³´¶¸¹»¼½¾¿×÷€‚„•˜›‹™¤¡√∂∞≤≥∑∏π∫Ω"
_ODD = "|".join(
    (
        r"[\x{80}-\x{9f}\x{fffd}]",  # no sign at all
        r"Ã[\x{80}-\x{bf}ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]|Â[\x{a0}-\x{bf}]|â€",  # UTF-8 read as Windows-1252
        rf"\p{{L}}[{_SIGNS}]\p{{L}}",
        rf"\p{{L}}[{_CAPITALS}]\p{{Ll}}|\p{{Ll}}[{_CAPITALS}]\b",
        r"\p{Lu}[ÕÔÒÓ]\p{Lu}\p{Ll}",  # an apostrophe of a Macintosh: O'Brien
    )
)
_NOT_ASCII = r"[^\x00-\x7F]"


def odd_characters(texts: pl.Series) -> tuple[int, int]:
    """Return how many characters beyond ASCII some texts have, and how many of them stand where none should."""
    some = beyond_ascii(texts)
    if not some.len():
        return 0, 0
    counts = some.to_frame("text").select(
        pl.col("text").str.count_matches(_NOT_ASCII).sum().alias("all"), pl.col("text").str.count_matches(_ODD).sum()
    )
    return int(counts["all"][0]), int(counts["text"][0])


def garbled_words(texts: pl.Series, count: int = 3) -> list[str]:
    """Return some words that look wrongly decoded; none where these are few among the characters beyond ASCII."""
    total, odd = odd_characters(texts)
    if not odd or odd < _ODD_SHARE * total:
        return []
    words = beyond_ascii(texts).str.extract_all(rf"\S*(?:{_ODD})\S*").explode().drop_nulls()
    return words.unique(maintain_order=True).head(count).to_list()


def is_odd(texts: pl.Series) -> pl.Series:
    """Return which texts have a character where none should stand."""
    is_beyond = texts.str.len_bytes() != texts.str.len_chars()
    return texts.str.contains(_ODD) if is_beyond.any() else is_beyond


def beyond_ascii(texts: pl.Series) -> pl.Series:
    """Return the first texts that have a character beyond ASCII."""
    return texts.filter(texts.str.len_bytes() != texts.str.len_chars()).head(_AT_MOST)
