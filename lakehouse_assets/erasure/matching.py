"""Whether a record belongs to an erased person.

It does when its value in the identifying column equals the person's, both normalised. A record of broken shape, or in
a rejected object, matches when the value is anywhere in it, because its fields are not known. Not here: what happens
to the record.
"""

import re
from collections.abc import Callable

import polars as pl

from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.erasure.evidence import Erasures, Person
from lakehouse_assets.parsing.casting import cast, normalised

BLANK = "erased"
"""The `_problem` of a tombstone."""
_PIECES = (r'[,;\t|"\r\n]+', r'[\s,;|"\'{}\[\]:=]+')
_TEXTS_AT_ONCE = 20_000
_QUOTED = re.compile(r'"((?:[^"\\]|""|\\.)*)"')
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")


def canonical(feed: Feed, column: str, texts: pl.Series) -> pl.Series:
    """Return the normalised form of a source column's raw values, under which all ways to write one are equal."""
    origin, dtype = feed.sources[column], feed.contract.columns()[column].dtype
    text = texts.cast(pl.String).to_frame(origin.headers[0]).select(normalised(origin).alias(column)).to_series()
    if isinstance(dtype, pl.String):
        return text
    typed = cast(text, dtype, origin, feed.time_zone).cast(pl.String)
    return pl.select(pl.coalesce(typed, text).alias(column)).to_series()


def plain(texts: pl.Series) -> pl.Series:
    """Return values in a form that no contract has a say in, for when theirs has changed: lower case, without `.0`."""
    return texts.cast(pl.String).str.strip_chars().str.to_lowercase().str.strip_suffix(".0")


def followed(feed: Feed, erasures: Erasures) -> dict[str, tuple[frozenset[str], frozenset[str]]]:
    """Return the identifying columns now: the HMACs of normalised values, and of plain ones, per column.

    The plain ones are of those erased when the column was normalised in another way, or had another name.
    """
    found: dict[str, tuple[set[str], set[str]]] = {}
    for person in erasures.people:
        if feed.normalisations.get(person.column) == person.normalisation:
            found.setdefault(person.column, (set(), set()))[0].add(person.digest)
        elif (column := _reading(feed, person)) is not None:
            found.setdefault(column, (set(), set()))[1].add(person.plain)
    return {column: (frozenset(same), frozenset(other)) for column, (same, other) in found.items()}


def _reading(feed: Feed, person: Person) -> str | None:
    """Return the column that reads the person's identifying field; None if there is none any more."""
    if person.column in feed.sources:
        return person.column
    return next((name for name, origin in feed.sources.items() if person.header in origin.headers), None)


def unfollowed(feed: Feed, erasures: Erasures) -> list[str]:
    """Return the columns by which people were erased, and that nothing reads any more: they may come back unseen."""
    return sorted({person.column for person in erasures.people if _reading(feed, person) is None})


def theirs(feed: Feed, erasures: Erasures, records: pl.DataFrame) -> pl.Series:
    """Return which records are an erased person's.

    Args:
        records: The feed's raw values by header, `_extra` and `_problem`, as bronze and quarantine hold them. Rows of
            quarantine that are older than a column do not have it.
    """
    found = pl.repeat(value=False, n=records.height, eager=True)
    headers = {name: header for name, o in feed.sources.items() if (header := o.headers[0]) in records.columns}
    for column in followed(feed, erasures).keys() & headers.keys():
        found |= have(feed, erasures, column, records[headers[column]])
    broken = records["_problem"].is_not_null() & (records["_problem"] != BLANK)
    if broken.any():
        somewhere = anywhere(feed, erasures, records.filter(broken).select(*headers.values(), "_extra"))
        found = found.scatter(broken.arg_true().filter(somewhere), True) if somewhere.any() else found  # noqa: FBT003
    return found


def have(feed: Feed, erasures: Erasures, column: str, values: pl.Series) -> pl.Series:
    """Return which values of a column, raw or typed, stand for an erased person."""
    found = pl.repeat(value=False, n=values.len(), eager=True)
    same, other = followed(feed, erasures).get(column, (frozenset(), frozenset()))
    if same:
        normal = canonical(feed, column, values)
        wanted = erasures.among(same, column, normal.drop_nulls().unique())
        found |= normal.is_in(wanted).fill_null(value=False)
    if other:
        low = plain(values)
        found |= low.is_in(erasures.among(other, "", low.drop_nulls().unique())).fill_null(value=False)
    return found


def anywhere(feed: Feed, erasures: Erasures, texts: pl.DataFrame) -> pl.Series:
    """Return in which rows of text an erased value stands, as a whole field or word."""
    texts = texts.select(pl.all().cast(pl.String))
    found = stands_in(
        feed, erasures, texts.select(pl.concat_str(pl.all(), separator="\n", ignore_nulls=True)).to_series()
    )
    for column in followed(feed, erasures):
        for name in texts.columns:
            found |= have(feed, erasures, column, texts[name])
    return found


def stands_in(feed: Feed, erasures: Erasures, texts: pl.Series) -> pl.Series:
    """Return in which texts an erased value stands, as a whole field or word."""
    found = [pl.Series([], dtype=pl.Boolean)]
    for start in range(0, texts.len(), _TEXTS_AT_ONCE):
        some = texts.slice(start, _TEXTS_AT_ONCE)
        frame = some.alias("text").to_frame().with_row_index("at")
        cuts = [pl.col("text").str.replace_all(pattern, "\0").str.split("\0") for pattern in _PIECES]
        ways = [frame.select("at", cut.alias("piece")).explode("piece") for cut in cuts]
        quoted = frame.filter(pl.col("text").str.contains(r'["\\]'))
        rows = [(at, piece) for at, text in quoted.iter_rows() for piece in _fields(text)]
        ways.append(pl.DataFrame(rows, schema={"at": pl.UInt32, "piece": pl.String}, orient="row"))
        pieces = pl.concat(ways)
        hits = pl.Series([], dtype=pl.UInt32)
        for column in followed(feed, erasures):
            hits = hits.append(pieces["at"].filter(have(feed, erasures, column, pieces["piece"])))
        found.append(pl.int_range(some.len(), eager=True).is_in(hits.cast(pl.Int64).unique().implode()))
    return pl.concat(found)


def _fields(text: str) -> list[str]:
    """Return what stands between quotes in a text, as CSV and JSON write it."""
    spelt = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text).encode("utf-16", "surrogatepass")
    found = [match[1] for match in _QUOTED.finditer(spelt.decode("utf-16", "replace"))]
    return [*found, *(field.replace('""', '"').replace('\\"', '"') for field in found)]


def redactor(feed: Feed, column: str, value: str) -> Callable[[str], str]:
    """Return what takes a value out of a text for people, where it stands as a word of its own.

    Args:
        value: In its normalised form; raw forms of it that normalise to it word by word go, too.
    """
    # Digits and letters to F may be a part of a time or of an id: then not after a colon or a hyphen either.
    is_odd = re.fullmatch("[0-9a-fA-F]*", value) is not None
    before, after = (r"(?<![\w.:+-])0*", r"(?![\w+-]|[.:]\w)") if is_odd else (r"(?<![\w.])", r"(?!\w)")
    word = re.compile(rf"{before}{re.escape(value)}(\.0+)?{after}", re.IGNORECASE)

    def redact(text: str) -> str:
        found = word.finditer(text)
        hits = [m for m in found if canonical(feed, column, pl.Series([m.group()]))[0] == value]
        for match in reversed(hits):
            text = f"{text[: match.start()]}({BLANK}){text[match.end() :]}"
        return text

    return redact
