"""Which sensors and schedules run where nobody has turned them on or off: those that the setting names.

Not here: what they are, and what each declares of itself, which counts where the setting is empty.
"""

import copy
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Protocol, TypeVar

import dagster as dg

from lakehouse_assets.settings import Settings

NONE = "none"
_Found = TypeVar("_Found")


class _Named(Protocol):
    @property
    def name(self) -> str: ...


def started(found: dg.Definitions, settings: Settings) -> dg.Definitions:
    """Return the definitions with the sensors and schedules of `LAKEHOUSE_AUTOMATION` running, and no others."""
    if not settings.automation:
        return found
    status = {True: dg.DefaultSensorStatus.RUNNING, False: dg.DefaultSensorStatus.STOPPED}
    of_schedule = {True: dg.DefaultScheduleStatus.RUNNING, False: dg.DefaultScheduleStatus.STOPPED}
    return dg.Definitions(
        assets=found.assets,
        asset_checks=found.asset_checks,
        jobs=found.jobs,
        sensors=[_with(one, status[_is_named(one, settings)]) for one in found.sensors or ()],
        schedules=[_with(one, of_schedule[_is_named(one, settings)]) for one in found.schedules or ()],
        resources=found.resources,
        executor=found.executor,
        loggers=found.loggers,
        metadata=found.metadata,
    )


def unknown(found: dg.Definitions, settings: Settings) -> list[str]:
    """Return what the setting names and no sensor or schedule is called."""
    names = [one.name for one in (*(found.sensors or ()), *(found.schedules or ()))]
    wanted = () if settings.automation == NONE else _patterns(settings)
    return [pattern for pattern in wanted if not any(fnmatchcase(name, pattern) for name in names)]


def _patterns(settings: Settings) -> Iterable[str]:
    return filter(None, settings.automation.split(","))


def _is_named(one: _Named, settings: Settings) -> bool:
    return settings.automation != NONE and any(fnmatchcase(one.name, pattern) for pattern in _patterns(settings))


def _with(one: _Found, status: object) -> _Found:
    """Return a sensor or schedule with another default status: Dagster has no way to say so of a finished one."""
    if fields := getattr(one, "_fields", ()):  # a schedule whose times follow from the partitions of its job
        return type(one)(**{name: getattr(one, name) for name in fields} | {"default_status": status})
    changed = copy.copy(one)
    vars(changed)["_default_status"] = status
    return changed
