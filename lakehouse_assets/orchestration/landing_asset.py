"""The Dagster asset of a feed's landing, whose materialization ingests. Not here: the tables that follow from it."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import dagster as dg

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.ledger.ledger import FeedLedger, Ledger
from lakehouse_assets.orchestration import events, failures, progress
from lakehouse_assets.orchestration import metadata as shown_metadata
from lakehouse_assets.orchestration.feed_checks import SHOWN
from lakehouse_assets.orchestration.pending_runs import fingerprints_of
from lakehouse_assets.orchestration.resources import LakeResource
from lakehouse_assets.pipeline.damaged_bronze import check_bronze
from lakehouse_assets.pipeline.ingest import ingest
from lakehouse_assets.sources.announced import pending_at
from lakehouse_assets.sources.handling import handled_paths
from lakehouse_assets.sources.landing import originals
from lakehouse_assets.sources.landing import pending as pending_objects
from lakehouse_assets.storage.stores import Stored


class IngestConfig(dg.Config):
    """What an ingest run reads: of the landed keys after one key, through another, those that are pending.

    With `announced`: of the keys that the messages being handled name, those that are pending.
    With `force`: the originals of some partitions instead, whether or not they are known, so that damaged bronze files
    are written again.
    """

    after: str = ""
    through: str | None = None
    announced: bool = False
    partitions: list[str] = []  # noqa: RUF012 - pydantic copies it
    force: bool = False


def landing_asset(feed: Feed) -> dg.AssetsDefinition:
    """Return the asset whose materialization reads what has landed and records it in the ledger."""
    key = dg.AssetKey(["landing", feed.name])

    @dg.asset(
        key=key,
        deps=[["extraction", feed.name]] if feed.extract else [],
        group_name="landing",
        kinds={"file", "s3"},
        owners=[feed.owner],
        tags=shown_metadata.feed_tags(feed),
        description=f"{feed.description} Original objects as they arrived; materializing ingests what is new.",
        metadata=shown_metadata.links(feed.contract, bronze=feed.bronze.key),
        check_specs=[
            dg.AssetCheckSpec(
                "objects_accepted", asset=key, description="no source object of this run was rejected or held"
            ),
            dg.AssetCheckSpec(
                "schema_drift", asset=key, description="the columns of this run's objects are those of the contract"
            ),
        ],
    )
    def landed(context: dg.AssetExecutionContext, config: IngestConfig, lakehouse: LakeResource) -> Iterator[Any]:
        lake = lakehouse.lake()
        ledger = Ledger.load(lake.store).of_feed(feed.name)
        found = (
            originals(lake, feed, ledger, config.partitions) if config.force else _chosen(lake, feed, ledger, config)
        )

        def left() -> dict[str, int]:
            return fingerprints_of(feed, _chosen(lake, feed, lake.ledger_of(feed), config))

        objects, size, rejected, drifted = 0, 0, [], []
        with events.step(context, lake), failures.noted(context, feed.landing, left):
            advance, run_id = partial(progress.advance, feed.landing), context.run.run_id
            for batch in ingest(lake, feed, found, run_id, lambda _: advance(1), force=config.force):
                objects += len(batch.versions)
                size += sum(version.size for version in batch.versions)
                rejected += batch.refused
                drifted += batch.drifted
                with events.together(context.instance):
                    for partition, rows in batch.touched.items():
                        counted = {"dagster/partition_row_count": rows}
                        for event in events.materialized(feed.bronze.key, partition, counted, lake, feed):
                            context.log_event(event)
            if config.force:
                check_bronze(lake, feed, config.partitions)
        for line in rejected[:SHOWN]:
            context.log.warning(line)
        yield dg.AssetCheckResult(
            check_name="objects_accepted",
            passed=not rejected,
            severity=dg.AssetCheckSeverity.ERROR,
            description=rejected[0] if rejected else "every source object was accepted",
            metadata={"rejected": len(rejected), "reasons": dg.MetadataValue.md(events.bullets(rejected[:SHOWN]))},
        )
        yield dg.AssetCheckResult(
            check_name="schema_drift",
            passed=not drifted,
            severity=dg.AssetCheckSeverity.WARN,
            description=drifted[0] if drifted else "no object drifted",
            metadata={"drifted": len(drifted), "columns": dg.MetadataValue.md(events.bullets(drifted[:SHOWN]))},
        )
        yield dg.MaterializeResult(
            metadata={
                "objects": objects,
                "bytes": size,
                "rejected": len(rejected),
                "dagster/uri": lake.store.uri(feed.landing),
            }
        )

    return landed


def _chosen(lake: Lake, feed: Feed, ledger: FeedLedger, config: IngestConfig) -> Iterator[Stored]:
    """Yield the pending objects that a run is for."""
    if config.announced:
        return pending_at(lake, feed, ledger, handled_paths(lake))
    return pending_objects(lake, feed, ledger, config.after, config.through)
