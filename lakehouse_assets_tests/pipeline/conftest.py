"""A lake with two published dates, and `lakehouse run` on a lake with declarations of its own."""

from collections.abc import Callable

import dagster as dg
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.orchestration.location import definitions
from lakehouse_assets.orchestration.pending_runs import REFRESH, refresh_job
from lakehouse_assets.orchestration.runner import Report, run_pending
from lakehouse_assets_tests.retail import DAY, day, ingest, land, publish, sales_csv


@pytest.fixture
def run_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[Lake], Report]:
    """What `lakehouse run` does, on a lake with declarations of its own."""

    def run(lake: Lake) -> Report:
        monkeypatch.setattr("lakehouse_assets.context.registry", lambda *_: lake.registry)
        monkeypatch.setattr("lakehouse_assets.orchestration.location.declared", lambda *_, **__: [refresh_job])
        declared = definitions(lake)
        with dg.DagsterInstance.ephemeral() as instance:
            return run_pending(lake, declared.resolve_job_def(REFRESH), instance)

    return run


@pytest.fixture
def published(lake: Lake) -> Lake:
    """A lake with two published dates: 6 units each."""
    land(lake, "x.csv", sales_csv([*day(DAY), *day("2011-03-02")]))
    ingest(lake)
    publish(lake)
    return lake
