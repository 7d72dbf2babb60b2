"""Building gold: a model's SQL or function over published tables, checked against its schema, dates by the batch.

Here: what to read, that the result is what was declared, the commit. Not here: the SQL or function itself, and what is
pending.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.as_of import AsOf
from lakehouse_assets.contracts.declare import Model
from lakehouse_assets.contracts.evaluation import evaluated
from lakehouse_assets.contracts.partitioning import Partitioning, as_date
from lakehouse_assets.contracts.rules import rules_of
from lakehouse_assets.engines.handing_over import CallError, call
from lakehouse_assets.engines.spark import JobLostError, SparkError, Start, start_process
from lakehouse_assets.pipeline import gold_on_duckdb, gold_on_spark
from lakehouse_assets.pipeline.as_of_update import bring_up_to_date
from lakehouse_assets.pipeline.as_of_versions import columns_read, rows_for
from lakehouse_assets.pipeline.batches import batches
from lakehouse_assets.pipeline.model_inputs import upstream_rows, upstream_tables
from lakehouse_assets.pipeline.pending import ModelState
from lakehouse_assets.pipeline.pins import restored
from lakehouse_assets.pipeline.reading import read
from lakehouse_assets.pipeline.silver import open_declared
from lakehouse_assets.pipeline.waiting import reason_to_wait
from lakehouse_assets.storage import delta


class ModelError(Exception):
    """A model's SQL does not return what its schema declares; nothing was written."""


