"""An extraction in Dagster: before landing in the lineage, on its schedule, and failing with what to do."""

import dagster as dg
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.orchestration.extraction_asset import extractions
from lakehouse_assets.orchestration.landing_asset import landing_asset
from lakehouse_assets.orchestration.resources import LakeResource
from lakehouse_assets.simulation.api_server import Api
from lakehouse_assets_tests.extraction.conftest import Declare, customers_in, there

KEY = dg.AssetKey(["extraction", "customers"])


class _Here(LakeResource):
    """The lake of the test, whose declarations are its own."""

    def lake(self) -> Lake:
        return HERE[self.root]


HERE: dict[str, Lake] = {}


def materialize(lake: Lake, **config: bool) -> dg.ExecuteInProcessResult:
    HERE[lake.settings.root] = lake
    assets = [asset for asset in extractions(lake).assets or [] if isinstance(asset, dg.AssetsDefinition)]
    return dg.materialize(
        assets,
        resources={"lakehouse": _Here(root=lake.settings.root)},
        run_config={"ops": {"extraction__customers": {"config": config}}},
        raise_on_error=False,
    )


def test_materializing_lands_pages_and_says_how_many(api: Api, declare: Declare) -> None:
    lake = declare("offset")
    [event] = materialize(lake).asset_materializations_for_node("extraction__customers")
    assert customers_in(lake) == there(api)
    assert (event.metadata["records"].value, event.metadata["changed since"].value) == (10, "ever")
    [event] = materialize(lake, full=True).asset_materializations_for_node("extraction__customers")
    assert event.metadata["records"].value == 10


@pytest.mark.slow(covered=True)
def test_an_api_that_fails_fails_the_run_with_what_to_do(api: Api, declare: Declare) -> None:
    api.wanted = "another"
    ran = materialize(declare("offset"))
    [failure] = [event for event in ran.all_events if event.is_step_failure]
    said = str(failure.step_failure_data.user_failure_data)
    assert "page 1 was answered 401" in said
    assert "Traceback" not in said


def test_it_comes_before_landing(declare: Declare) -> None:
    feed = declare("offset").registry.feed("customers")
    [landing] = landing_asset(feed).specs
    assert [dep.asset_key for dep in landing.deps] == [KEY]


@pytest.mark.parametrize(("cron", "expected"), [(None, []), ("5 * * * *", [("5 * * * *", "RUNNING")])])
def test_its_schedule_is_declared_with_it(declare: Declare, cron: str | None, expected: list[object]) -> None:
    schedules = extractions(declare("offset", cron=cron)).schedules or []
    found = [s for s in schedules if isinstance(s, dg.ScheduleDefinition)]
    assert [(s.cron_schedule, s.default_status.value) for s in found] == expected
