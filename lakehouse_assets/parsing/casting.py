"""From text to values: normalisation, and strict casts that give null instead of a guess.

Everything here is a pure function of the text, so ingest (which needs the business date) and publishing (which
needs the values) read a record the same way.
"""

import re
from functools import reduce
from operator import and_

import polars as pl

from lakehouse_assets.contracts.declare import Feed, Source
from lakehouse_assets.contracts.periods import first_days

_DATE_TIME = (
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%d %H:%M",
)
_LAST_YEAR = 9999
OFFSET = r"([zZ]|[+-][0-9]{2}:?[0-9]{2})$"
_INTEGER = r"^[+-]?[0-9]+$"
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)$"
_FLOAT = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_FIRST_YEAR = 1000  # of four digits


def normalised(origin: Source) -> pl.Expr:
    """Return the normalised text of a source column: trimmed, null where it is missing, then the column's own steps.

    Reads the column named by the origin's first header.
    """
    text = pl.col(origin.headers[0]).str.strip_chars()
    if origin.missing:
        text = pl.when(reduce(and_, (text != word for word in origin.missing))).then(text)
    for step in origin.normalise:
        text = step(text)
    return pl.when(text != "").then(text)


def cast(text: pl.Series, dtype: pl.DataType, origin: Source, naive_zone: str) -> pl.Series:
    """Cast normalised text to a contract type; what cannot be read exactly becomes null.

    A number with more decimals than its type keeps its rounded value, so that rules on the value still apply:
    `excess_decimals` tells it apart.
    """
    match dtype:
        case pl.String():
            return text
        case pl.Decimal():
            return _guarded(_plain(text, origin), _FLOAT if origin.rounded else _NUMBER, dtype)
        case pl.Datetime():
            return instants(text, origin.formats, naive_zone)[0]
        case pl.Date():
            day = _in_formats(text, origin.formats or ("%Y-%m-%d",), pl.Date())[0]
            return pl.select(pl.when(day.dt.year().is_between(1, _LAST_YEAR)).then(day)).to_series().alias(text.name)
        case pl.Boolean():
            low = text.str.to_lowercase()
            return pl.select(pl.when(low == "true").then(True).when(low == "false").then(False)).to_series()  # noqa: FBT003
        case _ if dtype.is_integer():
            return _guarded(_plain(text, origin), _INTEGER, dtype)
        case _ if dtype.is_float():
            return _guarded(_plain(text, origin), _FLOAT, dtype)
        case _:
            return text.cast(dtype, strict=False)


def excess_decimals(text: pl.Series, scale: int, origin: Source) -> pl.Series:
    """True where a number's text has more significant decimals than `scale`, and that is no reason to round it."""
    if origin.rounded:
        return pl.repeat(value=False, n=text.len(), eager=True)
    return _plain(text, origin).str.contains(rf"\.[0-9]{{{scale}}}[0-9]*[1-9]").fill_null(value=False)


def ambiguous(text: pl.Series, dtype: pl.DataType, origin: Source) -> pl.Series:
    """True where two of a column's declared formats read a text differently."""
    if len(origin.formats) < 2:  # noqa: PLR2004 - two formats
        return pl.repeat(value=False, n=text.len(), eager=True)
    return _in_formats(text, origin.formats, pl.Date() if isinstance(dtype, pl.Date) else pl.Datetime("us"))[1]


def _plain(text: pl.Series, origin: Source) -> pl.Series:
    """Return numbers with a decimal point and nothing between thousands; null where they are not as declared."""
    point, gap = re.escape(origin.decimal), origin.thousands
    if point == r"\." and gap is None:
        return text
    decimals = rf"({point}[0-9]*)?([eE][+-]?[0-9]+)?$"
    pattern = rf"^[+-]?([0-9]+{decimals}|{point}[0-9]+$"
    if gap is not None:
        pattern += rf"|[0-9]{{1,3}}({re.escape(gap)}[0-9]{{3}})+{decimals}"
    number = pl.col("text").str.replace_all(gap, "", literal=True) if gap else pl.col("text")
    number = number.str.replace(origin.decimal, ".", literal=True)
    return (
        text.to_frame("text")
        .select(pl.when(pl.col("text").str.contains(f"{pattern})")).then(number).alias(text.name))
        .to_series()
    )


def business_dates(frame: pl.DataFrame, feed: Feed) -> pl.Series:
    """Return the business date of each bronze record (`pl.Date`), null where it cannot be read.

    Of a feed by month or year it is the first day of that.
    """
    name = feed.business_date
    if name is None:
        return pl.Series("dt", [None] * frame.height, dtype=pl.Date)
    origin = feed.sources[name]
    text = frame.select(normalised(origin).alias(name)).to_series()
    if isinstance(feed.columns[name].dtype, pl.Date):
        days = cast(text, pl.Date(), origin, feed.naive_zone)
    else:
        days = instants(text, origin.formats, feed.naive_zone, feed.time_zone)[1]
    return first_days(days, feed.partition_by).alias("dt")


