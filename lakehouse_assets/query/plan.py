"""`lakehouse plan`: what the present declarations would rebuild or refuse, before anything is written."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed, Model, Table
from lakehouse_assets.contracts.partitioning import UNDATED, WHOLE, Partitioning, is_by_date
from lakehouse_assets.contracts.wording import counted
from lakehouse_assets.ledger.ledger import FeedLedger
from lakehouse_assets.pipeline.batches import rows_by_partition
from lakehouse_assets.pipeline.gold import ModelError, compile_sql
from lakehouse_assets.pipeline.model_inputs import rows_read
from lakehouse_assets.pipeline.pending import FeedState, ModelState
from lakehouse_assets.pipeline.waiting import reason_for_feed_to_wait
from lakehouse_assets.query import estimate, foreseen
from lakehouse_assets.sources.landing import key_of, pending, to_read_anew
from lakehouse_assets.storage import delta
from lakehouse_assets.storage.delta_types import SchemaMismatchError
from lakehouse_assets.storage.schema_evolution import differences_of


@dataclass(frozen=True)
class Step:
    """What would become of one table.

    Attributes:
        partitions: Partitions that would be computed, sorted.
        rows: Live bronze rows of them; None for a table of another layer.
        expected_rows: Rows that would be read to compute it, also of objects that bronze does not have yet: a guess
            from their size.
        schema: Columns that would be added or widened, by name.
        refusal: Why the stored table cannot follow its declaration, why its SQL does not fit the declared tables, or
            which refused table it reads; then nothing of it would be written.
        objects: Landed objects that would be read anew first, because the contract reads them in another way.
        anew_rows: Their live bronze rows.
        gone: Objects that would be, too, if landing still had them; they stay as they were read.
        new: Landed objects that would be read for the first time, or once more after they were refused.
        bytes: Size of all objects to be read.
        notes: What else a person has to know, in words: what a changed contract would take away.
    """

    table: str
    partitions: list[str]
    rows: int | None
    schema: Mapping[str, str]
    refusal: str | None = None
    objects: int = 0
    anew_rows: int = 0
    gone: int = 0
    new: int = 0
    bytes: int = 0
    expected_rows: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def is_work(self) -> bool:
        """Whether something would be done."""
        return bool(self.partitions or self.schema or self.objects or self.new) and not self.refusal


def plan(lake: Lake) -> list[Step]:
    """Return the tables of which something would be read, computed, evolved or refused, in order."""
    lake = lake.at_once()
    steps: list[Step] = []
    waiting: dict[str, list[str]] = {}
    expected: dict[str, int] = {}
    for feed in lake.registry.feeds.values():
        steps.append(_feed_step(lake, feed, waiting))
        expected[feed.silver.full_name] = steps[-1].expected_rows
        rest = [_schema_step(lake, table, []) for table in feed.tables if table not in (feed.bronze, feed.silver)]
        steps += [step for step in rest if step.schema or step.refusal]
    for model in lake.registry.models.values():
        refused = sorted({step.table for step in steps if step.refusal} & set(model.upstream))
        steps.append(_model_step(lake, model, waiting, refused, expected))
    return [step for step in steps if step.is_work or step.refusal or step.partitions]


def seconds(steps: Iterable[Step]) -> float:
    """Return how long the work of some steps would take: an estimate."""
    found = [step for step in steps if step.is_work]
    silver = [step for step in found if step.table.startswith("silver.")]
    built = [step for step in found if step.table.startswith("gold.")]
    return estimate.seconds(
        sum(step.bytes for step in silver),
        sum(step.expected_rows for step in silver),
        sum(step.expected_rows for step in built),
        sum(len(step.partitions) for step in found),
        len(silver) + len(built),
    )


def _feed_step(lake: Lake, feed: Feed, waiting: dict[str, list[str]]) -> Step:
    ledger = lake.ledger_of(feed)
    state = FeedState.read(lake, feed, ledger)
    waiting[feed.silver.full_name] = [partition for partition in state.pending if partition != UNDATED]
    waiting |= dict.fromkeys((table.full_name for table in feed.tables), waiting[feed.silver.full_name])
    rows = rows_by_partition(lake.counting(feed).live)
    step = _schema_step(lake, feed.silver, state.pending, sum(rows.get(partition, 0) for partition in state.pending))
    landed = list(pending(lake, feed, ledger))
    anew = to_read_anew(feed, ledger)
    there = [stored for stored in landed if key_of(feed, stored) in anew.keys]
    new = [stored for stored in landed if key_of(feed, stored) not in anew.keys]
    return replace(
        step,
        objects=len(there),
        anew_rows=anew.rows,
        gone=len(anew.keys) - len(there),
        new=len(new),
        bytes=sum(stored.size for stored in landed),
        expected_rows=(step.rows or 0) + _rows_in(ledger, sum(stored.size for stored in new)),
        notes=_notes(lake, feed, state, anew.rows) + foreseen.objects(lake, feed, there).lines,
    )


def _rows_in(ledger: FeedLedger, size: int) -> int:
    """Return how many records so many landed bytes may hold: as many as in what landed before, else one in 100."""
    known = sum(ledger.summary.partitions.values()) / ledger.summary.landed_bytes if ledger.summary.landed_bytes else 0
    return round(size * (known or 0.01))


def _notes(lake: Lake, feed: Feed, state: FeedState, anew_rows: int) -> list[str]:
    return [*_of_records(lake, feed, state, anew_rows), *_of_waiting(lake, feed)]


def _of_waiting(lake: Lake, feed: Feed) -> Iterator[str]:
    """Yield what may be published of other feeds, once this one has what their records reference."""
    for other in lake.registry.feeds.values():
        is_awaiting = any(reference.feed == feed.name for reference in other.awaited.values())
        if is_awaiting and (missing := FeedState.of(lake, other).missing):
            dates = counted(len(missing), other.layout.unit)
            yield f"records of {dates} of {other.silver.full_name} wait for its values, and follow if these come"


def _of_records(lake: Lake, feed: Feed, state: FeedState, anew_rows: int) -> list[str]:
    if why := reason_for_feed_to_wait(lake, feed):
        return [why]
    found = foreseen.records(lake, feed, state, lake.ledger_of(feed))
    if found is not None:
        return found.lines
    verb = "is" if anew_rows == 1 else "are"
    return [f"which published records would stay is known when {counted(anew_rows, 'row')} {verb} read anew"]


def _model_step(
    lake: Lake, model: Model, waiting: dict[str, list[str]], refused: list[str], expected: Mapping[str, int]
) -> Step:
    own = set(ModelState.read(lake, model).pending)
    upstream = {partition for name in model.upstream for partition in waiting.get(name, [])}
    if model.layout is Partitioning.SNAPSHOT:
        partitions = [WHOLE] if own or upstream else []
    else:
        partitions = sorted(own | {partition for partition in upstream if is_by_date(partition)})
    waiting[model.table.full_name] = partitions
    step = _schema_step(lake, model.table, partitions)
    refusals = [step.refusal] if step.refusal else []
    try:
        compile_sql(lake, model)
    except ModelError as error:
        refusals.append(f"{error}")
    if partitions and refused:
        refusals.append(f"it waits for {', '.join(refused)}; until then it is not rebuilt, and keeps its present rows.")
    # Of what is stored and of what is to come: some of it may be both.
    rows = max(rows_read(lake, model, partitions), sum(expected.get(name, 0) for name in model.upstream))
    return replace(step, refusal=" ".join(" ".join(refusals).split()) or None, expected_rows=rows if partitions else 0)


def _schema_step(lake: Lake, table: Table, partitions: list[str], rows: int | None = None) -> Step:
    if not delta.exists(lake.store, table.path):
        return Step(table.full_name, partitions, rows, {})
    try:
        changes = differences_of(lake.store, table.path, table.types, table.partitioning)
    except SchemaMismatchError as error:
        return Step(table.full_name, partitions, rows, {}, str(error))
    return Step(table.full_name, partitions, rows, changes)
