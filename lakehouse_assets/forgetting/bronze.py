"""Taking a person's records out of bronze and the ledger.

Every content that holds some is written again with blank lines in their place: live or not, held or not, with or
without its landed original. The new content has the hash of the cleaned landed object, or one derived from the old
hash. One ledger commit replaces the old hashes by the new ones. Not here: landing itself, and the tables that follow
from bronze.
"""

import hashlib
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.contracts.partitioning import UNDATED, WHOLE
from lakehouse_assets.decisions.kinds import OnRecord
from lakehouse_assets.decisions.recorded import Decisions
from lakehouse_assets.erasure import evidence
from lakehouse_assets.erasure.evidence import Erased, Erasures
from lakehouse_assets.erasure.matching import followed, have, theirs
from lakehouse_assets.erasure.search import Also, blanked
from lakehouse_assets.ledger.ledger import Ledger
from lakehouse_assets.parsing.buckets import bucket_of
from lakehouse_assets.pipeline.bronze import bronze_path, scan_files
from lakehouse_assets.pipeline.corrections import effects
from lakehouse_assets.storage import delta

_FILES_AT_ONCE = 500


@dataclass
class Held:
    """Where a person's records stand in bronze.

    Attributes:
        lines: Lines by content.
        partitions: The partitions that hold some, or to which a correction moved one.
        unsearched: Bronze files that cannot be read, each with the reason.
        looked: Files and partitions that were looked into.
        texts: How many texts of the ledger held the value.
    """

    lines: dict[str, frozenset[int]] = field(default_factory=dict)
    partitions: set[str] = field(default_factory=set)
    unsearched: list[str] = field(default_factory=list)
    looked: set[tuple[str, str]] = field(default_factory=set)
    texts: int = 0

    @property
    def records(self) -> int:
        """How many records that are."""
        return sum(len(lines) for lines in self.lines.values())


def corrected(lake: Lake, feed: Feed, erasures: Erasures) -> Also:
    """Return the lines by content that a person's decision made an erased one's."""
    found: dict[str, set[int]] = {}
    active = Decisions.load(lake.store, feed.name).active_of(OnRecord)
    for (content, line), effect in effects(feed, active).items():
        for column in followed(feed, erasures):
            value = effect.values.get(feed.sources[column].headers[0])
            if value is not None and have(feed, erasures, column, pl.Series([value])).any():
                found.setdefault(content, set()).add(line)
    return {content: frozenset(lines) for content, lines in found.items()}


def find(lake: Lake, feed: Feed, erasures: Erasures, also: Also, but: frozenset[tuple[str, str]] = frozenset()) -> Held:
    """Find the erased people in every bronze file that the ledger knows, live or not.

    Args:
        but: Files and partitions that were looked into before.
    """
    found: dict[str, set[int]] = {}
    held = Held()
    lines_of = pl.DataFrame(
        [(content, line) for content, lines in also.items() for line in lines],
        schema={"source_hash": pl.String, "_line": pl.Int64},
        orient="row",
    )
    looked = pl.DataFrame(sorted(but), schema={"file": pl.String, "part": pl.String}, orient="row")
    fresh = _files(lake.ledger_of(feed).rows).join(looked, on=["file", "part"], how="anti")
    for files in _chunks(fresh, lake.settings.publish_batch_rows):
        held.looked.update(files.select("file", "part").iter_rows())
        for records, chunk in _read(lake, feed, files, held.unsearched):
            places = records.select("_line", "_path", theirs(feed, erasures, records).alias("_theirs"))
            places = places.join(chunk.select("_path", "source_hash", "part"), on="_path")
            meant = places.join(lines_of, on=["source_hash", "_line"], how="semi")
            for frame in (places.filter("_theirs"), meant):
                for content, line, partition in frame.select("source_hash", "_line", "part").iter_rows():
                    found.setdefault(content, set()).add(line)
                    held.partitions.add(partition)
    new = {content: frozenset(lines - erasures.blank_lines(content)) for content, lines in found.items()}
    return Held(
        {content: lines for content, lines in new.items() if lines}, held.partitions, held.unsearched, held.looked
    )


