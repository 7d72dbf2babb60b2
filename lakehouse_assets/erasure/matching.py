"""Whether a record belongs to an erased person, who is known by keyed hashes only.

It does when its value in the identifying column equals the person's, both normalised. A record of broken shape, or in
a rejected object, matches when the value is anywhere in it, because its fields are not known. Not here: what happens
to the record.
"""

import hashlib
import hmac
import json
import re
import secrets
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import unquote

import polars as pl

from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.decisions.kinds import Erase
from lakehouse_assets.parsing.casting import cast, normalised
from lakehouse_assets.storage.stores import Store

BLANK = "erased"
"""The `_problem` of a blank record, from which a person was erased."""
MARK = "(erased)"
"""What is in a text in place of an erased value."""
_KEY = "erasures/key"
_CUT = "\0"
_PIECES = (_CUT, r'[,;\t|"\r\n]+', r'[\s,;|"\'{}\[\]:=]+')
LONG = 5
"""The fewest characters of a value that is in a text by more than chance."""
_TEXTS_AT_ONCE = 20_000
_QUOTED = re.compile(r'"((?:[^"\\]|""|\\.)*)"')
_JSON_VALUE, _WORD = re.compile(r'"(?:[^"\\]|\\.)*"|-?[0-9][\w.+-]*'), re.compile(r"[^\s/?&=#:;,|\"'(){}\[\]\\]{5,}")
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")


def key_of(store: Store, *, hypothetical: bool = False) -> bytes:
    """Return the lake's key for hashes of erased values, made once and never shown.

    Args:
        hypothetical: Make up one where there is none, without keeping it.
    """
    if store.stat(_KEY) is None:
        key = secrets.token_hex(32).encode()
        if hypothetical:
            return key
        store.create(_KEY, key)
    return store.read(_KEY)


def canonical(feed: Feed, column: str, texts: pl.Series) -> pl.Series:
    """Return the normalised form of a source column's raw values, under which all ways to write one are equal."""
    origin, dtype = feed.sources[column], feed.columns[column].dtype
    text = texts.cast(pl.String).to_frame(origin.headers[0]).select(normalised(origin).alias(column)).to_series()
    if isinstance(dtype, pl.String):
        return text
    typed = cast(text, dtype, origin, feed.time_zone).cast(pl.String)
    return pl.select(pl.coalesce(typed, text).alias(column)).to_series()


def identity(feed: Feed, key: bytes, column: str, value: str) -> dict[str, str]:
    """Return what an `Erase` decision keeps of a raw value that identifies a person and is not blank."""
    values = pl.Series([value], dtype=pl.String)
    return {
        "column": column,
        "digest": _digest(key, feed, column, canonical(feed, column, values)[0]),
        "plain": _digest(key, feed, "", _plain(values)[0]),
        "header": feed.sources[column].headers[0],
        "normalisation": feed.normalisations[column],
    }