class RuleBrokenError(ModelError):
    """Some rows of the result break a rule of the schema; nothing was written."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule


@dataclass(frozen=True)
class Built:
    """What was built: rows by partition, the rows themselves for previews, and which engine computed them."""

    rows: dict[str, int]
    frame: pl.DataFrame
    engine: str


def build(
    lake: Lake,
    model: Model,
    partitions: list[str],
    *,
    force: bool = False,
    progress: Callable[[int], None] = lambda _: None,
    start: Start = start_process,
) -> Iterator[Built]:
    """Build some partitions of a model, yielding after each commit.

    Args:
        force: Build also the partitions whose inputs have not changed (asked for by a person).
        progress: Called with the number of partitions of each batch.
        start: Starts the jobs of Spark.

    Raises:
        ModelError: The SQL fails or returns something else than declared; the message names the model and the fix.
    """
    on_spark = gold_on_spark.is_for_spark(lake, model, partitions)
    limit = lake.settings.publish_batch_rows * (gold_on_spark.BATCHES if on_spark else 1)
    for batch in batches(sorted(partitions), upstream_rows(lake, model), limit):
        attempt = partial(_build_batch, lake, model, batch, force=force, start=start if on_spark else None)
        built = delta.until_committed(attempt)
        progress(len(batch))
        if built is not None:
            yield built
        del built  # its rows would be held while the next batch is computed


def _build_batch(lake: Lake, model: Model, partitions: list[str], *, force: bool, start: Start | None) -> Built | None:
    if why := reason_to_wait(lake, model):
        msg = f"{model.table.full_name}: {why}"
        raise ModelError(msg)
    table = open_declared(lake, model.table)
    bring_up_to_date(lake, model, partitions, force=force)
    # Fingerprints first, data second: data newer than its fingerprint is merely built again, never missed.
    state = ModelState.read(lake, model)
    pinned = {
        partition: state.pins[partition]
        for partition in partitions
        if partition in state.pins and state.is_pending(partition)
    }
    free = [p for p in partitions if p in state.inputs and p not in state.pins and (force or state.is_pending(p))]
    partitions = [*pinned, *free]
    if not partitions:
        return None
    frames = [compute(lake, model, free, start)] if free else []
    frames += [restored(lake, model.table, pinned)] if pinned else []
    frame = pl.concat(frames)
    fingerprints = {partition: state.inputs[partition] for partition in free} | {
        partition: p.fingerprint for partition, p in pinned.items()
    }
    delta.replace(lake.store, table, frame, model.layout.sql_predicate(partitions), fingerprints)
    rows = dict.fromkeys(partitions, 0)
    if model.date is None:
        rows[partitions[0]] = frame.height
    else:
        counts = frame.group_by(model.date).len()
        rows |= {str(partition): int(count) for partition, count in counts.iter_rows()}
    return Built(rows, frame, "duckdb" if start is None else "spark")


def compute(lake: Lake, model: Model, partitions: list[str], start: Start | None = None) -> pl.DataFrame:
    """Return what some partitions would be built as now. Publishes nothing. Raises `ModelError`.

    Args:
        start: Starts the job of Spark that computes them; None to compute them here, if that can be.
    """
    if why := gold_on_spark.lacks_spark(lake, model):
        raise _mismatch(model, why)
    if start is None and not model.takes_spark:
        return _conform(model, _result(lake, model, partitions), partitions)
    try:
        found = gold_on_spark.rows(lake, model, partitions, start or start_process)
    except JobLostError:
        raise
    except SparkError as error:
        raise _mismatch(model, str(error)) from None
    return _conform(model, found, partitions)


def compile_sql(lake: Lake, model: Model) -> None:
    """Compile a model's SQL against the declared columns of the tables that it reads. No row is read or written.

    Of a function nothing can be said before it is called, but that there is no Spark to call it.

    Raises:
        ModelError: It names what is not declared, or returns something else than its schema says.
    """
    if why := gold_on_spark.lacks_spark(lake, model):
        raise _mismatch(model, why)
    if model.function is not None:
        return
    upstream = upstream_tables(lake, model)
    empty = {
        table.full_name: pl.LazyFrame(schema={name: column.dtype for name, column in table.columns.items()})
        for table in upstream
    }
    for name, joins in _as_of(lake, model).items():
        empty[name] = empty[name].select(columns_read(joins))
    _conform(model, _query(model, empty, limit=0), [])


def _as_of(lake: Lake, model: Model) -> dict[str, list[AsOf]]:
    """Return the joins as of a time by the history that they read."""
    found: dict[str, list[AsOf]] = {}
    for join in lake.registry.as_of(model):
        found.setdefault(join.history, []).append(join)
    return found


def _result(lake: Lake, model: Model, partitions: list[str]) -> pl.DataFrame:
    """Return what the SQL or the function makes of the tables that it reads."""
    asked = None if model.layout is Partitioning.SNAPSHOT else partitions
    tables = {table.full_name: read(lake, table, asked) for table in upstream_tables(lake, model)}
    tables |= {name: rows_for(lake, joins, tables) for name, joins in _as_of(lake, model).items()}
    if model.function is None:
        return _query(model, tables, gold_on_duckdb.large_inputs(lake, model))
    try:
        return call(model.function, model.inputs, tables)
    except CallError as error:
        raise _mismatch(model, str(error)) from None


def _query(
    model: Model, tables: Mapping[str, pl.LazyFrame], large: Collection[str] = (), limit: int | None = None
) -> pl.DataFrame:
    try:
        return gold_on_duckdb.rows(model, tables, large, limit)
    except gold_on_duckdb.SqlError as error:
        raise _mismatch(model, f"{error}. Correct the SQL") from None


def _conform(model: Model, frame: pl.DataFrame, partitions: list[str]) -> pl.DataFrame:
    """Return the result with exactly the declared columns and types, or raise `ModelError`."""
    declared = {name: column.dtype for name, column in model.schema.columns().items()}
    if odd := sorted(set(frame.columns) ^ set(declared)):
        what = "it returns the column {!r}, which {} does not declare"
        if odd[0] in declared:
            what = "it does not return the column {!r}, which {} declares"
        raise _mismatch(model, what.format(odd[0], model.schema.__name__))
    frame = frame.select(_converted(model, frame[name], dtype) for name, dtype in declared.items())
    rules = {rule.id: rule for rule in rules_of(model.schema)}
    kept = evaluated(frame, {name: rule.expression.fill_null(value=True) for name, rule in rules.items()}, model.date)
    for rule in rules.values():
        if broken := (~kept[rule.id]).sum():
            what = f"{broken:,} of {frame.height:,} rows break the rule {rule.id!r} ({rule.text})"
            raise RuleBrokenError(rule.id, str(_mismatch(model, what)))
    if model.date is not None:
        asked = pl.col(model.date).is_in([as_date(partition) for partition in partitions]).fill_null(value=False)
        strange = frame.filter(~asked)
        if strange.height:
            raise _mismatch(model, f"it returns rows for {strange[model.date][0]}, a date that was not asked for")
        present = [name for name in model.layout.columns if name not in frame.columns]
        derived = [e for e in model.layout.of_date(model.date) if e.meta.output_name() in present]
        frame = frame.with_columns(derived)
    return frame.select(*model.table.columns)


def _converted(model: Model, column: pl.Series, wanted: pl.DataType) -> pl.Series:
    """Return a cast that can lose nothing, or raise: a float never becomes money, a decimal never loses digits."""
    name, found = column.name, column.dtype
    if found == wanted:
        return column
    whole = found.is_integer() or (isinstance(found, pl.Decimal) and found.scale == 0)
    safe = (
        (whole and (wanted.is_integer() or isinstance(wanted, pl.Decimal)))
        or (isinstance(found, pl.Decimal) and isinstance(wanted, pl.Decimal) and wanted.scale >= found.scale)
        or (found == pl.Float32 and wanted == pl.Float64)
        or (isinstance(found, pl.Datetime) and isinstance(wanted, pl.Datetime) and found.time_zone == wanted.time_zone)
        or found == pl.Null
    )
    if not safe:
        raise _mismatch(model, f"the column {name!r} comes as {found} but is declared as {wanted}; cast it there")
    try:
        return column.cast(wanted, strict=True)
    except pl.exceptions.InvalidOperationError:  # whose text quotes the value
        raise _mismatch(model, f"a value of the column {name!r} does not fit {wanted}") from None


def _mismatch(model: Model, what: str) -> ModelError:
    msg = f"{model.code}: {what}. Nothing was written; the last good version of gold.{model.name} stands."
    return ModelError(msg)
