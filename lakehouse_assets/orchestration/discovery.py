"""The Glue crawler over landing as an asset, its check, and a weekly schedule. Absent unless a crawler is configured.

Not here: the crawler, and what is compared.
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from lakehouse_assets.catalog.crawler import crawl
from lakehouse_assets.context import Lake
from lakehouse_assets.orchestration import events
from lakehouse_assets.orchestration.resources import LakeResource

CRAWLED = dg.AssetKey(["discovery", "crawler"])
CHECK = "known_to_contracts"
_SHOWN = 50
_MONDAYS = "25 4 * * 1"


def discovery(lake: Lake) -> dg.Definitions:
    """Return the definitions of the crawler; nothing where none is configured."""
    if not lake.settings.glue_crawler:
        return dg.Definitions()

    @dg.asset(
        key=CRAWLED,
        deps=[["landing", feed.name] for feed in lake.registry.feeds.values()],
        group_name="discovery",
        kinds={"glue"},
        owners=["team:data-platform"],
        description="What the Glue crawler finds in landing. Materializing starts it, and waits for its end.",
        metadata={"crawler": lake.settings.glue_crawler},
        check_specs=[
            dg.AssetCheckSpec(CHECK, asset=CRAWLED, description="contracts know every folder and column of landing")
        ],
    )
    def crawled(context: dg.AssetExecutionContext, lakehouse: LakeResource) -> Iterator[Any]:
        lake = lakehouse.lake()
        with events.step(context, lake):
            found = crawl(lake)
        lines = found.folders + found.columns
        yield dg.AssetCheckResult(
            check_name=CHECK,
            passed=found.is_known,
            severity=dg.AssetCheckSeverity.WARN,
            description="\n".join(lines[:_SHOWN]) or "contracts know all that the crawler found",
            metadata={"unknown": len(lines)},
        )
        yield dg.MaterializeResult(
            metadata={
                "tables": found.tables,
                "folders of no feed": dg.MetadataValue.md(events.bullets(found.folders[:_SHOWN])),
                "columns of no contract": dg.MetadataValue.md(events.bullets(found.columns[:_SHOWN])),
            }
        )

    job = dg.define_asset_job("discovery", [CRAWLED], description="Start the Glue crawler over landing.")
    weekly = dg.ScheduleDefinition(
        name="weekly_discovery",
        job=job,
        cron_schedule=_MONDAYS,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Once a week: what has landed that no contract knows.",
    )
    return dg.Definitions(assets=[crawled], jobs=[job], schedules=[weekly])
