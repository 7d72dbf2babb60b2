"""What a channel is, and which ones the settings name. A channel that no setting names is absent: nothing is loaded.

Not here: the channels, a module each.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from lakehouse_assets.alerts.error_log import error_log_of
from lakehouse_assets.alerts.facts import Fact
from lakehouse_assets.alerts.figures import Figure
from lakehouse_assets.context import Lake
from lakehouse_assets.settings import Settings


class Channel(Protocol):
    """Somebody who is told what happened.

    Attributes:
        name: Its cursor is kept under this name.
        at_once: Facts per delivery; its cursor goes on after each.
        looks_back: Events of the past that a new channel is told; 0 for none.
    """

    name: str
    at_once: int
    looks_back: int

    @property
    def takes(self) -> type[Fact | Figure]:
        """What it is told: facts, or figures."""
        ...

    def deliver(self, news: Sequence[Any]) -> None:
        """Tell some of what it takes, in order; raise whatever it is if that failed, and be told the same again."""
        ...


def is_any_configured(settings: Settings) -> bool:
    """Return whether the settings name anybody to tell."""
    named = (settings.alerts_topic, settings.event_bus, settings.errors_table, settings.metrics_namespace)
    return any(named)


def configured(lake: Lake) -> list[Channel]:
    """Return the channels that the settings name, after the error log, which says what is a regression."""
    settings = lake.settings
    found: list[Channel] = [error_log_of(lake)]
    if settings.alerts_topic:
        from lakehouse_assets.alerts.sns import Topic  # noqa: PLC0415 - only where it is named

        found.append(Topic(settings.alerts_topic))
    if settings.event_bus:
        from lakehouse_assets.alerts.eventbridge import Bus  # noqa: PLC0415

        found.append(Bus(settings.event_bus))
    if settings.metrics_namespace:
        from lakehouse_assets.alerts.cloudwatch import Metrics  # noqa: PLC0415

        found.append(Metrics(settings.metrics_namespace, settings.root))
    return found