def instants(
    text: pl.Series, formats: tuple[str, ...], naive_zone: str, time_zone: str | None = None
) -> tuple[pl.Series, pl.Series]:
    """Read times as UTC instants and as days in the business time zone.

    A time without offset is of one zone: the first reading of an ambiguous one counts, a nonexistent one is null. A
    time with an offset is converted.

    Args:
        naive_zone: The zone of times without offset.
        time_zone: The business time zone; by default the same.

    Returns:
        The instants, `Datetime("us", "UTC")`, and the days, `Date`; both null where the text cannot be read.
    """
    name, time_zone = text.name, time_zone or naive_zone
    # Records beside each other often have the same time: it is read once.
    run, text = text.rle_id(), text.rle().struct.unnest()["value"]
    local = _in_formats(text, formats or _DATE_TIME[:1], pl.Datetime("us"))[0]
    instant = _to_utc(local, naive_zone)
    day = _days(local, instant, naive_zone, time_zone)
    odd = (instant.is_null() & text.is_not_null()).arg_true()
    if odd.len():
        rest_instant, rest_day = _instants_slowly(text.gather(odd), formats, naive_zone, time_zone)
        instant = instant.scatter(odd, rest_instant)
        day = day.scatter(odd, rest_day)
    known = day.is_not_null() & day.dt.year().is_between(1, _LAST_YEAR)
    if known.sum() < day.len() - day.null_count():
        # Other years have no place in a path, and no date in Python.
        chosen = pl.select(pl.when(known).then(instant).alias("instant"), pl.when(known).then(day).alias("day"))
        instant, day = chosen["instant"], chosen["day"]
    return instant[run].alias(name), day[run].alias(name)


def _instants_slowly(
    text: pl.Series, formats: tuple[str, ...], naive_zone: str, time_zone: str
) -> tuple[pl.Series, pl.Series]:
    text = text.str.replace(r"^([0-9-]{10})[tT]", "${1} ")
    dtype = pl.Datetime("us")
    local = _in_formats(text, formats, dtype)[0] if formats else _first_format(text, _DATE_TIME, dtype)
    if not formats:
        local = local.fill_null(_first_format(text, ("%Y-%m-%d",), pl.Date()).cast(pl.Datetime("us")))
    offset = text.str.replace(r"[zZ]$", "+0000").str.replace(r"([+-][0-9]{2}):([0-9]{2})$", "${1}${2}")
    has_offset = text.str.contains(OFFSET) & text.str.contains(":", literal=True)
    zoned = _first_format(
        pl.select(pl.when(has_offset).then(offset)).to_series(),
        tuple(f"{form}%z" for form in _DATE_TIME) + tuple(f"{form} %z" for form in _DATE_TIME),
        pl.Datetime("us", "UTC"),
    )
    naive = _to_utc(local, naive_zone)
    day_of_zoned = zoned.dt.convert_time_zone(time_zone).dt.date()
    return zoned.fill_null(naive), day_of_zoned.fill_null(_days(local, naive, naive_zone, time_zone))


def _days(local: pl.Series, instant: pl.Series, naive_zone: str, time_zone: str) -> pl.Series:
    """Return the days in the business time zone of times without offset, null where there is no such time."""
    if naive_zone != time_zone:
        return instant.dt.convert_time_zone(time_zone).dt.date()
    return pl.select(pl.when(instant.is_not_null()).then(local.dt.date())).to_series()


def _to_utc(local: pl.Series, naive_zone: str) -> pl.Series:
    zoned = local.dt.replace_time_zone(naive_zone, ambiguous="earliest", non_existent="null")
    return zoned.dt.convert_time_zone("UTC")


def _in_formats(text: pl.Series, formats: tuple[str, ...], dtype: pl.Date | pl.Datetime) -> tuple[pl.Series, pl.Series]:
    """Return what texts are in any of some formats, null where two of them differ; and where these are."""
    readings = [text.str.strptime(dtype, form, strict=False).alias(str(at)) for at, form in enumerate(formats)]
    if len(readings) == 1:
        return readings[0].alias(text.name), pl.repeat(value=False, n=text.len(), eager=True)
    # Of two digits, a format with four of them makes a year long gone.
    known = [pl.when(pl.col(each.name).dt.year() >= _FIRST_YEAR).then(pl.col(each.name)) for each in readings]
    frame = pl.DataFrame(readings).with_columns(known)
    value = frame.select(pl.coalesce(pl.all())).to_series()
    differs = frame.select(pl.any_horizontal(pl.all() != value)).to_series().fill_null(value=False)
    return pl.select(pl.when(~differs).then(value).alias(text.name)).to_series(), differs


def _first_format(text: pl.Series, formats: tuple[str, ...], dtype: pl.Date | pl.Datetime) -> pl.Series:
    values = text.str.strptime(dtype, formats[0], strict=False)
    for form in formats[1:]:
        if values.null_count() == text.null_count():
            break
        values = values.fill_null(text.str.strptime(dtype, form, strict=False))
    return values


def _guarded(text: pl.Series, pattern: str, dtype: pl.DataType) -> pl.Series:
    frame = text.to_frame("text")
    return frame.select(
        pl.when(pl.col("text").str.contains(pattern)).then(pl.col("text").cast(dtype, strict=False)).alias(text.name)
    ).to_series()
