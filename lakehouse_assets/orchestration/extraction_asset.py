"""The Dagster assets of feeds that have an API or a stream, and their schedules. Not here: the extraction."""

import dagster as dg

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.contracts.kinesis import KinesisStream
from lakehouse_assets.contracts.rest_api import RestApi
from lakehouse_assets.orchestration import events
from lakehouse_assets.orchestration.resources import LakeResource


class ExtractionConfig(dg.Config):
    """What is asked for: what changed; with `full`, everything."""

    full: bool = False


def extractions(lake: Lake) -> dg.Definitions:
    """Return an asset for each feed with an API or a stream, and its schedule."""
    found = [(feed, feed.extract) for feed in lake.registry.feeds.values() if feed.extract is not None]
    assets = [_asset(feed, api) for feed, api in found]
    schedules = [_schedule(lake, feed, api) for feed, api in found if api.cron is not None]
    return dg.Definitions(assets=assets, schedules=schedules)


def _schedule(lake: Lake, feed: Feed, api: RestApi | KinesisStream) -> dg.ScheduleDefinition:
    has_address = isinstance(api, KinesisStream) or bool(lake.settings.api_url) or not api.url.startswith("/")
    return dg.ScheduleDefinition(
        name=f"extract_{feed.name}",
        target=dg.AssetSelection.assets(["extraction", feed.name]),
        cron_schedule=str(api.cron),
        default_status=dg.DefaultScheduleStatus.RUNNING if has_address else dg.DefaultScheduleStatus.STOPPED,
        description=f"Asks for what is new of {feed.name}; the landing sensor takes it on from there.",
    )


def _asset(feed: Feed, api: RestApi | KinesisStream) -> dg.AssetsDefinition:
    @dg.asset(
        key=["extraction", feed.name],
        group_name="extraction",
        kinds={"json"},
        owners=[feed.owner],
        description=f"{feed.description} Materializing fetches what is new, which lands as it comes.",
        metadata={"url": api.name if isinstance(api, KinesisStream) else api.url, "landing": feed.landing},
    )
    def extracted(
        context: dg.AssetExecutionContext, config: ExtractionConfig, lakehouse: LakeResource
    ) -> dg.MaterializeResult[None]:
        from lakehouse_assets.extraction.ways import fetch  # noqa: PLC0415 - requests opens a socket at import

        lake = lakehouse.lake()
        with events.step(context, lake):
            done = fetch(lake, feed, full=config.full)
        return dg.MaterializeResult(metadata=dict(done.shown))

    return extracted
