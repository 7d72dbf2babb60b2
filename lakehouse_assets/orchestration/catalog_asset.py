"""The Dagster assets of the catalogs, each downstream of every table that it shows, and the checks of shared ones."""

import dagster as dg

from lakehouse_assets.catalog.catalogs import Catalog, key_of
from lakehouse_assets.context import Lake
from lakehouse_assets.orchestration import date_partitions, events, progress
from lakehouse_assets.orchestration.resources import LakeResource
from lakehouse_assets.storage.stores import StorageError

_SHOWN = 50


def catalog_asset(catalog: Catalog, lake: Lake) -> dg.AssetsDefinition:
    """Return the asset that brings a catalog up to date."""
    declared = {table.key for table in lake.registry.tables()}
    shown = [table.key.split("/") for table in catalog.tables(lake) if table.key in declared]

    @dg.asset(
        key=key_of(catalog).split("/"),
        deps=[*date_partitions.upstream(shown, dated=False), *([catalog.group, name] for name in catalog.follows)],
        group_name=catalog.group,
        kinds={catalog.name},
        owners=["team:data-platform"],
        description=catalog.description,
    )
    def refreshed(
        context: dg.AssetExecutionContext,
        config: date_partitions.RequestedPartitions,  # noqa: ARG001 - there is one part
        lakehouse: LakeResource,
    ) -> dg.MaterializeResult[None]:
        lake = lakehouse.lake()
        with events.step(context, lake):
            done = catalog.refresh(lake)
        progress.advance(key_of(catalog), 1)
        lists = {title: dg.MetadataValue.md(events.bullets(lines)) for title, lines in done.lists.items()}
        return dg.MaterializeResult(metadata={"dagster/uri": done.uri, **lists, **done.counts})

    return refreshed


def drift_check(catalog: Catalog) -> dg.AssetChecksDefinition:
    """Return the check that compares a catalog with what the last refresh wrote: after each, and when asked."""

    @dg.asset_check(
        asset=key_of(catalog).split("/"),
        name="drift",
        description="Nothing was changed by hand, nothing is missing, nothing is left of what is no longer declared.",
    )
    def drift(lakehouse: LakeResource) -> dg.AssetCheckResult:
        try:
            found = list(catalog.problems(lakehouse.lake()))
        except StorageError as error:
            raise dg.Failure(str(error)) from None
        is_error = any(problem.is_error for problem in found)
        return dg.AssetCheckResult(
            passed=not found,
            severity=dg.AssetCheckSeverity.ERROR if is_error else dg.AssetCheckSeverity.WARN,
            description="\n".join(map(str, found[:_SHOWN])) or "every table is in the catalog as it is declared",
            metadata={"differences": len(found)},
        )

    return drift
