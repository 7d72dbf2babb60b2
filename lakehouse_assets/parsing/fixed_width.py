"""Lines with fields at fixed places, as a frame of strings. A line of another length is a record of another shape."""

import polars as pl

from lakehouse_assets.contracts.declare import FixedWidth
from lakehouse_assets.parsing.csv_text import line_feeds
from lakehouse_assets.parsing.records import Raw


def read_fixed_width(text: bytes, form: FixedWidth) -> Raw:
    """Read UTF-8 text of which every line that is not empty is a record; a line of spaces is one without values."""
    _, lines = lines_of(text, form)
    line = pl.col("line")
    columns, at = [], 0
    for name, width in form.widths.items():
        value = line.str.slice(at, width).str.strip_chars()
        columns.append(pl.when(value != "").then(value).alias(name.strip()))
        at += width or 0
    is_open = list(form.widths.values())[-1] is None
    length = line.str.len_chars()
    is_wrong = length < at if is_open else length != at
    problem = pl.format("{} characters, {} expected", length, pl.lit(f"{'at least ' * is_open}{at}"))
    too_much = None if is_open else pl.when(length > at).then(line.str.slice(at))
    frame = pl.Series("line", lines, pl.String).to_frame().filter(line != "")
    return Raw(
        frame.select(columns),
        frame.select(pl.when(is_wrong).then(problem).alias("problem")).to_series(),
        None if too_much is None else frame.select(too_much.alias("extra")).to_series(),
    )


def lines_of(text: bytes, form: FixedWidth) -> tuple[list[str], list[str]]:
    """Return the lines that are skipped, and the others: records, but for empty ones."""
    lines = line_feeds(text).decode().split("\n")
    lines = [line.removesuffix("\r") for line in lines]
    return lines[: form.skip_lines], lines[form.skip_lines :]
