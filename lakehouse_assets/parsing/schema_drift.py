"""Noticing how an object's columns differ from the contract's, and what the owner's policies make of it.

What is said of them goes to logs and to Dagster: the shape of a value, never the value. Only of text that looks wrongly
decoded some words are shown, and of no personal column.
"""

import re
from collections.abc import Mapping

import polars as pl

from lakehouse_assets.contracts.declare import Feed, Source
from lakehouse_assets.contracts.drift import Drift, Policy
from lakehouse_assets.parsing import header_names
from lakehouse_assets.parsing.casting import cast, normalised
from lakehouse_assets.parsing.plausible_text import garbled_words

_SAMPLE = 100
_SURE = 12
_TIME = re.compile(r"[12][0-9]{3}-(0[1-9]|1[0-2])-([01][0-9]|2[0-8]) (0[2-9]|1[0-9]):[0-5][0-9]:[0-5][0-9]$")
_LONGEST = 40


def noticed(
    raw: pl.DataFrame,
    feed: Feed,
    unknown: Mapping[str, str],
    present: Mapping[str, str],
    *,
    is_plain: bool = False,
) -> Drift:
    """Compare an object with the contract.

    Args:
        raw: The object as it is, all text.
        unknown: Header to raw column, for those that the contract does not know.
        present: Contract column to raw column, for those that are there.
        is_plain: Whether all text is known to be ASCII, which cannot be wrongly decoded.
    """
    drift = Drift(new={header: _shape(raw[column]) for header, column in unknown.items()})
    for name in feed.sources:
        if name not in present:
            if feed.missing_policy(name):
                drift.missing[name] = None
        elif _is_retyped(raw[present[name]], feed, name):
            drift.retyped[name] = _shape(raw[present[name]])
    for name in [name for name in present if isinstance(feed.columns[name].dtype, pl.String) and not is_plain]:
        if words := garbled_words(raw[present[name]]):
            is_shown = feed.sources[name].headers[0] in feed.shown_headers
            drift.garbled[name] = ", ".join(repr(word[:_LONGEST]) for word in words) if is_shown else None
    return drift


def _shape(values: pl.Series) -> str | None:
    """Return how the first value of a column is written, 9 for a digit and a for a letter: `1.3.2011` is `9.9.9999`."""
    present = values.drop_nulls()
    if not present.len():
        return None
    return re.sub(r"[^\W\d_]", "a", re.sub(r"\d", "9", str(present[0])[:_LONGEST]))


def _is_retyped(values: pl.Series, feed: Feed, name: str) -> bool:
    """Return whether no value of a column can be read; some first ones settle it for an object that is in order."""
    dtype = feed.columns[name].dtype
    if isinstance(dtype, pl.String) or (values.len() and _plainly_readable(values[0], dtype, feed.sources[name])):
        return False
    return all(_all_unreadable(values.head(size), feed, name) for size in (_SAMPLE, values.len()))


def _plainly_readable(value: str | None, dtype: pl.DataType, origin: Source) -> bool:
    """Return whether a first value settles it, without the cost of casting a column."""
    if value is None or origin.typing:
        return False
    if dtype.is_integer():
        return value.isascii() and value.removeprefix("-").isdigit() and len(value) < _SURE
    if isinstance(dtype, pl.Decimal):
        return value.isascii() and value.removeprefix("-").replace(".", "0", 1).isdigit() and len(value) < _SURE
    return isinstance(dtype, pl.Datetime) and not origin.formats and _TIME.match(value) is not None


def present_values(values: pl.Series, origin: Source) -> pl.Series:
    """Return the values of a column that are there once they are normalised."""
    return values.to_frame(origin.headers[0]).select(normalised(origin)).to_series().drop_nulls()


def _all_unreadable(values: pl.Series, feed: Feed, name: str) -> bool:
    origin = feed.sources[name]
    text = present_values(values, origin)
    if not text.len():
        return False
    return cast(text, feed.columns[name].dtype, origin, feed.naive_zone).null_count() == text.len()


def dropped(feed: Feed, name: str, drift: Drift) -> bool:
    """Return whether the values of a retyped column are dropped."""
    return name in drift.retyped and feed.retyped_policy(name) is Policy.DISCARD_COLUMN


def refusal(feed: Feed, drift: Drift, headers: list[str]) -> str | None:
    """Return why the policies reject the object, and what to do; None when they do not."""
    missing = [name for name in drift.missing if feed.missing_policy(name) is Policy.FREEZE]
    if missing:
        known = [header for origin in feed.sources.values() for header in origin.headers]
        named = ", ".join(feed.sources[name].headers[0] for name in missing)
        found = header_names.found(headers, known)
        if len(missing) > 1:
            fix = "Land it with these columns, or declare the names that they have as alternative headers."
            return f"the columns {named} are missing; {found}. {fix}"
        fix = "Land it with that column, or declare the name that it has as an alternative header."
        return f"the column {named} is missing; {found}. {fix}"
    if drift.new and feed.drift.new is Policy.FREEZE:
        return f"{Drift(new=drift.new).words}; the contract is frozen. Land it without, or extend the contract."
    retyped = {name: s for name, s in drift.retyped.items() if feed.retyped_policy(name) is Policy.FREEZE}
    if retyped:
        return f"{Drift(retyped=retyped).words}; the contract is frozen. Land it as declared, or change the contract."
    return None
