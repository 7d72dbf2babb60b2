"""The narrowest type that every value of a column fits, with what has to be declared of how it is written.

Not here: dates (`date_inference`), and the text of the draft.
"""

import datetime as dt
import json
import re
from dataclasses import dataclass, replace
from decimal import Decimal

import polars as pl

from lakehouse_assets.parsing.date_inference import dates, nearly_dates

_INTEGER = r"^[+-]?(0|[1-9][0-9]{0,17})$"
_NUMBER = r"^[+-]?(0|[1-9][0-9]*)?\.?[0-9]+$"
_WHOLE = r"^[+-]?(0|[1-9][0-9]{0,17})(\.0)?$"
_FLOAT = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e-[0-9]+)?$"
_WITH_COMMA = {
    (".", ","): r"^[+-]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?$|^[+-]?[0-9]+(\.[0-9]+)?$",
    (",", None): r"^[+-]?[0-9]+(,[0-9]+)?$",
    (",", "."): r"^[+-]?[0-9]{1,3}(\.[0-9]{3})+(,[0-9]+)?$|^[+-]?[0-9]+(,[0-9]+)?$",
    (",", " "): r"^[+-]?[0-9]{1,3}( [0-9]{3})+(,[0-9]+)?$|^[+-]?[0-9]+(,[0-9]+)?$",
    (".", " "): r"^[+-]?[0-9]{1,3}( [0-9]{3})+(\.[0-9]+)?$|^[+-]?[0-9]+(\.[0-9]+)?$",
    (",", "\xa0"): r"^[+-]?[0-9]{1,3}(\x{a0}[0-9]{3})+(,[0-9]+)?$|^[+-]?[0-9]+(,[0-9]+)?$",
    (".", "'"): r"^[+-]?[0-9]{1,3}('[0-9]{3})+(\.[0-9]+)?$|^[+-]?[0-9]+(\.[0-9]+)?$",
}
_MAX_SCALE, _ROOM, _MAX_DIGITS, _USUAL_DIGITS = 10, 2, 38, 18
_NOISE_SCALE, _NOISE = 6, Decimal("1e-9")
_NEARLY_ALL = 0.9
_SAMPLES, _LONGEST = 3, 20
_TEXT = "dy.String("
_MISSING = ("na", "n/a", "#n/a", "null", "none", "nan", r"\n", "-", "--", "?", ".")
"""What exports write, in lower case, where there is no value."""


@dataclass(frozen=True)
class Column:
    """What a draft says of a column.

    Attributes:
        kind: Constructor and its arguments, such as `dy.Decimal(20, 4`, without those that all columns have.
        nullable: Whether a value is missing.
        options: Arguments of `source`, by name, as Python writes them.
        comment: What a person is to know of it.
        days: The first and the last day, of dates and times.
    """

    kind: str
    nullable: bool = False
    options: tuple[str, ...] = ()
    comment: str | None = None
    days: tuple[dt.date, dt.date] | None = None


def column(field: str, values: pl.Series, *, is_personal: bool, decimal: str | None = None) -> Column:
    """Return the type of a column and how it is written.

    Args:
        field: Name of the field.
        values: Its values in the sample.
        is_personal: Whether values must not be shown.
        decimal: The decimal sign of other columns, for numbers of which the sample does not tell it.
    """
    text = values.str.strip_chars()
    present = text.filter(text.is_not_null() & (text != ""))
    found = _column(field, present, is_personal=is_personal, decimal=decimal)
    is_word = _is_missing(present)
    if found.kind == _TEXT and is_word.any():
        said, option = _missing(present, is_word)
        typed = _column(field, present.filter(~is_word), is_personal=is_personal, decimal=decimal)
        if typed.kind != _TEXT:
            comment = "; ".join(filter(None, (typed.comment, f"missing: {said}")))
            return replace(typed, nullable=True, options=(*typed.options, option), comment=comment)
        # In a text the same word may be a value: NA is Namibia.
        found = replace(found, comment=found.comment or f"text: {said}; if that means missing: source({option})")
    return replace(found, nullable=present.len() < values.len())


def _is_missing(present: pl.Series) -> pl.Series:
    return present.str.to_lowercase().is_in(_MISSING)


