"""The code location: what the declared package holds, as one set of Dagster definitions.

Feeds, models and assets with a schema become tables of the lake; other assets, checks, jobs, sensors and schedules of
the package are taken as they are. The job that does pending work is always there.
What cannot be loaded is shown as an asset that says why, and leaves the rest as it is. Not here: what they are.
"""

import re
from collections.abc import Iterable, Iterator
from typing import TypeGuard

import dagster as dg

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.broken import Broken
from lakehouse_assets.contracts.dagster_asset import is_table
from lakehouse_assets.contracts.declare import Feed, Model
from lakehouse_assets.contracts.loading import HOLDS_TABLES, declared
from lakehouse_assets.orchestration.arrivals import arrivals
from lakehouse_assets.orchestration.catalog_asset import catalog_asset, drift_check
from lakehouse_assets.orchestration.deadlines import deadlines
from lakehouse_assets.orchestration.default_status import started, unknown
from lakehouse_assets.orchestration.discovery import discovery
from lakehouse_assets.orchestration.extraction_asset import extractions
from lakehouse_assets.orchestration.feed_assets import silver_asset, specs
from lakehouse_assets.orchestration.follow_up import in_process_executor
from lakehouse_assets.orchestration.json_log import loggers_of
from lakehouse_assets.orchestration.landing_asset import landing_asset
from lakehouse_assets.orchestration.model_assets import model_asset
from lakehouse_assets.orchestration.pending_runs import refresh_job
from lakehouse_assets.orchestration.resources import resources_at
from lakehouse_assets.serving.destinations import destinations

_Asset = dg.AssetsDefinition | dg.AssetSpec
# Dagster has no public names for what these two return.
_AssetJob = type(dg.define_asset_job("unused"))
_AssetSchedule = type(dg.build_schedule_from_partitioned_job(dg.define_asset_job("unused")))


def definitions(lake: Lake) -> dg.Definitions:
    """Return everything that the declared package holds, bound to a lake. Does no I/O."""
    objects = declared(lake.settings.definitions, only_tables=False)
    not_loaded = [_shown(broken) for broken in broken_in(lake, objects)]
    own = dg.Definitions(
        assets=[*_tables(lake), *(value for value in objects if _is_asset(value)), *not_loaded],
        asset_checks=[
            *(drift_check(catalog) for catalog in destinations(lake) if catalog.is_shared),
            *(value for value in objects if isinstance(value, dg.AssetChecksDefinition)),
        ],
        jobs=[refresh_job, *(value for value in objects if _is_other_job(value))],
        sensors=[value for value in objects if isinstance(value, dg.SensorDefinition)],
        schedules=[value for value in objects if isinstance(value, dg.ScheduleDefinition | _AssetSchedule)],
        resources=resources_at(lake.settings.root),
        executor=in_process_executor(lake),
        loggers=loggers_of(lake.settings),
    )
    others = [value for value in objects if isinstance(value, dg.Definitions)]
    optional = (arrivals(lake), discovery(lake), extractions(lake), deadlines(lake))
    return started(dg.Definitions.merge(own, *optional, *others), lake.settings)


def code_location(lake: Lake) -> dg.Definitions:
    """Return the definitions for Dagster's processes, whose log says what cannot be loaded."""
    for broken in broken_in(lake, declared(lake.settings.definitions, only_tables=False)):
        dg.get_dagster_logger("lakehouse").error(str(broken))
    found = definitions(lake)
    for name in unknown(found, lake.settings):
        dg.get_dagster_logger("lakehouse").error(
            f"LAKEHOUSE_AUTOMATION names {name!r}: nothing is called so. Correct it."
        )
    return found


def broken_in(lake: Lake, objects: Iterable[object]) -> list[Broken]:
    """Return what cannot be used of the declared package: its tables, and everything else.

    Args:
        objects: All that the package holds, as `declared` returns it.
    """
    elsewhere = [value for value in objects if isinstance(value, Broken)]
    return list(dict.fromkeys([*lake.registry.broken, *elsewhere, *_not_registered(lake, objects)]))


def _shown(broken: Broken) -> dg.AssetSpec:
    """Return the asset in whose place something cannot be loaded: no run computes it, and the UI shows the reason."""
    key = broken.table.split(".") if broken.table else ["not_loaded", re.sub(r"\W+", "_", broken.modules[0])]
    return dg.AssetSpec(
        key, group_name="not_loaded", kinds={"error"}, description=str(broken), metadata={"place": broken.place}
    )


def _tables(lake: Lake) -> Iterator[_Asset]:
    for feed in lake.registry.feeds.values():
        yield landing_asset(feed)
        yield silver_asset(feed, lake)
        yield from specs(feed, lake)
    for model in lake.registry.models.values():
        yield model_asset(model, lake)
    for catalog in destinations(lake):
        yield catalog_asset(catalog, lake)


def _is_other_job(value: object) -> TypeGuard[dg.JobDefinition]:
    return isinstance(value, dg.JobDefinition | _AssetJob) and value is not refresh_job


def _is_asset(value: object) -> TypeGuard[_Asset]:
    """Return whether an object is an asset as it stands: no check (a kind of asset to Dagster), no table."""
    return isinstance(value, _Asset) and not isinstance(value, dg.AssetChecksDefinition) and not is_table(value)


def _not_registered(lake: Lake, objects: Iterable[object]) -> Iterator[Broken]:
    known = {*(table.full_name for table in lake.registry.tables()), *(found.table for found in lake.registry.broken)}
    for value in objects:
        name = _table_name(value)
        if name is not None and name not in known:
            short = name.split(".")[1]
            what = (
                f"{short!r} is declared in a package with {HOLDS_TABLES} = False, where commands look for no tables; "
                "move its module out of that package"
            )
            yield Broken(lake.settings.definitions, what, table=name)


def _table_name(value: object) -> str | None:
    match value:
        case Feed():
            return f"silver.{value.name}"
        case Model():
            return f"gold.{value.name}"
        case dg.AssetsDefinition() if is_table(value):
            return ".".join(value.key.path)
        case _:
            return None
