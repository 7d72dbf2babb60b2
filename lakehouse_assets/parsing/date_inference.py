"""In which formats the dates and times of a column are written, where the data decide it."""

import datetime as dt
import re
from dataclasses import dataclass
from itertools import product

import polars as pl

from lakehouse_assets.contracts.declare import Source
from lakehouse_assets.contracts.wording import counted
from lakehouse_assets.parsing.casting import ambiguous, cast

_DAYS = (
    *("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%m.%d.%Y", "%d-%m-%Y", "%m-%d-%Y"),
    *("%d/%m/%y", "%m/%d/%y", "%d.%m.%y", "%d-%m-%y", "%m-%d-%y", "%d-%b-%Y", "%d-%b-%y", "%d %b %Y", "%d %B %Y"),
    *("%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%Y%m%d"),
)
_TIMES = ("", " %H:%M:%S", " %H:%M", " %H:%M:%S%.f", " %I:%M:%S %p", " %I:%M %p", "T%H:%M:%S", "T%H:%M")
_FORMS = tuple(day + time for day, time in product(_DAYS, _TIMES))
_PLAUSIBLE_YEARS = (1900, 2100)
_NAMED_AS_DATE = re.compile(r"date|day|datum|fecha|\bdt\b|_dt|_at$|_on$|time|ed$|since", re.IGNORECASE)
_SHAPES, _TRIED, _MANY = 8, 50, 50
_ISO_DAY = r"^\d{4}-\d{2}-\d{2}"


@dataclass(frozen=True)
class Dates:
    """What is known of a column's dates.

    Attributes:
        has_time: Whether some of them have a time of day.
        formats: Those to declare; empty for ISO 8601.
        doubt: Why they cannot be declared as dates, though they look like some.
        days: The first and the last one.
    """

    has_time: bool
    formats: tuple[str, ...] = ()
    doubt: str | None = None
    days: tuple[dt.date, dt.date] | None = None


def dates(field: str, present: pl.Series) -> Dates | None:
    """Return how the values of a column are dates; None if they are none.

    Args:
        present: Its values, none missing, none blank.
    """
    if not present.str.contains(r"\d").all():
        return None
    if present.str.contains(_ISO_DAY).all():
        for has_time in (False, True):
            if iso := _readable(present, has_time, ()):
                return iso
    shape = _shape(present)
    shapes = shape.unique(maintain_order=True)
    if shapes.len() > _SHAPES or (shapes.to_list() == ["9"] and not _is_day(field, present)):
        return None
    found = {each: _formats_of(present.filter(shape == each).unique(maintain_order=True)) for each in shapes}
    return _settled(present, found) if all(found.values()) else None


def nearly_dates(field: str, present: pl.Series, share: float) -> tuple[Dates, pl.Series] | None:
    """Return how nearly all values of a column are dates, and the values that are none; None if too few are dates.

    Args:
        present: Its values, none missing, none blank.
        share: How many of them must be dates, from 0 to 1.
    """
    if present.str.contains(r"\d").sum() < share * present.len():
        return None
    shape = _shape(present)
    common = shape.value_counts(sort=True).to_series().head(_SHAPES)
    read = pl.concat([_read_by_most(present.filter(shape == each).unique(maintain_order=True)) for each in common])
    is_date = present.is_in(read.implode())
    if not share * present.len() <= is_date.sum() < present.len():
        return None
    found = dates(field, present.filter(is_date))
    return (found, present.filter(~is_date)) if found else None


def _read_by_most(values: pl.Series) -> pl.Series:
    """Return those of some values written alike that the format reads which reads the most of them."""
    best = values.filter(cast(values, pl.Datetime("us", "UTC"), Source(()), "UTC").is_not_null())
    first = values.head(_TRIED)
    for form in _forms_like(values[0]):
        if 2 * _is_read(first, form).sum() < first.len():
            continue
        fits = _is_read(values, form)
        if fits.sum() > best.len():
            best = values.filter(fits)
    return best