def _missing(present: pl.Series, is_word: pl.Series) -> tuple[str, str]:
    """Return how many values are words for a missing one, and the argument of `source` that says so."""
    words = sorted(present.filter(is_word).unique())
    count = is_word.sum()
    said = f"{count:,} of {present.len():,} values {'is' if count == 1 else 'are'} {' or '.join(map(repr, words))}"
    return said, f"missing=({', '.join(map(json.dumps, words))}{',' * (len(words) == 1)})"


def _column(field: str, present: pl.Series, *, is_personal: bool, decimal: str | None) -> Column:
    """Return the column by those of its values that are there, trimmed."""
    if not present.len():
        return Column(_TEXT, comment="text: no value in the sample")
    if found := dates(field, present):
        if found.doubt:
            return Column(_TEXT, comment=f"text: {found.doubt}")
        written = tuple(f'"{form}"' for form in found.formats)
        options = (f"formats=({', '.join(written)}{',' * (len(written) == 1)})",) * bool(written)
        kind = 'dy.Datetime(time_zone="UTC", ' if found.has_time else "dy.Date("
        return Column(kind, options=options, days=found.days)
    if present.str.to_lowercase().is_in(["true", "false"]).all():
        return Column("dy.Bool(")
    if is_identifier(field) and present.str.contains(_WHOLE).all() and present.str.ends_with(".0").any():
        return Column("dy.Int64(", options=("normalise=(drop_point_zero,)",))
    number = _number(present, decimal)
    if isinstance(number, Column):
        return number
    return Column(_TEXT, comment=number or _why_text(field, present, is_personal=is_personal))


def decimal_sign(values: pl.Series) -> str | None:
    """Return the decimal sign of a column of numbers whose values leave no doubt about it; else None."""
    text = values.str.strip_chars()
    present = text.filter(text.is_not_null() & (text != "") & ~_is_missing(text))
    if not present.len() or present.str.contains(_INTEGER).all():
        return None
    signs = {decimal for (decimal, _), pattern in _WITH_COMMA.items() if present.str.contains(pattern).all()}
    return signs.pop() if len(signs) == 1 else None


def _number(present: pl.Series, decimal: str | None) -> Column | str | None:
    """Return the column of numbers; why they stay text, where they nearly are some; None where they are not."""
    if present.str.contains(r"^[+-]?0[0-9]").any() and present.str.contains(r"^[+-]?[0-9]+$").all():
        return "text: leading zeros"
    groups = present.str.contains(r"^[+-]?[0-9]{1,3}\.[0-9]{3}$")
    if decimal == "," and groups.any() and present.str.contains(_WITH_COMMA[",", "."]).all():
        return _typed(_plain(present, ",", "."), ('decimal=","', 'thousands="."'))
    if (plain := _typed(present, ())) is not None:
        return plain
    fitting = [(sign, gap) for (sign, gap), pattern in _WITH_COMMA.items() if present.str.contains(pattern).all()]
    fitting = [each for each in fitting if _says_more(present, *each, fitting)]
    if len(fitting) > 1 and decimal:
        fitting = [each for each in fitting if each[0] == decimal]
    if len(fitting) > 1:
        return "text: numbers of which the sample does not tell decimals from thousands: source(decimal=, thousands=)"
    if not fitting:
        return None
    sign, gap = fitting[0]
    options = ('decimal=","',) * (sign == ",") + (
        f"thousands={gap!r}".replace("'", '"') if gap != "'" else 'thousands="\'"',
    ) * (gap is not None)
    return _typed(_plain(present, sign, gap), options)


def _says_more(present: pl.Series, sign: str, gap: str | None, fitting: list[tuple[str, str | None]]) -> bool:
    """Return whether a way to write numbers is used: its thousands are there, or none without them fits."""
    if gap is not None:
        return bool(present.str.contains(gap, literal=True).any())
    return all(
        other_sign != sign or other == gap or not present.str.contains(other or "", literal=True).any()
        for other_sign, other in fitting
    )


def _plain(present: pl.Series, sign: str, gap: str | None) -> pl.Series:
    text = present.str.replace_all(gap, "", literal=True) if gap else present
    return text.str.replace(sign, ".", literal=True)


