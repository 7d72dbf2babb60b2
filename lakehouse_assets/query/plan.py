"""`lakehouse plan`: what the present declarations would rebuild, before anything is written."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed, Model, Table
from lakehouse_assets.contracts.partitioning import UNDATED, WHOLE, Partitioning, is_by_date
from lakehouse_assets.pipeline.pending import FeedState, ModelState, rows_by_partition
from lakehouse_assets.sources.landing import to_read_anew
from lakehouse_assets.storage import delta
from lakehouse_assets.storage.delta_types import SchemaMismatchError
from lakehouse_assets.storage.schema_evolution import differences_of


@dataclass(frozen=True)
class Step:
    """What would become of one table.

    Attributes:
        partitions: Partitions that would be computed, sorted.
        rows: Rows that would be read for them, where known.
        schema: Columns that would be added or widened, by name.
        objects: Landed objects that would be read anew first, because the contract reads them in another way.
        gone: Objects that would be, too, if landing still had them; they stay as they were read.
        refusal: Why the stored table cannot follow its declaration, or reads one that cannot; then nothing of it would
            be written.
    """

    table: str
    partitions: list[str]
    rows: int | None
    schema: Mapping[str, str]
    refusal: str | None = None
    objects: int = 0
    gone: int = 0


def plan(lake: Lake) -> list[Step]:
    """Return the tables of which something would be computed, evolved or refused, in order."""
    steps: list[Step] = []
    waiting: dict[str, list[str]] = {}
    for feed in lake.registry.feeds.values():
        steps.append(_feed_step(lake, feed, waiting))
        rest = [_schema_step(lake, table, []) for table in feed.tables if table not in (feed.bronze, feed.silver)]
        steps += [step for step in rest if step.schema or step.refusal]
    for model in lake.registry.models.values():
        refused = sorted({step.table for step in steps if step.refusal} & set(model.upstream))
        steps.append(_model_step(lake, model, waiting, refused))
    return [step for step in steps if step.partitions or step.schema or step.refusal or step.objects]


def _feed_step(lake: Lake, feed: Feed, waiting: dict[str, list[str]]) -> Step:
    ledger = lake.ledger_of(feed)
    partitions = FeedState.read(lake, feed, ledger).pending
    waiting[feed.silver.full_name] = [partition for partition in partitions if partition != UNDATED]
    waiting |= dict.fromkeys((table.full_name for table in feed.tables), waiting[feed.silver.full_name])
    rows = rows_by_partition(ledger.live)
    step = _schema_step(lake, feed.silver, partitions, sum(rows.get(partition, 0) for partition in partitions))
    objects, gone = to_read_anew(lake, feed, ledger)
    return replace(step, objects=objects, gone=gone)


def _model_step(lake: Lake, model: Model, waiting: dict[str, list[str]], refused: list[str]) -> Step:
    own = set(ModelState.read(lake, model).pending)
    upstream = {partition for name in model.upstream for partition in waiting.get(name, [])}
    if model.layout is Partitioning.SNAPSHOT:
        partitions = [WHOLE] if own or upstream else []
    else:
        partitions = sorted(own | {partition for partition in upstream if is_by_date(partition)})
    waiting[model.table.full_name] = partitions
    step = _schema_step(lake, model.table, partitions)
    if partitions and refused and not step.refusal:
        return replace(
            step,
            refusal=f"it waits for {', '.join(refused)}; until then it is not rebuilt, and keeps its present rows.",
        )
    return step


def _schema_step(lake: Lake, table: Table, partitions: list[str], rows: int | None = None) -> Step:
    if not delta.exists(lake.store, table.path):
        return Step(table.full_name, partitions, rows, {})
    columns = {name: column.dtype for name, column in table.columns.items()}
    try:
        changes = differences_of(lake.store, table.path, columns, table.partitioning)
    except SchemaMismatchError as error:
        return Step(table.full_name, partitions, rows, {}, str(error))
    return Step(table.full_name, partitions, rows, changes)
