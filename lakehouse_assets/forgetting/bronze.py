"""Taking people's records out of bronze and the ledger.

Every content that holds some is written again with blank lines in their place: live or not, held or not, with or
without its landed original. The new content has the hash of the cleaned landed object, or one derived from the old
hash. One ledger commit replaces the old hashes by the new ones. Not here: landing itself, and the tables that follow
from bronze.
"""

import hashlib
import io
from collections.abc import Callable, Mapping
from typing import Any

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.contracts.partitioning import UNDATED, WHOLE
from lakehouse_assets.erasure.evidence import Erased
from lakehouse_assets.erasure.protocol import Erasures, blanked
from lakehouse_assets.erasure.search import KnownLines
from lakehouse_assets.forgetting.find import InBronze, files_of
from lakehouse_assets.forgetting.landing import InLanding
from lakehouse_assets.ledger.entries import SCHEMA
from lakehouse_assets.ledger.ledger import Ledger
from lakehouse_assets.parsing.buckets import bucket_of
from lakehouse_assets.pipeline.bronze import bronze_path, read_file
from lakehouse_assets.pipeline.rows import STORED_AS
from lakehouse_assets.storage import delta


def replace(
    lake: Lake, feed: Feed, held: InBronze, known_lines: KnownLines, landed: InLanding, redact: Callable[[str], str]
) -> int:
    """Replace contents by those without the erased people: in bronze, then in one ledger commit.

    Returns how many texts of the ledger held the value.

    Args:
        held: What was found in bronze; what is found since is added.
        known_lines: See `corrected`.
        redact: Takes an erased value out of a text.
    """
    written = [_write(Erasures.load(lake, feed), held.lines, known_lines, landed)]

    def attempt() -> int:
        # A run may have recorded more since the search, or the last attempt: that is searched, too.
        ledger, erasures = Ledger.load(lake.store), Erasures.load(lake, feed)
        written.append(_write(erasures, held.search(erasures, known_lines), known_lines, landed))
        is_its = pl.col("feed") == feed.name
        texts = ledger.rows.filter(is_its).select("reason", "drift").unpivot()["value"].drop_nulls()
        files = pl.concat(written).unique(["file", "part"], keep="last")
        rows = pl.concat([ledger.rows.filter(~is_its), _mapped(ledger.rows.filter(is_its), files, landed, redact)])
        if not rows.sort(rows.columns).equals(ledger.rows.sort(rows.columns)):
            ledger.rewrite(rows)
        return sum(redact(text) != text for text in texts)

    return delta.until_committed(attempt)


def _write(erasures: Erasures, held: KnownLines, known_lines: KnownLines, landed: InLanding) -> pl.DataFrame:
    """Write the bronze files of the contents without the erased people, and keep the evidence.

    Returns:
        The new files by the old: `file`, `source_hash` (the new one), `file_to`, `part`, `rows`.
    """
    rows: list[tuple[str, str, str, str, int]] = []
    files, evidence, since = files_of(erasures), erasures.evidence, landed.contents
    for content, lines in held.items():
        every, after = lines | evidence.blank_lines(content), since.get(content)
        # That of the landed object if there is one; of an erasure that was interrupted, the one with the same lines.
        known = [e for e in evidence.of_before(content) if e.after == after or every == set(e.lines)]
        erased = max(known, key=lambda one: one.after == after, default=None)
        if erased is None:
            made_up = hashlib.sha256(f"{content} without {sorted(every)}".encode()).hexdigest()
            erased = Erased(content, made_up, tuple(sorted(every)), tuple(sorted(known_lines.get(content, ()))))
            evidence.record(erased)
        of_content = files.filter(pl.col("source_hash") == content)
        for (name,), those in of_content.partition_by("file", as_dict=True).items():
            file, file_to = str(name), str(name).replace(content, erased.after)
            written = _write_one(erasures, file, those["part"].to_list(), file_to, erased, every)
            rows += [(file, erased.after, file_to, partition, count) for partition, count in written.items()]
    schema = {"file": pl.String, "source_hash": pl.String, "file_to": pl.String, "part": pl.String, "rows": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _write_one(
    erasures: Erasures, file: str, partitions: list[str], file_to: str, erased: Erased, lines: frozenset[int]
) -> dict[str, int]:
    """Write one content's bronze files anew; a partition that it leaves keeps an empty one, so that it is known."""
    lake, feed, lines = erasures.lake, erasures.feed, lines | set(erased.lines)
    gone = pl.col("_line").is_in(sorted(lines))
    kept, blank = dict[str, pl.DataFrame](), list[pl.DataFrame]()
    for partition in partitions:
        frame = read_file(lake, feed, partition, file)
        kept[partition] = frame.filter(~gone)
        blank.append(blanked(frame.filter(gone), lines))
    if lines:
        place = bucket_of({}, feed) if feed.key else UNDATED if feed.business_date else WHOLE
        before = [kept[place]] if place in kept else []
        kept[place] = pl.concat([*before, *blank], how="diagonal_relaxed").sort("_line")
    for partition, frame in kept.items():
        buffer = io.BytesIO()
        frame.with_columns(pl.lit(erased.after).alias("_source_hash")).write_parquet(buffer, compression=STORED_AS)
        lake.store.replace(bronze_path(feed, partition, file_to), buffer.getvalue())
    return {partition: frame.height for partition, frame in kept.items()}


def _mapped(rows: pl.DataFrame, files: pl.DataFrame, landed: InLanding, redact: Callable[[str], str]) -> pl.DataFrame:
    """Return a feed's ledger with new contents for old, new tokens for landed objects, and texts without the value."""
    rows = rows.with_columns(pl.coalesce("file", "source_hash").alias("file"))
    is_moved = pl.col("part").is_not_null() & pl.col("file").is_in(files["file"].unique().implode())
    once = rows.filter(is_moved).drop("part", "rows", "source_hash").unique(maintain_order=True)
    moved = once.join(files, on="file").with_columns(pl.col("file_to").alias("file")).select(rows.columns)
    # Of what is refused there are no bronze files, and of an object there is only what landed.
    is_refused = pl.col("part").is_null()
    source_hash = pl.when(is_refused).then(_since(landed.hashes, "source_hash")).otherwise("source_hash")
    return pl.concat([rows.filter(~is_moved), moved]).with_columns(
        source_hash.alias("source_hash"),
        pl.when(is_refused).then(source_hash).otherwise("file").alias("file"),
        _since(landed.hashes, "object_hash").alias("object_hash"),
        _since(landed.tokens, "object_token").alias("object_token"),
        _since(landed.sizes, "object_token", "bytes").alias("bytes"),
        *(pl.col(name).map_elements(redact, return_dtype=pl.String) for name in ("reason", "drift")),
    )


def _since(known: Mapping[tuple[str, str], Any], name: str, column: str | None = None) -> pl.Expr:
    """Return a column with the value that an object has since, given its key and what it had in the column `name`."""
    since = {f"{key}\0{before}": value for (key, before), value in known.items()}
    place, now = pl.concat_str("object_key", pl.lit("\0"), name), column or name
    return place.replace_strict(since, default=pl.col(now), return_dtype=SCHEMA[now])
