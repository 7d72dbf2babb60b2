"""Root of the code location: collects the declared tables and the automation, and binds the lake. Nothing else."""

import dagster as dg

from lakehouse_assets.context import current
from lakehouse_assets.defs import automation, decisions, maintenance
from lakehouse_assets.orchestration.catalog_asset import catalog_asset
from lakehouse_assets.orchestration.feed_assets import bronze_spec, landing_asset, quarantine_specs, silver_asset
from lakehouse_assets.orchestration.model_assets import model_asset
from lakehouse_assets.orchestration.resources import LakeResource

_lake = current()
_feeds, _models = _lake.registry.feeds.values(), _lake.registry.models.values()

defs = dg.Definitions(
    assets=[
        *(landing_asset(feed) for feed in _feeds),
        *(bronze_spec(feed, _lake) for feed in _feeds),
        *(silver_asset(feed, _lake) for feed in _feeds),
        *(spec for feed in _feeds for spec in quarantine_specs(feed, _lake)),
        *(model_asset(model, _lake) for model in _models),
        catalog_asset(_lake),
    ],
    jobs=[automation.refresh_job, decisions.decision, maintenance.maintenance],
    sensors=[automation.landing_sensor, automation.tables_sensor],
    schedules=[automation.daily_sweep, maintenance.weekly_maintenance],
    resources={"lakehouse": LakeResource(root=_lake.settings.root)},
    executor=dg.in_process_executor,
)
