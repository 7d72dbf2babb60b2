"""The Dagster asset of a gold table, with one check per rule of its schema."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import dagster as dg

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts import lineage
from lakehouse_assets.contracts.declare import Model
from lakehouse_assets.contracts.rules import rules_of
from lakehouse_assets.engines.spark import Start, start_process
from lakehouse_assets.operations.computing import partitions_of
from lakehouse_assets.orchestration import date_partitions, events, failures, progress, row_checks
from lakehouse_assets.orchestration import metadata as shown_metadata
from lakehouse_assets.orchestration.lake_tables import Commits, only_own_events
from lakehouse_assets.orchestration.resources import LakeResource
from lakehouse_assets.orchestration.spark_jobs import starter
from lakehouse_assets.pipeline.gold import Built, RuleBrokenError, build
from lakehouse_assets.pipeline.reading import read
from lakehouse_assets.storage import delta_files


def model_asset(model: Model, lake: Lake) -> dg.AssetsDefinition:
    """Return the asset of a model: builds the dates asked for, or its snapshot."""
    key = dg.AssetKey(["gold", model.name])
    dated = date_partitions.daily(lake.registry) if model.date else None

    @dg.asset(
        key=key,
        deps=date_partitions.upstream((n.split(".") for n in model.upstream), dated=dated is not None),
        group_name="gold",
        kinds={"deltalake", _engine(model, lake), "gold"},
        owners=[model.owner],
        tags=dict(model.tags),
        description=model.description,
        metadata=shown_metadata.metadata_of(
            model.table, lake.store, lineage.of_model(model, lake.registry), model.query or None
        )
        | shown_metadata.links(model.schema, model.sql),
        partitions_def=dated,
        backfill_policy=dg.BackfillPolicy.single_run() if dated else None,
        code_version=model.version,
        check_specs=[
            *(dg.AssetCheckSpec(r.id, asset=key, blocking=True, description=r.text) for r in rules_of(model.schema)),
            *row_checks.spec(model, key),
        ],
        output_required=False,
    )
    def built(
        context: dg.AssetExecutionContext, config: date_partitions.RequestedPartitions, lakehouse: LakeResource
    ) -> Iterator[Any]:
        partitions, force = date_partitions.requested(context, config)
        lake = lakehouse.lake()
        made: list[str] = []
        commits = Commits(_noted(_built(lake, model, partitions, starter(context), force=force), made))
        broken: RuleBrokenError | None = None
        with (
            events.step(context, lake),
            failures.noted(context, model.table.key, lambda: failures.left_of(lake, model, partitions)),
        ):
            with only_own_events(context):
                yield dg.Output(commits)
            try:
                commits.finish()
            except RuleBrokenError as error:
                broken = error
                failures.note_left(context, model.table.key, failures.left_of(lake, model, partitions))
        with events.together(context.instance):
            for rule in rules_of(model.schema):
                failed = broken is not None and broken.rule == rule.id
                yield events.TableCheckResult(
                    asset_key=key, check_name=rule.id, passed=not failed, description=str(broken) if failed else None
                )
            yield from row_checks.result(lake, model, model.table, key, made)
        if broken is not None:
            raise failures.CheckFailedError(str(broken))

    return built


def _engine(model: Model, lake: Lake) -> str:
    """Return what computes a table, as far as the declaration says it."""
    if model.sql is None:
        return "spark" if model.takes_spark else "python"
    return "spark" if model.engine == "spark" and lake.settings.spark else "duckdb"


def _built(
    lake: Lake, model: Model, partitions: list[str] | None, start: Start = start_process, *, force: bool
) -> Iterator[list[dg.AssetMaterialization]]:
    """Build batch after batch, with one materialization per partition."""
    partitions = partitions_of(lake, model, partitions, force=force)
    advance = partial(progress.advance, model.table.key)
    for done in build(lake, model, partitions, force=force, progress=advance, start=start):
        yield list(_materializations(lake, model, done, max(partitions)))
        del done  # its rows would be held while the next batch is computed


def _noted(
    batches: Iterator[list[dg.AssetMaterialization]], partitions: list[str]
) -> Iterator[list[dg.AssetMaterialization]]:
    """Yield the batches, and note the partitions that were built."""
    for batch in batches:
        partitions += [event.partition for event in batch if event.partition is not None]
        yield batch


def _materializations(lake: Lake, model: Model, built: Built, newest: str) -> Iterator[dg.AssetMaterialization]:
    """Yield one materialization per partition; that of the newest, which is built last, shows the whole table."""
    shown = _table_metadata(lake, model, built) if newest in built.rows else {}
    for partition, count in built.rows.items():
        metadata = {"dagster/partition_row_count": count} if model.date is not None else {}
        if partition == newest:
            metadata |= shown
        yield dg.AssetMaterialization(
            ["gold", model.name], partition=partition if model.date is not None else None, metadata=metadata
        )


def _table_metadata(lake: Lake, model: Model, built: Built) -> dict[str, Any]:
    files = delta_files.files(lake.store, model.table.path)
    found: dict[str, Any] = {
        "engine": built.engine,
        "dagster/row_count": int(files["num_records"].sum()),
        "preview": shown_metadata.preview(
            model.table, built.frame.tail(shown_metadata.PREVIEW_ROWS), lineage.personal_of_model(model, lake.registry)
        ),
    }
    if model.plotted is not None:
        found |= shown_metadata.plot_of(model, read(lake, model.table).select(model.plotted).collect())
    return found
