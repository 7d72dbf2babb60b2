"""The Dagster assets of a feed's tables: bronze, silver with its checks, quarantine."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts import lineage
from lakehouse_assets.contracts.declare import Feed, Table
from lakehouse_assets.contracts.partitioning import as_date
from lakehouse_assets.operations.computing import partitions_of
from lakehouse_assets.orchestration import date_partitions, events, failures, progress, row_checks
from lakehouse_assets.orchestration import metadata as shown_metadata
from lakehouse_assets.orchestration.feed_checks import SHOWN, results, specs_of_ids
from lakehouse_assets.orchestration.lake_tables import Commits, only_own_events
from lakehouse_assets.orchestration.resources import LakeResource
from lakehouse_assets.pipeline.gate import HELD_BACK, OUTSIDE, PUBLISHED, UNACCOUNTED, Outcome
from lakehouse_assets.pipeline.reading import read
from lakehouse_assets.pipeline.silver import publish
from lakehouse_assets.storage import delta_files


def specs(feed: Feed, lake: Lake) -> Iterator[dg.AssetSpec]:
    """Yield the tables that other assets write: the ingest of landing writes bronze, the asset of silver the others."""
    yield _spec(feed, feed.bronze, lake, {}, "bronze", {"parquet", "bronze"}, landing=feed.landing)
    if feed.keyed is not None and feed.history is not None:
        columns = lineage.of_history(feed, feed.keyed)
        yield _spec(feed, feed.history, lake, columns, "history", {"deltalake", "polars", "silver"})
    for table, columns in (
        (feed.quarantine, lineage.of_quarantine(feed)),
        (feed.by_rule, lineage.of_by_rule(feed)),
    ):
        yield _spec(feed, table, lake, columns, "quarantine", {"deltalake", "polars"})


def _spec(
    feed: Feed, table: Table, lake: Lake, columns: lineage.Lineage, group: str, kinds: set[str], **linked: str
) -> dg.AssetSpec:
    return dg.AssetSpec(
        key=table.key.split("/"),
        deps=[["landing" if table is feed.bronze else "bronze", feed.name]],
        group_name=group,
        kinds=kinds,
        owners=[feed.owner],
        tags=shown_metadata.feed_tags(feed),
        description=table.description,
        partitions_def=date_partitions.daily(lake.registry) if feed.business_date else None,
        metadata=shown_metadata.metadata_of(table, lake.store, columns)
        | shown_metadata.links(feed.contract, None, **linked, silver=feed.silver.key),
    )


def silver_asset(feed: Feed, lake: Lake) -> dg.AssetsDefinition:
    """Return silver: publishes the candidates of the dates asked for, through the gate."""
    key = dg.AssetKey(["silver", feed.name])
    referenced = lake.registry.references(feed)
    first = sorted({reference.feed for reference in referenced} - {feed.name})
    is_dated = feed.business_date is not None
    gate = f"share of valid records at least {feed.gate:.2%}, per {'bucket' if feed.key else 'date'}"
    accounts = "landed = valid + quarantined + duplicates + discarded + erased, per source object"
    specs = [
        dg.AssetCheckSpec("gate", asset=key, blocking=True, description=gate),
        dg.AssetCheckSpec("accounting", asset=key, blocking=True, description=accounts),
        dg.AssetCheckSpec("rows_kept", asset=key, description="no published record vanished while its file is live"),
        dg.AssetCheckSpec("required_columns", asset=key, description="no held or pinned date lacks a required column"),
        *specs_of_ids(feed, key),
        *row_checks.spec(feed, key),
        *(dg.AssetCheckSpec(r.name, asset=key, description=r.text) for r in referenced if not feed.awaited),
        *(dg.AssetCheckSpec(rule.id, asset=key, description=rule.text) for rule in feed.rules.values()),
    ]

    @dg.asset(
        key=key,
        deps=[["bronze", feed.name], *date_partitions.upstream((["silver", name] for name in first), dated=is_dated)],
        group_name="silver",
        kinds={"deltalake", "polars", "silver"},
        owners=[feed.owner],
        tags=shown_metadata.feed_tags(feed),
        description=feed.silver.description,
        metadata=shown_metadata.metadata_of(feed.silver, lake.store, lineage.of_silver(feed))
        | shown_metadata.links(feed.contract, quarantine=feed.quarantine.key),
        partitions_def=date_partitions.daily(lake.registry) if feed.business_date else None,
        backfill_policy=dg.BackfillPolicy.single_run() if feed.business_date else None,
        code_version=feed.version,
        check_specs=specs,
        output_required=False,
    )
    def published(
        context: dg.AssetExecutionContext, config: date_partitions.RequestedPartitions, lakehouse: LakeResource
    ) -> Iterator[Any]:
        lake = lakehouse.lake()
        partitions, force = date_partitions.requested(context, config)
        outcomes: list[Outcome] = []
        commits = Commits(_published(context, feed, lake, partitions, outcomes, force=force))
        with (
            events.step(context, lake),
            failures.noted(context, feed.silver.key, lambda: failures.left_of(lake, feed, partitions)),
        ):
            with only_own_events(context):
                yield dg.Output(commits)
            commits.finish()
        stopped = [outcome.message for outcome in outcomes if outcome.verdict in {HELD_BACK, UNACCOUNTED}]
        if stopped:
            failures.note_left(context, feed.silver.key, failures.left_of(lake, feed, partitions))
        found = list(results(lake, feed, outcomes))
        with events.together(context.instance):
            yield from found
        if stopped:
            raise failures.CheckFailedError("\n".join(stopped[:SHOWN]))

    return published


def _published(
    context: dg.AssetExecutionContext,
    feed: Feed,
    lake: Lake,
    partitions: list[str] | None,
    outcomes: list[Outcome],
    *,
    force: bool,
) -> Iterator[list[dg.AssetMaterialization]]:
    """Publish batch after batch, with one materialization per published partition; log the gates, note the outcomes."""
    done = publish(
        lake,
        feed,
        partitions_of(lake, feed, partitions, force=force),
        context.run.run_id,
        force=force,
        progress=lambda n: progress.advance(feed.silver.key, n),
    )
    for batch in done:
        outcomes += batch
        newest = max((o.partition for o in batch if o.verdict == PUBLISHED), default=None)
        made: list[dg.AssetMaterialization] = []
        with events.together(context.instance):
            for outcome in batch:
                _log_gate(context, feed, outcome)
        for outcome in batch:
            shown = _table_metadata(lake, feed, outcome.partition) if outcome.partition == newest else {}
            made += _materializations(feed, outcome, lake, shown)
        yield made


def _log_gate(context: dg.AssetExecutionContext, feed: Feed, outcome: Outcome) -> None:
    """Record one date's evaluation of the gate, exactly, as it happens."""
    if outcome.verdict in {HELD_BACK, UNACCOUNTED}:
        context.log.error(outcome.message)
    if as_date(outcome.partition) is not None and outcome.verdict != OUTSIDE:
        key = ["silver", feed.name]
        events.evaluated(context, key, "gate", outcome.partition, outcome.passed, outcome.message, _counts(outcome))


