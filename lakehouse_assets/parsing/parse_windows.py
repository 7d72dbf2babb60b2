"""Reading a large source object some records at a time, to the same bronze columns as when it is read whole.

Not here: the windows themselves (`csv_windows`, `json_windows`), and what is made of the records of one (`parse`).
"""

from collections.abc import Collection, Iterable, Iterator

import polars as pl

from lakehouse_assets.contracts.declare import Csv, Feed, Json
from lakehouse_assets.contracts.drift import Drift
from lakehouse_assets.contracts.evaluation import is_row_wise
from lakehouse_assets.parsing import foreign_formats
from lakehouse_assets.parsing.archives import is_workbook
from lakehouse_assets.parsing.casting import normalised
from lakehouse_assets.parsing.csv_windows import read_in_windows
from lakehouse_assets.parsing.json_windows import JsonWindows
from lakehouse_assets.parsing.nested import with_nested
from lakehouse_assets.parsing.parse import as_bronze, is_json, is_parquet, wanted_inside
from lakehouse_assets.parsing.records import Raw
from lakehouse_assets.parsing.schema_drift import present_values
from lakehouse_assets.parsing.windows import NotInWindowsError, begin_of

_HEAD = 2**16


def parse_in_windows(data: bytes, feed: Feed, limit: int, size: int) -> Iterator[tuple[pl.DataFrame, Drift]]:
    """Read one large source object as `parse` does, some records at a time.

    Args:
        data: The source object's bytes, out of any gzip.
        limit: The most bytes of an object that is read whole.
        size: Bytes of a window.

    Yields:
        What `parse` returns: the records, and what is known of the drift so far.

    Raises:
        NotInWindowsError: It has to be read as a whole, also what was read of it already.
        Rejection: The object cannot be taken.
    """
    form = feed.format
    if len(data) <= limit or not isinstance(form, Csv | Json | None) or _is_packed(data):
        raise NotInWindowsError
    origins = feed.sources.values()
    if not all(is_row_wise(normalised(origin)) for origin in origins):  # a step that looks at other records
        raise NotInWindowsError
    begin = begin_of(data)
    windows: Iterable[Raw]
    inside = set[str]()
    if is_json(data[begin : begin + _HEAD]) and not isinstance(form, Csv):
        if form is not None and form.encoding is not None:
            raise NotInWindowsError
        windows = JsonWindows(data, form.records if form else None, size)
        inside = _inside(windows, feed)
    elif isinstance(form, Json):
        raise NotInWindowsError
    else:
        windows = _delimited(data, feed, size)
    yield from _in_windows(windows, feed, inside)


def _in_windows(windows: Iterable[Raw], feed: Feed, inside: Collection[str]) -> Iterator[tuple[pl.DataFrame, Drift]]:
    drift: Drift | None = None
    lines = 0
    types = {name: column.dtype for name, column in feed.columns.items()}
    open_ = {name for name in feed.sources if not isinstance(types[name], pl.String)}

    def settled(found: Drift) -> Drift:
        if not open_.isdisjoint(found.retyped):  # unless values of later records can be read
            raise NotInWindowsError
        return found if drift is None else drift.then(found)

    for raw in windows:
        records, drift = as_bronze(raw, feed, settled, inside)
        yield records.with_columns(pl.col("_line") + lines), drift
        lines += records.height
        for name in list(open_):
            if present_values(records[feed.sources[name].headers[0]], feed.sources[name]).len():
                open_.remove(name)


def _inside(windows: Iterable[Raw], feed: Feed) -> set[str]:
    """Return the paths into fields that some record has."""
    found = set[str]()
    for raw in windows:
        wanted = wanted_inside(raw, feed)
        if all("." not in header or header in found for header in wanted):
            break
        found |= {*with_nested(raw, wanted)[0].frame.columns} - {*raw.frame.columns}
    return found


def _delimited(data: bytes, feed: Feed, size: int) -> Iterator[Raw]:
    form = feed.format if isinstance(feed.format, Csv) else Csv()
    known = [header for origin in feed.sources.values() for header in origin.headers]
    for raw in map(Raw, read_in_windows(data, known, form, size)):
        if any("." in header for header in wanted_inside(raw, feed)):  # a path that some windows only may have
            raise NotInWindowsError
        yield raw


def _is_packed(data: bytes) -> bool:
    """Return whether bytes are of a format that is no text."""
    return foreign_formats.refusal(data) is not None or is_workbook(data) or is_parquet(data)
