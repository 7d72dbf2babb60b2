"""Schema discovery: from undeclared files to the draft of a contract module, which a person then completes."""

import datetime as dt
import re
from dataclasses import replace
from itertools import accumulate, combinations
from pathlib import Path

import polars as pl

from lakehouse_assets.contracts.declare import Format
from lakehouse_assets.contracts.feed import FIRST_DATE
from lakehouse_assets.contracts.wording import counted
from lakehouse_assets.parsing.archives import Rejection
from lakehouse_assets.parsing.draft_text import Draft, Field, module, snake_case
from lakehouse_assets.parsing.encoding_inference import encoding_of
from lakehouse_assets.parsing.key_inference import proposals
from lakehouse_assets.parsing.nested import paths_in, with_nested
from lakehouse_assets.parsing.records import Raw
from lakehouse_assets.parsing.sample import MOST_ROWS, Head, heads
from lakehouse_assets.parsing.sample_records import format_of, is_text, records_of, why_no_text
from lakehouse_assets.parsing.type_inference import column, decimal_sign
from lakehouse_assets.parsing.zone_inference import zones

_PERSONAL = re.compile(
    r"customer|e[-_ ]?mail|phone|(first|last|full)[-_ ]?name|surname|birth|passport|iban|\bssn\b|ip[-_ ]?address",
    re.IGNORECASE,
)
_KEYS_SHOWN, _PAIRED = 3, 8


def draft(paths: list[Path], name: str | None, limit: int) -> str:
    """Return the text of a module that declares a feed for the records of some files.

    Args:
        paths: Files or folders: CSV, JSON, Parquet, Excel, lines of fixed width, possibly gzip or in a zip. Some of the
            files are looked at, and the beginning of each.
        name: The feed's name; derived from that of the first path if None.
        limit: The most bytes that a file may have when decompressed.

    Raises:
        FileNotFoundError: There is no such file.
        Rejection: No file can be read as records.
    """
    sample, count = heads(paths)
    feed = snake_case(name or paths[0].resolve().name.split(".", 1)[0])
    if not sample:
        msg = f"{paths[0]}: it holds no file. Nothing was discovered."
        raise Rejection(msg)
    form, notes, frames, left = _read(sample, limit)
    frame = _unnested(pl.concat([each for _, each in frames], how="diagonal"))
    fields = _fields(frame)
    dated = next((field for field in fields if _is_business_date(field)), None)
    cut = [name for name, each in frames if each.height >= MOST_ROWS]
    cut = sorted({*cut, *(head.name for head in sample if head.is_cut)})
    notes_of_zones, of_zones = zones(frame, fields)
    proposed = (*proposals(_by_file(frame, frames), fields, cut=cut, dated=dated), *of_zones)
    first = dated.type.days[0] if dated and dated.type.days else FIRST_DATE
    looked_at = frames[0][0] if count == 1 and len(frames) == 1 else f"{len(frames):,} of {count:,} files"
    return module(
        Draft(
            feed=feed,
            learned_from=f"{'the first ' if cut else ''}{counted(frame.height, 'record')} of {looked_at}",
            fields=tuple(fields),
            form=form,
            notes=(*notes, *_left_out(left), *_keys(frame, fields), *notes_of_zones),
            proposals=proposed,
            dated=dated.column if dated else None,
            first_year=first.year if first < FIRST_DATE else None,
        )
    )


