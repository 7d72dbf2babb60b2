"""Measuring what a step of a run costs, and telling it: a record in the lake and an observation of the asset.

Not here: prices, and what becomes of the records.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from lakehouse_assets.catalog import costs
from lakehouse_assets.context import Lake
from lakehouse_assets.storage import s3_usage
from lakehouse_assets.storage.stores import StorageError


@contextmanager
def counted(context: dg.AssetExecutionContext, lake: Lake) -> Iterator[None]:
    """Count what a block spends, also if it fails. Writes nothing where nothing has a price."""
    if not costs.is_recorded(lake):
        yield
        return
    begun, before = time.monotonic(), s3_usage.total()
    try:
        yield
    finally:
        used = s3_usage.total().since(before)
        cost = costs.StepCost.of(lake.settings, time.monotonic() - begun, used, context.run.tags)
        asset = context.get_step_execution_context().step.key.replace("__", ".")
        shown = {
            "usd": cost.usd,
            "run seconds": cost.seconds,
            "S3 requests": cost.s3_gets + cost.s3_puts,
            "S3 bytes": cost.s3_bytes_read + cost.s3_bytes_written,
        }
        context.log_event(dg.AssetObservation(dg.AssetKey(asset.split(".")), metadata=shown))
        try:
            costs.record(lake, asset, context.run.run_id, cost)
        except StorageError as error:
            context.log.warning(f"What this step cost is not in ops.costs: {error}")
