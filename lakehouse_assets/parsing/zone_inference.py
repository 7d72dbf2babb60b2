"""In which zone the times of some records are, as far as the values or the names of their columns say it.

Not here: whether a value is a time (`date_inference`).
"""

import re

import polars as pl

from lakehouse_assets.parsing.casting import OFFSET
from lakehouse_assets.parsing.draft_text import Field, Proposal

_NAMED_UTC = re.compile(r"(^|_)(utc|gmt|zulu)(_|$)")
_UTC = re.compile(r"[zZ]|[+-]00:?00")
_SHOWN = 4


def zones(frame: pl.DataFrame, fields: list[Field]) -> tuple[list[str], list[Proposal]]:
    """Return what to know of the offsets of times, and the zone of those without one where a name says it.

    Args:
        frame: The records, as text, by the fields' names.
    """
    notes, naive = [], []
    for field in (field for field in fields if field.type.kind.startswith("dy.Datetime(")):
        text = frame[field.name].str.strip_chars()
        present = text.filter(text.is_not_null() & (text != ""))
        is_written_otherwise = any(option.startswith("formats=") for option in field.type.options)
        offsets = present.str.extract(OFFSET).drop_nulls() if not is_written_otherwise else present.clear()
        if offsets.len() < present.len():
            naive.append(field)
        if offsets.len():
            notes.append(_offsets(field, offsets, present.len()))
    return notes, _source_zone(naive)


def _offsets(field: Field, offsets: pl.Series, count: int) -> str:
    """Say which offsets a column's times have."""
    kinds = offsets.unique().sort().to_list()
    if offsets.len() < count:
        return (
            f"{field.column}: {count - offsets.len():,} of {count:,} times have no offset. These are of source_zone, "
            "or else of time_zone."
        )
    if all(_UTC.fullmatch(kind) for kind in kinds):
        return f"{field.column}: all times are UTC, and say so. They need no source_zone."
    more = f" and {len(kinds) - _SHOWN:,} more" if len(kinds) > _SHOWN else ""
    return (
        f"{field.column}: all times say their offset ({', '.join(kinds[:_SHOWN])}{more}). They need no source_zone; "
        "time_zone is the zone whose days are those of the business."
    )


def _source_zone(naive: list[Field]) -> list[Proposal]:
    """Propose UTC for times without an offset, where the name of a column says it; it is of all of them."""
    utc = [field for field in naive if _NAMED_UTC.search(field.column)]
    if not utc:
        return []
    others = [field.column for field in naive if field not in utc]
    said = f"{', '.join(field.column for field in utc)}: UTC by name; the times have no offset."
    if others:
        said += f" It would hold for {', '.join(others)}, too, whose zone nothing tells:"
    return [Proposal(('source_zone="UTC"',), said, is_certain=not others)]