def _materializations(
    feed: Feed, outcome: Outcome, lake: Lake, shown: dict[str, Any]
) -> Iterator[dg.AssetMaterialization]:
    """Yield what was written of one partition: to quarantine, and to silver unless the gate holds it."""
    for table, rows in ((feed.quarantine, outcome.kept), (feed.by_rule, len(outcome.broken))):
        if rows:
            failing = {"dagster/partition_row_count": rows, **outcome.broken}
            yield from events.materialized(table.key, outcome.partition, failing, lake, feed)
    if outcome.verdict == PUBLISHED:
        if feed.history is not None:
            yield from events.materialized(feed.history.key, outcome.partition, {"keys": outcome.rows}, lake, feed)
        yield from events.materialized(feed.silver.key, outcome.partition, _counts(outcome) | shown, lake, feed)


def _counts(outcome: Outcome) -> dict[str, Any]:
    return {
        "dagster/partition_row_count": outcome.rows,
        "landed": outcome.landed,
        "quarantined": outcome.quarantined,
        "duplicates": outcome.duplicates,
        "quality score": outcome.score,
        "source objects": outcome.sources,
    }


def _table_metadata(lake: Lake, feed: Feed, partition: str) -> dict[str, Any]:
    rows = read(lake, feed.silver).filter(feed.silver.partitioning.filter([partition]))
    files = delta_files.files(lake.store, feed.silver.path)
    return {
        "dagster/row_count": int(files["num_records"].sum()),
        "preview": shown_metadata.preview(feed.silver, rows.head(shown_metadata.PREVIEW_ROWS).collect()),
    }
