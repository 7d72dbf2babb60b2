"""The sensor that tells people and systems what happened. There is none where no setting names anybody to tell."""

import dagster as dg

from lakehouse_assets.alerts import channels
from lakehouse_assets.alerts.telling import tell
from lakehouse_assets.orchestration.resources import LakeResource
from lakehouse_assets.settings import settings

_INTERVAL_S = 15


def alerts_sensor() -> dg.SensorDefinition:
    """Return the sensor. It requests no runs; a channel that fails fails nothing else."""

    @dg.sensor(
        name="alerts_sensor",
        minimum_interval_seconds=_INTERVAL_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells the configured channels what happened since the last tick, each from its own cursor.",
    )
    def sensor(context: dg.SensorEvaluationContext, lakehouse: LakeResource) -> dg.SkipReason:
        lake = lakehouse.lake()
        told, failed = tell(lake, context.instance, channels.configured(lake))
        for line in failed:
            context.log.warning(line)
        return dg.SkipReason("; ".join([*failed, *told]) or "nothing happened that is to be told")

    return sensor


if channels.is_any_configured(settings()):
    tell_what_happened = alerts_sensor()
