"""The code location: what the declared package holds, as one set of Dagster definitions.

Feeds, models and assets with a schema become tables of the lake; other assets, checks, jobs, sensors and schedules of
the package are taken as they are. The job that does pending work is always there.
Not here: what they are.
"""

from collections.abc import Iterable, Iterator
from typing import TypeGuard

import dagster as dg

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.dagster_asset import model_of
from lakehouse_assets.contracts.declare import ContractError, Feed, Model
from lakehouse_assets.contracts.loading import NO_TABLES, declared
from lakehouse_assets.orchestration.catalog_asset import catalog_asset
from lakehouse_assets.orchestration.feed_assets import bronze_spec, landing_asset, quarantine_specs, silver_asset
from lakehouse_assets.orchestration.model_assets import model_asset
from lakehouse_assets.orchestration.pending_runs import refresh_job
from lakehouse_assets.orchestration.resources import resources_at

_Asset = dg.AssetsDefinition | dg.AssetSpec
# Dagster has no public names for what these two return.
_AssetJob = type(dg.define_asset_job("unused"))
_AssetSchedule = type(dg.build_schedule_from_partitioned_job(dg.define_asset_job("unused")))


def definitions(lake: Lake) -> dg.Definitions:
    """Return everything that the declared package holds, bound to a lake. Does no I/O.

    Raises:
        ContractError: A table is declared where commands do not look for tables.
    """
    objects = declared(lake.settings.definitions, only_tables=False)
    _check_all_registered(lake, objects)
    own = dg.Definitions(
        assets=[*_tables(lake), *(value for value in objects if _is_asset(value))],
        asset_checks=[value for value in objects if isinstance(value, dg.AssetChecksDefinition)],
        jobs=[refresh_job, *(value for value in objects if _is_other_job(value))],
        sensors=[value for value in objects if isinstance(value, dg.SensorDefinition)],
        schedules=[value for value in objects if isinstance(value, dg.ScheduleDefinition | _AssetSchedule)],
        resources=resources_at(lake.settings.root),
        executor=dg.in_process_executor,
    )
    return dg.Definitions.merge(own, *(value for value in objects if isinstance(value, dg.Definitions)))


def _tables(lake: Lake) -> Iterator[_Asset]:
    for feed in lake.registry.feeds.values():
        yield landing_asset(feed)
        yield bronze_spec(feed, lake)
        yield silver_asset(feed, lake)
        yield from quarantine_specs(feed, lake)
    for model in lake.registry.models.values():
        yield model_asset(model, lake)
    yield catalog_asset(lake)


def _is_other_job(value: object) -> TypeGuard[dg.JobDefinition]:
    return isinstance(value, dg.JobDefinition | _AssetJob) and value is not refresh_job


def _is_asset(value: object) -> TypeGuard[_Asset]:
    """Return whether an object is an asset as it stands: no check (a kind of asset to Dagster), no table."""
    return isinstance(value, _Asset) and not isinstance(value, dg.AssetChecksDefinition) and model_of(value) is None


def _check_all_registered(lake: Lake, objects: Iterable[object]) -> None:
    known = [*lake.registry.feeds.values(), *lake.registry.models.values()]
    for value in objects:
        table = value if isinstance(value, Feed | Model) else model_of(value)
        if table is not None and table not in known:
            msg = (
                f"{table.name!r} is declared in a package with {NO_TABLES} = False, where commands do not look for "
                "tables; move its module out of that package."
            )
            raise ContractError(msg)
