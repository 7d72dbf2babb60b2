"""The Dagster asset of the local catalog, downstream of every table that it shows."""

import dagster as dg

from lakehouse_assets.catalog.duckdb_views import PATH, rebuild
from lakehouse_assets.context import Lake
from lakehouse_assets.orchestration import date_partitions, events, progress
from lakehouse_assets.orchestration.pending_runs import CATALOG
from lakehouse_assets.orchestration.resources import LakeResource


def catalog_asset(lake: Lake) -> dg.AssetsDefinition:
    """Return the asset that writes the DuckDB file of views."""
    shown = [["gold", name] for name in lake.registry.models]
    shown += [t.key.split("/") for f in lake.registry.feeds.values() for t in f.tables if t is not f.bronze]

    @dg.asset(
        key=CATALOG.split("/"),
        deps=date_partitions.upstream(shown, dated=False),
        group_name="catalog",
        kinds={"duckdb"},
        owners=["team:data-platform"],
        description="One DuckDB file with a view per table, for any tool that speaks DuckDB. A lake on S3 has none.",
    )
    def catalog(
        context: dg.AssetExecutionContext,
        config: date_partitions.RequestedPartitions,  # noqa: ARG001 - there is one part
        lakehouse: LakeResource,
    ) -> dg.MaterializeResult[None]:
        lake = lakehouse.lake()
        if lake.settings.is_s3:
            root = lake.settings.root
            msg = f"{root} has no DuckDB catalog: ask `lakehouse query`, or any engine that reads Delta on S3."
            raise dg.Failure(msg)
        with events.step(context):
            views = rebuild(lake)
        progress.advance(CATALOG, 1)
        listed = dg.MetadataValue.md(events.bullets(f"`{name}`" for name in views))
        return dg.MaterializeResult(metadata={"dagster/uri": lake.store.uri(PATH), "views": listed})

    return catalog
