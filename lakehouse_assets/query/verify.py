"""`lakehouse verify`: the promises derived again from what is stored, and every disagreement told.

Landing is not needed: the ledger, bronze, quarantine, accounting, silver and gold must agree among themselves. Nothing
is written. A difference that a pending run would remove is not damage, and is left out.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl
from polars.exceptions import PanicException

from lakehouse_assets.contracts.declare import Feed, Model, Table
from lakehouse_assets.contracts.partitioning import UNDATED, WHOLE, Partitioning
from lakehouse_assets.ingest.bronze import bronze_path
from lakehouse_assets.lake import delta
from lakehouse_assets.lake.lake import Lake
from lakehouse_assets.lake.storage import StorageError
from lakehouse_assets.publish import accounting, gold, silver
from lakehouse_assets.publish.catalog import PATH, CatalogState
from lakehouse_assets.publish.pending import FeedState, ModelState

_AT_A_TIME = 60


@dataclass(frozen=True)
class Finding:
    """One disagreement: which table and partition, and what is wrong with it."""

    table: str
    part: str
    what: str

    def __str__(self) -> str:
        return f"{self.table}{f' {self.part}' if self.part else ''}: {self.what}"


def verify(lake: Lake) -> Iterator[Finding]:
    """Yield every disagreement, feed by feed, then gold, then the catalog."""
    for feed in lake.registry.feeds.values():
        yield from _bronze(lake, feed)
        for table in (feed.silver, feed.quarantine, accounting.TABLE):
            yield from _files(lake, table)
        yield from _silver(lake, feed)
    for model in lake.registry.models.values():
        yield from _files(lake, model.table)
        yield from _model(lake, model)
    yield from _catalog(lake)


def _bronze(lake: Lake, feed: Feed) -> Iterator[Finding]:
    """Compare what the ledger says is live with the objects that are there, their rows and their hashes."""
    for part, source_hash, key, rows, file in lake.ledger_of(feed).live.iter_rows():
        path = bronze_path(feed, part, file)
        if lake.store.stat(path) is None:
            yield Finding(
                feed.bronze.full_name, part, f"{path} is missing; the ledger has {rows:,} live records of {key}"
            )
            continue
        try:
            scan = pl.scan_parquet(lake.store.uri(path), storage_options=lake.store.options or None, glob=False)
            found = scan.select(
                pl.len(), pl.col("_source_hash").n_unique(), pl.col("_source_hash").first().alias("first")
            ).collect()
        except (pl.exceptions.PolarsError, PanicException, OSError) as error:
            yield Finding(feed.bronze.full_name, part, f"{path} cannot be read: {str(error).splitlines()[0]}")
            continue
        count, hashes, first = found.row(0)
        if count != rows:
            yield Finding(feed.bronze.full_name, part, f"{path} has {count:,} records, the ledger {rows:,}")
        if count and (hashes != 1 or first != source_hash):
            yield Finding(feed.bronze.full_name, part, f"{path} holds records of another source object")


def _files(lake: Lake, table: Table) -> Iterator[Finding]:
    """Compare a Delta log with the data files that are there."""
    if not delta.exists(lake.store, table.path):
        return
    try:
        named = delta.file_sizes(lake.store, table.path)
    except (OSError, ValueError, StorageError) as error:
        yield Finding(table.full_name, "", f"its Delta log cannot be read: {error}")
        return
    there = {stored.path.removeprefix(f"{table.path}/"): stored.size for stored in lake.store.list(table.path)}
    for path, size in named.items():
        if path not in there:
            yield Finding(table.full_name, "", f"{path} is missing; the Delta log names it")
        elif there[path] != size:
            yield Finding(table.full_name, "", f"{path} has {there[path]:,} bytes, the Delta log says {size:,}")


def _silver(lake: Lake, feed: Feed) -> Iterator[Finding]:
    """Compute every decided candidate again, and compare it with what is published, quarantined and accounted for."""
    state = FeedState.read(lake, feed, lake.ledger_of(feed))
    decided = [part for part in state.inputs if part not in state.pins and not state.is_pending(part)]
    for start in range(0, len(decided), _AT_A_TIME):
        parts = decided[start : start + _AT_A_TIME]
        try:
            candidate, outcomes = silver.evaluate(lake, feed, parts)
        except (pl.exceptions.PolarsError, PanicException, OSError, StorageError) as error:
            yield Finding(
                feed.silver.full_name, f"{parts[0]} .. {parts[-1]}", f"bronze cannot be read: {error}".splitlines()[0]
            )
            continue
        published = [o.part for o in outcomes if o.verdict == silver.PUBLISHED]
        outside = [o.part for o in outcomes if o.verdict == silver.OUTSIDE and o.part in state.silver]
        yield from _rows(lake, feed.silver, [*published, *outside], candidate.valid)
        yield from _rows(lake, feed.quarantine, parts, candidate.quarantined)
        for outcome in outcomes:
            if outcome.verdict == silver.UNACCOUNTED:
                yield Finding(feed.silver.full_name, outcome.part, str(outcome.problem))
        yield from _accounts(lake, feed, outcomes)
    yield from _strangers(lake, feed.silver, set(state.inputs))


def _accounts(lake: Lake, feed: Feed, outcomes: list[silver.Outcome]) -> Iterator[Finding]:
    sums = {
        part: tuple(counts)
        for part, *counts in accounting.scan_accounting(lake.store)
        .filter((pl.col("feed") == feed.name) & pl.col("part").is_in([o.part for o in outcomes]))
        .group_by("part")
        .agg(pl.sum("landed"), pl.sum("valid"), pl.sum("quarantined"), pl.sum("duplicates"))
        .collect()
        .iter_rows()
    }
    for outcome in outcomes:
        expected = (outcome.landed, outcome.valid, outcome.quarantined, outcome.duplicates)
        if (found := sums.get(outcome.part, (0, 0, 0, 0))) != expected:
            text = "landed, valid, quarantined, duplicates are {} in the accounting, {} by the records"
            yield Finding(accounting.TABLE.full_name, f"{feed.name} {outcome.part}", text.format(found, expected))


def _rows(lake: Lake, table: Table, parts: list[str], expected: pl.DataFrame) -> Iterator[Finding]:
    """Compare stored rows with expected ones, partition by partition, whatever their order."""
    columns = {name: column.dtype for name, column in table.columns.items()}
    layout = table.partitioning
    scan = delta.scan(lake.store, table.path, columns).filter(layout.filter(parts))
    try:
        stored = scan.select(*columns).collect()
    except (pl.exceptions.PolarsError, PanicException, OSError) as error:
        yield Finding(table.full_name, "", f"it cannot be read: {str(error).splitlines()[0]}")
        return
    name = pl.lit(WHOLE) if layout is Partitioning.SNAPSHOT else layout.date.cast(pl.String).fill_null(UNDATED)
    stored = stored.with_columns(name.alias("_part"))
    there, wanted = _fingerprints(stored), _fingerprints(expected.select(*columns, "_part").cast(stored.schema))
    for part in parts:
        if there.get(part, (0, 0)) != wanted.get(part, (0, 0)):
            has, should = there.get(part, (0, 0))[0], wanted.get(part, (0, 0))[0]
            what = (
                f"{has:,} rows are stored, {should:,} follow from what is live"
                if has != should
                else "its rows are not those that follow from what is live"
            )
            yield Finding(table.full_name, part, what)


def _fingerprints(rows: pl.DataFrame) -> dict[str, tuple[int, int]]:
    """Return rows and an order-free hash by partition."""
    hashes = rows.drop("_part").hash_rows(seed=7)
    summed = rows.select("_part").with_columns(hashes.alias("h")).group_by("_part")
    totals = summed.agg(pl.len(), (pl.col("h") % (1 << 40)).sum(), pl.col("h").bitwise_xor().alias("x"))
    return {part: (int(count), hash((total, mixed))) for part, count, total, mixed in totals.iter_rows()}


def _strangers(lake: Lake, table: Table, known: set[str]) -> Iterator[Finding]:
    """Find partitions of which the ledger has never heard."""
    if table.partitioning is Partitioning.SNAPSHOT or not delta.exists(lake.store, table.path):
        return
    files = delta.files(lake.store, table.path).rename(lambda name: name.removeprefix("partition."))
    for (part,) in files.select(table.partitioning.date.cast(pl.String)).unique().iter_rows():
        if part is not None and part not in known:
            yield Finding(table.full_name, part, "it has rows of a date that nothing ever landed for")


def _model(lake: Lake, model: Model) -> Iterator[Finding]:
    """Build every partition that is not pending again, and compare it with what is stored."""
    state = ModelState.read(lake, model)
    built = [part for part in state.inputs if part not in state.pins and not state.is_pending(part)]
    for start in range(0, len(built), _AT_A_TIME):
        parts = built[start : start + _AT_A_TIME]
        try:
            frame = gold.compute(lake, model, parts)
        except gold.ModelError as error:
            yield Finding(model.table.full_name, parts[0], str(error))
            continue
        layout = model.layout
        name = pl.lit(WHOLE) if layout is Partitioning.SNAPSHOT else layout.date.cast(pl.String)
        yield from _rows(lake, model.table, parts, frame.with_columns(name.alias("_part")))
    yield from _strangers(lake, model.table, set(state.inputs))


def _catalog(lake: Lake) -> Iterator[Finding]:
    state = CatalogState.read(lake)
    if state.built and lake.store.stat(PATH) is None:
        yield Finding("catalog", "", f"{PATH} is missing; `lakehouse run` writes it anew")
    elif state.built == state.inputs and state.inputs:
        yield from _views(lake)


def _views(lake: Lake) -> Iterator[Finding]:
    import duckdb  # noqa: PLC0415

    try:
        with duckdb.connect(lake.store.uri(PATH), read_only=True) as connection:
            names = [".".join(row) for row in connection.sql(
                "SELECT schema_name, view_name FROM duckdb_views() WHERE NOT internal"
            ).fetchall()]  # fmt: skip
            for name in names:
                connection.sql(f"SELECT count(*) FROM {name}").fetchall()  # noqa: S608 - names of our own
    except duckdb.Error as error:
        yield Finding("catalog", "", f"{PATH} cannot be read: {str(error).splitlines()[0]}")