def _files(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the bronze files of a ledger: `source_hash`, `file`, `part`, `rows`."""
    named = rows.filter(pl.col("part").is_not_null()).with_columns(pl.coalesce("file", "source_hash").alias("file"))
    return named.select("source_hash", "file", "part", "rows").unique(["file", "part"]).sort("part", "file")


def _chunks(files: pl.DataFrame, rows: int) -> Iterator[pl.DataFrame]:
    start = size = 0
    for at, count in enumerate(files["rows"]):
        if at > start and (size + count > rows or at - start >= _FILES_AT_ONCE):
            yield files.slice(start, at - start)
            start, size = at, 0
        size += count
    if files.height:
        yield files.slice(start)


def _read(
    lake: Lake, feed: Feed, files: pl.DataFrame, unsearched: list[str]
) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """Yield the records of some bronze files with their `_path`, and the files; one by one where some are damaged."""
    paths = [bronze_path(feed, partition, file) for partition, file in files.select("part", "file").iter_rows()]
    files = files.with_columns(pl.Series("_path", [lake.store.uri(path) for path in paths]))
    try:
        yield scan_files(lake, feed, paths).collect(), files
    except delta.UNREADABLE as error:
        if files.height == 1:
            why = str(error).splitlines()[0]
            unsearched.append(f"{paths[0]}: the bronze file cannot be read ({why}); see `lakehouse verify`.")
            return
        for at in range(files.height):
            yield from _read(lake, feed, files.slice(at, 1).drop("_path"), unsearched)


def write(
    lake: Lake, feed: Feed, erasures: Erasures, held: Held, also: Also, landed: Mapping[str, str]
) -> pl.DataFrame:
    """Write the bronze files of the contents without the erased people, and keep the evidence.

    Args:
        landed: Hashes since of contents that were landed, by those before.

    Returns:
        The new files by the old: `file`, `source_hash` (the new one), `file_to`, `part`, `rows`.
    """
    rows: list[tuple[str, str, str, str, int]] = []
    files = _files(lake.ledger_of(feed).rows)
    for content, lines in held.lines.items():
        every = lines | erasures.blank_lines(content)
        # That of the landed object if there is one; of an erasure that was interrupted, the one with the same lines.
        known = [e for e in erasures.of_before(content) if e.after == landed.get(content) or every == set(e.lines)]
        known.sort(key=lambda erased: erased.after == landed.get(content))
        made_up = hashlib.sha256(f"{content} without {sorted(every)}".encode()).hexdigest()
        after = known[-1].after if known else made_up
        every |= frozenset(known[-1].lines) if known else frozenset()
        if not known:
            meant = tuple(sorted(also.get(content, ())))
            evidence.record(lake.store, feed.name, Erased(content, after, tuple(sorted(every)), meant))
        of_content = files.filter(pl.col("source_hash") == content)
        for (file,), partitions in of_content.partition_by("file", as_dict=True).items():
            file_to = str(file).replace(content, after)
            written = _write_one(lake, feed, str(file), partitions["part"].to_list(), file_to, after, every)
            rows += [(str(file), after, file_to, partition, count) for partition, count in written.items()]
    schema = {"file": pl.String, "source_hash": pl.String, "file_to": pl.String, "part": pl.String, "rows": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _write_one(
    lake: Lake, feed: Feed, file: str, partitions: list[str], file_to: str, after: str, lines: frozenset[int]
) -> dict[str, int]:
    """Write one content's bronze files anew; a partition that it leaves keeps an empty one, so that it is known."""
    blank_partition = bucket_of({}, feed) if feed.key else UNDATED if feed.business_date else WHOLE
    frames = {
        partition: pl.read_parquet(io.BytesIO(lake.store.read(bronze_path(feed, partition, file))))
        for partition in partitions
    }
    gone = pl.col("_line").is_in(sorted(lines))
    tombs = [blanked(frame.filter(gone), lines) for frame in frames.values()]
    kept = {partition: frame.filter(~gone) for partition, frame in frames.items()}
    before = [kept[blank_partition]] if blank_partition in kept else []
    kept[blank_partition] = pl.concat([*before, *tombs], how="diagonal_relaxed").sort("_line")
    for partition, frame in kept.items():
        buffer = io.BytesIO()
        frame.with_columns(pl.lit(after).alias("_source_hash")).write_parquet(buffer, compression="lz4")
        lake.store.replace(bronze_path(feed, partition, file_to), buffer.getvalue())
    return {partition: frame.height for partition, frame in kept.items()}


def replace(
    lake: Lake,
    feed: Feed,
    also: Also,
    landed: Mapping[str, Mapping[str, str]],
    tokens: Mapping[tuple[str, str], tuple[str, int]],
    redact: Callable[[str], str],
) -> Held:
    """Put contents without the erased people in the place of those with them: in bronze, then in one ledger commit.

    Args:
        also: See `corrected`.
        landed: By key of a landed object: the hashes since of it and of its contents, by those before.
        tokens: Token and size of landed objects that were written anew, by key and the token before.
        redact: Takes an erased value out of a text.

    Returns:
        What was found.
    """
    whole, written = Held(), list[pl.DataFrame]()
    anew = {key for key, _ in tokens}
    # What is cleaned now counts more than what an erasure of before, perhaps taken back, made of the same content.
    ordered = sorted(landed.items(), key=lambda item: item[0] in anew)
    contents = {before: after for _, hashes in ordered for before, after in hashes.items()}

    def attempt() -> None:
        # A run may have recorded more since the last attempt: after a conflict, that is searched, too.
        ledger = Ledger.load(lake.store)
        erasures = Erasures.load(lake.store, feed.name)
        held = find(lake, feed, erasures, also, frozenset(whole.looked))
        written.append(write(lake, feed, erasures, held, also, contents))
        whole.lines.update(held.lines)
        whole.partitions.update(held.partitions)
        whole.looked.update(held.looked)
        whole.unsearched.extend(held.unsearched)
        is_its = pl.col("feed") == feed.name
        texts = ledger.rows.filter(is_its).select("reason", "drift").unpivot()["value"].drop_nulls()
        whole.texts = sum(redact(text) != text for text in texts)
        mapped = _mapped(ledger.rows.filter(is_its), pl.concat(written), landed, tokens, redact)
        rows = pl.concat([ledger.rows.filter(~is_its), mapped])
        if not rows.sort(rows.columns).equals(ledger.rows.sort(rows.columns)):
            ledger.rewrite(rows)

    delta.until_committed(attempt)
    return whole


def _mapped(
    rows: pl.DataFrame,
    files: pl.DataFrame,
    landed_hashes: Mapping[str, Mapping[str, str]],
    tokens: Mapping[tuple[str, str], tuple[str, int]],
    redact: Callable[[str], str],
) -> pl.DataFrame:
    """Return a feed's ledger with new contents for old, new tokens for landed objects, and texts without the value."""
    columns = rows.columns
    rows = rows.with_columns(pl.coalesce("file", "source_hash").alias("file"))
    is_moved = pl.col("part").is_not_null() & pl.col("file").is_in(files["file"].unique().implode())
    once = rows.filter(is_moved).drop("part", "rows", "source_hash").unique(maintain_order=True)
    moved = once.join(files, on="file").with_columns(pl.col("file_to").alias("file"))
    landed = pl.DataFrame(
        [(*before, *after) for before, after in tokens.items()],
        schema={"object_key": pl.String, "object_token": pl.String, "_token": pl.String, "_bytes": pl.Int64},
        orient="row",
    )
    whole = pl.concat([rows.filter(~is_moved), moved.select(columns)]).join(
        landed, on=["object_key", "object_token"], how="left"
    )
    # Of what is refused there are no bronze files, and of an object there is only what landed.
    pairs = [(key, *hashes) for key, those in landed_hashes.items() for hashes in those.items()]
    schema = {"object_key": pl.String, "_before": pl.String, "_after": pl.String}
    since = pl.DataFrame(pairs, schema=schema, orient="row")
    for name in ("source_hash", "object_hash"):
        is_meant = pl.col("part").is_null() if name == "source_hash" else pl.lit(value=True)
        whole = (
            whole.join(since.rename({"_before": name}), on=["object_key", name], how="left")
            .with_columns(pl.when(is_meant).then(pl.coalesce("_after", name)).otherwise(name).alias(name))
            .drop("_after")
        )
    texts = [pl.col(name).map_elements(redact, return_dtype=pl.String) for name in ("reason", "drift")]
    return whole.with_columns(
        pl.when(pl.col("part").is_null()).then("source_hash").otherwise("file").alias("file"),
        pl.coalesce("_token", "object_token").alias("object_token"),
        pl.coalesce("_bytes", "bytes").alias("bytes"),
        *texts,
    ).select(columns)
