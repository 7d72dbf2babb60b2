"""Finding the erased people in bronze: in every file that the ledger knows, live or not.

Not here: what is done about their records.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import polars as pl

from lakehouse_assets.decisions.kinds import OnRecord
from lakehouse_assets.decisions.recorded import Decisions
from lakehouse_assets.erasure.protocol import Erasures
from lakehouse_assets.erasure.search import KnownLines
from lakehouse_assets.pipeline.batches import batches
from lakehouse_assets.pipeline.bronze import bronze_path, scan_files
from lakehouse_assets.pipeline.corrections import effects
from lakehouse_assets.storage import delta


@dataclass
class InBronze:
    """Where people's records are in bronze.

    Attributes:
        lines: Lines by content.
        partitions: The partitions that hold some.
        unsearched: Bronze files that cannot be read, each with the reason.
        searched: Paths of the files that were searched.
    """

    lines: dict[str, frozenset[int]] = field(default_factory=dict)
    partitions: set[str] = field(default_factory=set)
    unsearched: list[str] = field(default_factory=list)
    searched: set[str] = field(default_factory=set)

    @property
    def records(self) -> int:
        """How many records that are."""
        return sum(len(lines) for lines in self.lines.values())

    def search(self, erasures: Erasures, known_lines: KnownLines) -> dict[str, frozenset[int]]:
        """Search the bronze files that were not searched yet, and return what is in them: lines by content.

        Args:
            known_lines: See `corrected`.
        """
        found = dict[str, set[int]]()
        meant = [f"{content}:{line}" for content, lines in known_lines.items() for line in lines]
        is_meant = pl.concat_str("_content", pl.lit(":"), "_line").is_in(pl.Series(meant, dtype=pl.String).implode())
        files = files_of(erasures).filter(~pl.col("path").is_in(list(self.searched)))
        rows = dict(files.select("path", "rows").iter_rows())
        for paths in batches(list(rows), rows, erasures.lake.settings.publish_batch_rows):
            self.searched.update(paths)
            for records in _read(erasures, files.filter(pl.col("path").is_in(paths)), self.unsearched):
                places = records.select("_line", "_content", "_part", erasures.matches(records).alias("_theirs"))
                theirs = places.filter(pl.col("_theirs") | is_meant)
                for content, line, partition in theirs.select("_content", "_line", "_part").iter_rows():
                    found.setdefault(content, set()).add(line)
                    self.partitions.add(partition)
        new = {content: frozenset(lines - erasures.evidence.blank_lines(content)) for content, lines in found.items()}
        new = {content: lines for content, lines in new.items() if lines}
        self.lines |= {content: lines | self.lines.get(content, frozenset()) for content, lines in new.items()}
        return new


def corrected(erasures: Erasures) -> KnownLines:
    """Return the lines by content that a decision corrected to be an erased person's."""
    feed, found = erasures.feed, dict[str, set[int]]()
    active = Decisions.load(erasures.lake.store, feed.name).active_of(OnRecord)
    for (content, line), effect in effects(feed, active).items():
        for column in erasures.people.columns:
            value = effect.values.get(feed.sources[column].headers[0])
            if value is not None and erasures.people.in_values(column, pl.Series([value])).any():
                found.setdefault(content, set()).add(line)
    return {content: frozenset(lines) for content, lines in found.items()}


def without_lines(erasures: Erasures, contents: Iterable[str]) -> dict[str, frozenset[int]]:
    """Return those of some replaced contents that bronze still has, and of which no record was taken out."""
    known, evidence = set(files_of(erasures)["source_hash"]), erasures.evidence
    return {c: frozenset() for c in known.intersection(contents) if not any(e.lines for e in evidence.of_before(c))}


def files_of(erasures: Erasures) -> pl.DataFrame:
    """Return the bronze files that the ledger knows: `source_hash`, `file` (their name), `part`, `rows`, `path`.

    Of a file that lies in a pack, the path is where it lay before.
    """
    rows = erasures.lake.ledger_of(erasures.feed).rows.filter(pl.col("part").is_not_null())
    named = rows.select("source_hash", pl.coalesce("file", "source_hash").alias("file"), "part", "rows")
    files = named.unique(["file", "part"]).sort("part", "file")
    places = files.select("part", "file").iter_rows()
    paths = [bronze_path(erasures.feed, partition, file) for partition, file in places]
    return files.with_columns(pl.Series("path", paths, dtype=pl.String))


def _read(erasures: Erasures, files: pl.DataFrame, unsearched: list[str]) -> Iterator[pl.DataFrame]:
    """Yield the records of some bronze files with `_content` and `_part`; file by file if one is damaged."""
    said = (pl.col("source_hash").alias("_content"), pl.col("part").alias("_part"))
    try:
        yield scan_files(erasures.lake, erasures.feed, files.select("part", "file", *said)).collect()
    except delta.UNREADABLE as error:
        if files.height == 1:
            why = str(error).splitlines()[0]
            unsearched.append(f"{files['path'][0]}: the bronze file cannot be read ({why}); see `lakehouse verify`.")
            return
        for one in files.iter_slices(1):
            yield from _read(erasures, one, unsearched)