def _read(
    sample: list[Head], limit: int
) -> tuple[Format | None, tuple[str, ...], list[tuple[str, pl.DataFrame]], list[str]]:
    """Return the format, what to know of it, the records by file, and which files were left out and why.

    The first file that can be read decides the format; the encoding is that of all of them together.
    """
    sample = [head if head.problem else replace(head, problem=why_no_text(head)) for head in sample]
    encoding = encoding_of(head.data for head in sample if is_text(head) and not head.problem)
    form: Format | None = None
    notes: tuple[str, ...] = ()
    frames: list[tuple[str, pl.DataFrame]] = []
    left = []
    for head in sample:
        try:
            if head.problem:
                raise Rejection(head.problem)  # noqa: TRY301 - told like what the readers say
            if not frames:
                form, notes = format_of(head, encoding, limit)
            frame, said = records_of(head, form, limit)
        except Rejection as rejection:
            left.append(f"{head.name}: {rejection}")
            continue
        frame = frame.rename({name: name.strip() for name in frame.columns if name != name.strip()})
        if not frame.width or not frame.height:
            continue
        if frames and not set(frame.columns) & set(frames[0][1].columns):
            left.append(f"{head.name}: its fields are others; land it in a feed of its own.")
            continue
        left += [f"{head.name}: {said}"] if said else []
        frames.append((head.name, frame))
    if not frames:
        raise Rejection(left[0] if left else f"{sample[0].name}: it holds no records to learn from.")
    return form, notes, frames, left


def _by_file(frame: pl.DataFrame, frames: list[tuple[str, pl.DataFrame]]) -> list[tuple[str, pl.DataFrame]]:
    """Return the records of each file again, as slices of those of all of them."""
    heights = [each.height for _, each in frames]
    starts = accumulate(heights, initial=0)
    return [(name, frame.slice(at, height)) for (name, _), at, height in zip(frames, starts, heights, strict=False)]


def _unnested(frame: pl.DataFrame) -> pl.DataFrame:
    """Return records with the values inside of JSON objects in place of these, where they are alike in all records."""
    names: list[str] = []
    flat = set(frame.columns)
    for values in frame:
        present = values.drop_nulls()
        paths = paths_in(present) if present.len() and present.str.starts_with("{").all() else []
        names += [values.name] if not paths or set(paths) & flat else paths
    nested = [name for name in names if name not in flat]
    return with_nested(Raw(frame), nested)[0].frame.select(names) if nested else frame


def _fields(frame: pl.DataFrame) -> list[Field]:
    signs = {decimal_sign(values) for values in frame} - {None}
    decimal = signs.pop() if len(signs) == 1 else None
    fields: list[Field] = []
    taken: set[str] = set()
    for values in frame:
        field = values.name
        if not field and values.null_count() == values.len():  # what a separator at the end of each line makes
            continue
        name = snake_case(field)
        while name in taken:
            name += "_"
        taken.add(name)
        is_personal = _PERSONAL.search(field) is not None
        kind = column(field, values, is_personal=is_personal, decimal=decimal)
        fields.append(Field(field, name, kind, is_personal))
    return fields


def _is_business_date(field: Field) -> bool:
    """Return whether a column can be the business date: never missing, of no person, and not in the future."""
    days = field.type.days
    if days is None or field.type.nullable or field.is_personal:
        return False
    return days[1] <= dt.datetime.now(dt.UTC).date()


def _left_out(left: list[str]) -> list[str]:
    if not left:
        return []
    more = f" And {len(left) - 1:,} more." if len(left) > 1 else ""
    return [f"Left out: {left[0]}{more}"]


def _keys(frame: pl.DataFrame, fields: list[Field]) -> list[str]:
    """Say which columns, or else pairs of them, tell the records of the sample apart."""
    if frame.height < 2:  # noqa: PLR2004 - one record says nothing
        return []
    possible = [f for f in fields if not f.type.nullable and not f.type.kind.startswith(("dy.Decimal", "dy.Float"))]
    distinct = {f: frame[f.name].n_unique() for f in possible}
    found = [f.column for f in possible if distinct[f] == frame.height][:_KEYS_SHOWN]
    if not found:
        likely = sorted(possible, key=lambda f: -distinct[f])[:_PAIRED]
        pairs = (
            (one, other)
            for one, other in combinations(likely, 2)
            if distinct[one] * distinct[other] >= frame.height
            and frame.select(pl.struct(one.name, other.name).n_unique()).item() == frame.height
        )
        found = [f"{one.column} with {other.column}" for one, other in pairs][:1]
    return [f"Unique in these records: {', '.join(found)}."] if found else []
