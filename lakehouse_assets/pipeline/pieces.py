"""Computing a candidate in pieces: a partition with more records than one batch is sorted into pieces by a hash.

Records that say something of each other meet in one piece: equal ones, those of one key, of one id, of one group of a
rule. So the pieces together are what the whole would be, and memory is bounded by a piece. Not here: what a candidate
is.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.contracts.evaluation import group_of, is_row_wise
from lakehouse_assets.contracts.rules import rules_of
from lakehouse_assets.parsing.casting import cast, normalised
from lakehouse_assets.pipeline.candidate import Candidate
from lakehouse_assets.pipeline.rows import Folder, Rows

_SOURCE = ["_part", "_source_hash", "_source_key"]
_SEED = 11  # not the one by which a piece finds equal records: there they have to differ
_CHUNK_ROWS = 1_000


@dataclass(frozen=True)
class Computed:
    """The candidate of some partitions, of one piece or of several. Each row is in one piece.

    Attributes:
        valid: As in `Candidate`, and so are `quarantined`, `accounting` and `broken`.
        history: Of a keyed feed, the rows of its history.
        overruled: Of a keyed feed, the records that do not count beside another one of the same version.
        current: Of a keyed feed, the number of keys by partition.
        referenced: With awaited references, what the records reference: `awaited.VALUES`.
    """

    valid: Rows
    quarantined: Rows
    accounting: pl.DataFrame
    broken: pl.DataFrame
    history: Rows | None = None
    overruled: pl.DataFrame | None = None
    current: dict[str, int] | None = None
    referenced: pl.DataFrame | None = None


def deciding_columns(feed: Feed) -> list[str] | None:
    """Return source columns such that records with other values in them say nothing of each other.

    None where any two records may, as in a contract with a rule about all rows: it is computed whole.
    """
    if not all(is_row_wise(normalised(origin)) for origin in feed.sources.values()):
        return None
    expressions = [*feed.derivations.values(), *(rule.expression for rule in rules_of(feed.contract))]
    groups = [group for each in expressions if (group := group_of(each)) is not None]
    groups += [frozenset(feed.key)] if feed.key else []
    groups += [] if isinstance(feed.duplicates, str) else [frozenset(feed.duplicates)]
    return sorted(frozenset(feed.sources).intersection(*groups)) or None


def sorted_out(feed: Feed, portions: list[pl.LazyFrame], records: int, limit: int) -> list[Rows]:
    """Return bronze records in as many pieces as it takes to have about `limit` in each.

    Args:
        portions: Bronze columns and `_part`; records of a piece stay in their order.
        records: How many there are.
    """
    columns = deciding_columns(feed) if records > limit else None
    if columns is None:
        return [Rows(_contiguous(pl.concat(portions).collect()))]
    count, folder = -(-records // limit), Folder()
    pieces = [Rows(folder=folder) for _ in range(count)]
    for portion in portions:
        frame = _contiguous(portion.collect())
        named = frame.with_columns((_hashes(feed, frame, columns) % count).alias("_piece"))
        for (piece,), rows in named.partition_by("_piece", as_dict=True, include_key=False).items():
            pieces[piece].add(rows)
    return [piece for piece in pieces if piece.height] or [Rows(pl.concat(portions).head(0).collect())]


def _contiguous(records: pl.DataFrame) -> pl.DataFrame:
    """Return records in one chunk if they came from many small files: else each step pays for each of the files."""
    return records.rechunk() if records.n_chunks() * _CHUNK_ROWS > records.height else records


def _hashes(feed: Feed, bronze: pl.DataFrame, columns: list[str]) -> pl.Series:
    """Return a hash of what records say in some source columns, as values: `1.50` is `1.5`."""
    texts = bronze.select(normalised(feed.sources[name]).alias(name) for name in columns)
    types = feed.columns
    values = [cast(texts[name], types[name].dtype, feed.sources[name], feed.naive_zone).alias(name) for name in columns]
    return pl.DataFrame(values).hash_rows(_SEED)


def together(pieces: Iterable[Candidate], folder: Folder | None) -> Computed:
    """Return the candidates of all pieces as one.

    Args:
        pieces: Computed one after the other, as they are asked for.
        folder: Where the rows of each are put aside; None to keep them in memory.
    """
    valid, quarantined, history = (Rows(folder=folder) for _ in range(3))
    accounting, broken, overruled, current, referenced = [], [], [], [], []
    for piece in pieces:
        valid.add(piece.valid)
        quarantined.add(piece.quarantined)
        accounting.append(piece.accounting)
        broken.append(piece.broken)
        if piece.referenced is not None:
            referenced.append(piece.referenced)
        if piece.versions is not None:
            history.add(piece.versions.history)
            overruled.append(piece.versions.overruled)
            current.append(piece.valid.group_by("_part").len("keys"))
    if len(accounting) > 1:
        accounting = [pl.concat(accounting).group_by(_SOURCE).agg(pl.exclude(_SOURCE).sum()).sort(_SOURCE)]
        broken = [pl.concat(broken).group_by("_part", "rule").agg(pl.sum("rows")).sort("_part", "rule")]
    values = pl.concat(referenced).unique() if referenced else None
    if not current:
        return Computed(valid, quarantined, accounting[0], broken[0], referenced=values)
    keys = pl.concat(current).group_by("_part").agg(pl.sum("keys"))
    counts = dict(keys.iter_rows())
    return Computed(valid, quarantined, accounting[0], broken[0], history, pl.concat(overruled), counts, values)