def _is_read(values: pl.Series, form: str) -> pl.Series:
    years = values.str.strptime(pl.Datetime("us"), form, strict=False).dt.year()
    return years.is_between(*_PLAUSIBLE_YEARS).fill_null(value=False)


def _shape(present: pl.Series) -> pl.Series:
    """Return values with `9` in place of digits and `a` in place of words."""
    return present.str.replace_all(r"\d+", "9").str.replace_all(r"[A-Za-z]+", "a")


def _settled(present: pl.Series, found: dict[str, list[str]]) -> Dates | None:
    """Return the dates whose formats, by shape, are found; what one shape tells of the order, holds for the others."""
    orders = {_is_day_first(fitting[0]) for fitting in found.values() if len(fitting) == 1} - {None}
    if len(orders) == 1:
        found = {
            shape: [form for form in fitting if _is_day_first(form) in orders] if len(fitting) > 1 else fitting
            for shape, fitting in found.items()
        }
    has_time = any("%H" in form or "%I" in form for fitting in found.values() for form in fitting)
    if unsure := next((fitting for fitting in found.values() if len(fitting) > 1), None):
        named = " or ".join(f'"{form}"' for form in unsure)
        return Dates(has_time, doubt=f"dates; day first or month first, the sample does not tell: {named}")
    formats = tuple(dict.fromkeys(form for fitting in found.values() for form in fitting))
    origin, dtype = Source((), formats=formats), pl.Datetime("us", "UTC") if has_time else pl.Date()
    if differing := int(ambiguous(present, dtype, origin).sum()):
        return Dates(
            has_time, doubt=f"dates in {len(formats)} formats, which read {counted(differing, 'value')} differently"
        )
    return _readable(present, has_time, formats)


def _readable(present: pl.Series, has_time: bool, formats: tuple[str, ...]) -> Dates | None:  # noqa: FBT001 - of `Dates`
    """Return dates in some formats, if every value can be read so."""
    dtype = pl.Datetime("us", "UTC") if has_time else pl.Date()
    days = cast(present, dtype, Source((), formats=formats), "UTC").cast(pl.Date)
    first, last = days.min(), days.max()
    if days.null_count() or not isinstance(first, dt.date) or not isinstance(last, dt.date):
        return None
    return Dates(has_time, formats, days=(first, last))


def _is_day(field: str, present: pl.Series) -> bool:
    """Return whether a number of eight digits is to be a date: every one may be, and its name or the many say so.

    Numbers in sequence are no days for long: none has a day 32.
    """
    may_be = bool(present.str.contains(r"^(19|20)\d{6}$").all())
    return may_be and (_NAMED_AS_DATE.search(field) is not None or present.n_unique() >= _MANY)


def _formats_of(values: pl.Series) -> list[str]:
    """Return the formats that read all of some values written alike, and read them as other than one another does."""
    readings: list[tuple[str, pl.Series]] = []
    first = values.head(_TRIED)
    for form in _forms_like(values[0]):
        if first.str.strptime(pl.Datetime("us"), form, strict=False).null_count():
            continue
        read = values.str.strptime(pl.Datetime("us"), form, strict=False)
        years = read.dt.year()
        if read.null_count() or not years.is_between(*_PLAUSIBLE_YEARS).all():
            continue
        if not any(read.equals(known) for _, known in readings):
            readings.append((form, read))
    return [form for form, _ in readings]


def _forms_like(value: str) -> list[str]:
    """Return the formats with the punctuation of a value: no other one can read it, and to try each costs time."""
    marks = re.sub(r"[\w\s]", "", value)
    written = ((form, re.sub(r"%[A-Za-z]|[\w\s]", "", form)) for form in _FORMS)
    return [form for form, found in written if marks in {found.replace("%", ""), found.replace("%.", "")}]


def _is_day_first(form: str) -> bool | None:
    """Return whether the day stands before the month; None where the year or a word tells it."""
    if form.startswith("%Y") or "%b" in form or "%B" in form:
        return None
    return form.index("%d") < form.index("%m")