def _typed(present: pl.Series, options: tuple[str, ...]) -> Column | None:
    """Return the column of numbers with a decimal point; None if they are not."""
    if present.str.contains(_INTEGER).all():
        return Column("dy.Int64(", options=options)
    is_decimal = bool(present.str.contains(_NUMBER).all()) and not present.str.contains(r"^[+-]?0[0-9]").any()
    if is_decimal and _scale(present) <= _MAX_SCALE:
        return _decimal(present, options)
    if not present.str.to_lowercase().str.contains(_FLOAT).all() or present.str.contains(r"^[+-]?0[0-9]").any():
        return None
    long = present.filter(present.str.contains("[eE]") | present.str.contains(rf"\.[0-9]{{{_MAX_SCALE + 1},}}"))
    cleaned = [_cleaned(text) for text in long.unique()]
    if long.len() < present.len() and all(each is not None for each in cleaned):
        rest = present.filter(~present.is_in(long.implode()))
        short = pl.concat([rest, pl.Series([each for each in cleaned if each is not None], dtype=pl.String)])
        found = _decimal(short, (*options, "rounded=True"))
        return found and Column(found.kind, options=found.options, comment="noise of binary floats is rounded away")
    if not present.str.contains(".", literal=True).any():
        return None
    return Column("dy.Float64(", options=options, comment="float: too many decimals for a Decimal")


def _cleaned(text: str) -> str | None:
    """Return a number without the noise of binary floats; None where its decimals are more than noise."""
    value = Decimal(text)
    near = round(value, _NOISE_SCALE)
    if abs(value - near) > _NOISE * max(abs(value), Decimal(1)):
        return None
    return format(near.normalize() + 0, "f")


def _scale(present: pl.Series) -> int:
    return int(present.str.extract(r"\.([0-9]*)$").str.len_bytes().fill_null(0).max() or 0)  # type: ignore[arg-type]


def _decimal(present: pl.Series, options: tuple[str, ...]) -> Column | None:
    """Return decimals with room for more digits than the sample has, as far as the type goes."""
    scale = _scale(present)
    digits = int(present.str.extract(r"^[+-]?([0-9]*)").str.len_bytes().max() or 0)  # type: ignore[arg-type]
    if digits + scale > _MAX_DIGITS:
        return None
    scale = min(scale + _ROOM * bool(scale), _MAX_DIGITS - digits)
    return Column(f"dy.Decimal({min(max(_USUAL_DIGITS, digits) + scale, _MAX_DIGITS)}, {scale}, ", options=options)


def _why_text(field: str, present: pl.Series, *, is_personal: bool) -> str | None:
    """Return why a column stays text that a person may take for something else."""
    if present.str.contains(r"^\s*\[").all():
        return "text: JSON arrays"
    if present.str.contains(r"^\s*\{").all():
        return 'text: JSON objects; a field in them is read by its path, such as source("field.name")'
    is_number = present.str.to_lowercase().str.contains(_FLOAT)
    if _NEARLY_ALL * present.len() <= is_number.sum() < present.len():
        return _but_for(present, present.filter(~is_number), "number", is_personal=is_personal)
    if nearly := nearly_dates(field, present, _NEARLY_ALL):
        found, others = nearly
        what = "date" if found.doubt else f"date in {' or '.join(found.formats) or 'ISO 8601'}"
        said = _but_for(present, others, what, is_personal=is_personal)
        return f"{said}; the other values are {found.doubt}" if found.doubt else said
    looks_like_date = present.str.contains(r"^[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}")
    if looks_like_date.all():
        return "text: dates in no format that is known here: source(formats=...)"
    if _NEARLY_ALL * present.len() <= looks_like_date.sum():
        return _but_for(present, present.filter(~looks_like_date), "date", is_personal=is_personal)
    return None


def _but_for(present: pl.Series, others: pl.Series, what: str, *, is_personal: bool) -> str:
    """Return how many values keep a column text, and some of them unless they are personal."""
    shown = ", ".join(repr(value[:_LONGEST]) for value in others.unique(maintain_order=True).head(_SAMPLES))
    counted = f"{others.len():,} of {present.len():,} values {'is' if others.len() == 1 else 'are'} no {what}"
    return f"text: {counted}" + f": {shown}" * (not is_personal)


def is_identifier(field: str) -> bool:
    """Return whether a name says that its values tell things apart."""
    named = r"(^|_|[a-z])(id|no|nr|key|code|number|uuid)(?<!paid)(?<!valid)(?<!void)(?<!grid)(?<!bid)$"
    return re.search(named, field.strip(), re.IGNORECASE) is not None