@dataclass(frozen=True)
class People:
    """The erased people of a feed, by the decisions that stand; `key` is the lake's key for their hashes."""

    feed: Feed
    key: bytes = b""
    people: tuple[Erase, ...] = ()

    @cached_property
    def columns(self) -> dict[str, tuple[set[str], set[str]]]:
        """The identifying columns now: the hashes of normalised values, and of plain ones, per column.

        The plain ones are of people erased when the column was normalised in another way, or had another name.
        """
        found: dict[str, tuple[set[str], set[str]]] = {}
        for person in self.people:
            if (column := self._column_of(person)) is not None:
                exact, loose = found.setdefault(column, (set(), set()))
                is_same = self.feed.normalisations.get(person.column) == person.normalisation
                (exact if is_same else loose).add(person.digest if is_same else person.plain)
        return found

    @property
    def unread_columns(self) -> list[str]:
        """The columns by which people were erased, and that nothing reads any more: they may come back unseen."""
        return sorted({person.column for person in self.people if self._column_of(person) is None})

    def _column_of(self, person: Erase) -> str | None:
        """Return the column that reads the person's identifying field now; None if there is none any more."""
        if person.column in self.feed.sources:
            return person.column
        return next((name for name, origin in self.feed.sources.items() if person.header in origin.headers), None)

    def in_values(self, column: str, values: pl.Series) -> pl.Series:
        """Return which values of a column, raw or typed, identify an erased person."""
        found = pl.repeat(value=False, n=values.len(), eager=True)
        exact, loose = self.columns.get(column, (set(), set()))
        for wanted, of_column in ((exact, column), (loose, "")):
            if wanted:
                texts = canonical(self.feed, column, values) if of_column else _plain(values)
                distinct = texts.drop_nulls().unique()
                known = [text for text in distinct if _digest(self.key, self.feed, of_column, text) in wanted]
                found |= texts.is_in(known).fill_null(value=False)
        return found

    def in_rows(self, rows: pl.DataFrame) -> pl.Series:
        """Return which rows with silver's columns are an erased person's."""
        found = pl.repeat(value=False, n=rows.height, eager=True)
        for column in self.columns.keys() & set(rows.columns):
            found |= self.in_values(column, rows[column])
        return found

    def in_records(self, records: pl.DataFrame) -> pl.Series:
        """Return which records are an erased person's.

        Args:
            records: The feed's raw values by header, `_extra` and `_problem`, as bronze and quarantine hold them. Rows
                of quarantine that are older than a column do not have it.
        """
        headers = {n: header for n, o in self.feed.sources.items() if (header := o.headers[0]) in records.columns}
        found = pl.repeat(value=False, n=records.height, eager=True)
        for column in self.columns.keys() & headers.keys():
            found |= self.in_values(column, records[headers[column]])
        broken = records["_problem"].is_not_null() & (records["_problem"] != BLANK)
        if broken.any():
            somewhere = self.in_fields(records.filter(broken).select(*headers.values(), "_extra"))
            found = found.scatter(broken.arg_true().filter(somewhere), True) if somewhere.any() else found  # noqa: FBT003
        return found

    def in_fields(self, texts: pl.DataFrame) -> pl.Series:
        """Return in which rows of texts an erased value is anywhere, as a whole field or word."""
        fields = pl.all().cast(pl.String)
        return self.in_texts(texts.select(pl.concat_str(fields, separator=_CUT, ignore_nulls=True)).to_series())

    def in_texts(self, texts: pl.Series) -> pl.Series:
        """Return in which texts an erased value is, as a whole field or word."""
        found = [pl.Series([], dtype=pl.Boolean)]
        for start in range(0, texts.len(), _TEXTS_AT_ONCE):
            some = texts.slice(start, _TEXTS_AT_ONCE)
            pieces = _pieces(some)
            hits = pl.Series([], dtype=pl.UInt32)
            for column in self.columns:
                hits = hits.append(pieces["at"].filter(self.in_values(column, pieces["piece"])))
            found.append(pl.int_range(some.len(), eager=True).is_in(hits.cast(pl.Int64).unique().implode()))
        return pl.concat(found)

    def redacted(self, text: str) -> str:
        """Return JSON text, perhaps cut between two values, without the erased values in its strings and numbers.

        They are found as whole values and as words, such as those of an address. Short ones are there by chance.
        """
        values = _JSON_VALUE.findall(text)
        words = {unquote(word) for value in values for word in _WORD.findall(value)} | set(map(_spelt, values))
        some = pl.Series(sorted(word for word in words if len(word) >= LONG), dtype=pl.String)
        theirs = {word for column in self.columns for word in some.filter(self.in_values(column, some))}

        def redact(match: re.Match[str]) -> str:
            value = match.group()
            if _spelt(value) in theirs:
                return f'"{MARK}"'
            return _WORD.sub(lambda word: MARK if unquote(word.group()) in theirs else word.group(), value)

        return _JSON_VALUE.sub(redact, text) if theirs else text


def _spelt(value: str) -> str:
    """Return a JSON string or number as text; a string that cannot be read as it is."""
    try:
        return str(json.loads(value, strict=False, parse_float=str)) if value.startswith('"') else value
    except ValueError:
        return value.strip('"')


def _digest(key: bytes, feed: Feed, column: str, value: str) -> str:
    """Return the keyed hash of a value of a column; of a plain value, the column is the empty text."""
    return hmac.new(key, f"{feed.name}\0{column}\0{value}".encode(), hashlib.sha256).hexdigest()


def _plain(texts: pl.Series) -> pl.Series:
    """Return values in a form that does not depend on the contract: lower case, without `.0`."""
    return texts.cast(pl.String).str.strip_chars().str.to_lowercase().str.strip_suffix(".0")


def _pieces(texts: pl.Series) -> pl.DataFrame:
    """Return what may be a field or a word in texts: `at` (index of the text), `piece`."""
    frame = texts.alias("text").to_frame().with_row_index("at")
    cuts = [pl.col("text").str.replace_all(pattern, _CUT).str.split(_CUT) for pattern in _PIECES]
    quoted = frame.filter(pl.col("text").str.contains(r'["\\]'))
    rows = [(at, piece) for at, text in quoted.iter_rows() for piece in _fields(text)]
    of_quotes = pl.DataFrame(rows, schema={"at": pl.UInt32, "piece": pl.String}, orient="row")
    return pl.concat([*(frame.select("at", cut.alias("piece")).explode("piece") for cut in cuts), of_quotes])


def _fields(text: str) -> list[str]:
    """Return what is between quotes in a text, as CSV and JSON write it."""
    spelt = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text).encode("utf-16", "surrogatepass")
    found = [match[1] for match in _QUOTED.finditer(spelt.decode("utf-16", "replace"))]
    return [*found, *(field.replace('""', '"').replace('\\"', '"') for field in found)]
