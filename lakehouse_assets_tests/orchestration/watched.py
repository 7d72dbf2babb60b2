"""What tests of the automation ask, and when: rows, events, requests, the daily sweep, the middle of a step."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.query import sql as answers
from lakehouse_assets_tests.orchestration.daemon import Daemon
from lakehouse_assets_tests.orchestration.event_log import KnownVersion, known_versions

DATES = ("2010-12-24", "2011-03-01", "2011-05-17")
GOLD_BY_DATE = ("gold/daily_metrics", "gold/daily_product_sales", "gold/daily_sales")


def ask(lake: Lake, sql: str) -> list[tuple[Any, ...]]:
    return answers.run(lake, sql).rows


def rows(lake: Lake) -> dict[str, int]:
    """Return published rows by date, from silver; gold must agree."""
    found = dict(ask(lake, "SELECT dt::VARCHAR, count(*) FROM silver.sales GROUP BY dt ORDER BY dt"))
    assert dict(ask(lake, "SELECT dt::VARCHAR, sum(lines) FROM gold.daily_sales GROUP BY dt ORDER BY dt")) == found
    return found


def events_of(daemon: Daemon, results: list[Any]) -> KnownVersion:
    return known_versions(daemon.instance, [result.run_id for result in results])


def asked_parts(request: Any) -> dict[str, list[str]]:
    """Return the partitions that a run request names, by asset."""
    return {op: config["config"]["partitions"] for op, config in request.run_config["ops"].items()}


def sweep(daemon: Daemon, date: str) -> list[Any]:
    """Evaluate the daily sweep as of a day and return its run requests."""
    moment = datetime.fromisoformat(f"{date}T03:15:00").replace(tzinfo=UTC)
    schedule = daemon.definitions.resolve_schedule_def("daily_sweep")
    with dg.build_schedule_context(
        instance=daemon.instance, scheduled_execution_time=moment, resources=daemon.resources
    ) as context:
        return list(schedule.evaluate_tick(context).run_requests or [])


@contextmanager
def once_read(module: Any, name: str, then: Callable[[], None]) -> Iterator[list[None]]:
    """Do something the first time that a step of a run has read its inputs and begins to compute."""
    original, done = getattr(module, name), list[None]()

    def step(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        if not done:
            done.append(None)
            then()
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, name, step)
        yield done
