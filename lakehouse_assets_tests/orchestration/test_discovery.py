"""The crawler as an asset: what it found is metadata and a check that warns; absent where none is configured."""

from collections.abc import Iterator

import dagster as dg
import pytest

from lakehouse_assets.context import lake_at
from lakehouse_assets.orchestration.discovery import CHECK, CRAWLED
from lakehouse_assets.orchestration.location import definitions
from lakehouse_assets.settings import SettingsError, settings
from lakehouse_assets_tests.catalog.glue_in_memory import Glue, glue_in_memory
from lakehouse_assets_tests.retail import HEADERS

ROOT = "s3://bucket/lake"


@pytest.fixture
def glue(monkeypatch: pytest.MonkeyPatch) -> Iterator[Glue]:
    """Glue with a crawler that found two tables: one has a column of no contract, one is of no feed."""
    monkeypatch.setenv("LAKEHOUSE_ROOT", ROOT)
    monkeypatch.setenv("LAKEHOUSE_GLUE_CRAWLER", "lake-landing")
    with glue_in_memory(monkeypatch) as found:
        found.client.create_database(DatabaseInput={"Name": "found"})
        for folder, columns in {"sales": [*HEADERS, "loyalty"], "returns": ["id"]}.items():
            stored = {
                "Location": f"{ROOT}/landing/{folder}/",
                "Columns": [{"Name": n, "Type": "string"} for n in columns],
            }
            found.client.create_table(DatabaseName="found", TableInput={"Name": folder, "StorageDescriptor": stored})
        found.client.create_crawler(Name="lake-landing", Role="r", DatabaseName="found", Targets={"S3Targets": []})
        found.end_crawls()
        settings.cache_clear()
        yield found
    settings.cache_clear()


@pytest.mark.slow(covered=True)
def test_what_no_contract_knows_is_metadata_and_a_warning(glue: Glue) -> None:
    found = definitions(lake_at(ROOT))
    ran = found.resolve_job_def("discovery").execute_in_process(raise_on_error=False)
    assert ran.success
    [check] = ran.get_asset_check_evaluations()
    assert (check.check_name, check.passed, check.severity) == (CHECK, False, dg.AssetCheckSeverity.WARN)
    assert "`landing/returns/`: 1 column, and no feed of this name" in str(check.description)
    [event] = ran.asset_materializations_for_node("discovery__crawler")
    assert event.metadata["tables"].value == 2
    assert "'loyalty'" in str(event.metadata["columns of no contract"].value)
    assert glue.calls["StartCrawler"] == 1


@pytest.mark.slow(covered=True)
def test_a_crawler_that_is_not_there_fails_with_what_to_do(glue: Glue) -> None:
    glue.client.delete_crawler(Name="lake-landing")
    ran = definitions(lake_at(ROOT)).resolve_job_def("discovery").execute_in_process(raise_on_error=False)
    [failure] = [event for event in ran.all_events if event.is_step_failure]
    assert "There is no Glue crawler 'lake-landing'" in str(failure.step_failure_data.user_failure_data)


def test_without_a_crawler_there_is_no_asset_and_in_a_folder_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    settings.cache_clear()
    assert CRAWLED not in definitions(lake_at(ROOT)).resolve_asset_graph().get_all_asset_keys()
    monkeypatch.setenv("LAKEHOUSE_ROOT", "/srv/lake")
    monkeypatch.setenv("LAKEHOUSE_GLUE_CRAWLER", "lake-landing")
    settings.cache_clear()
    with pytest.raises(SettingsError, match="LAKEHOUSE_GLUE_CRAWLER='lake-landing': it is for a lake in S3 only"):
        settings()
    settings.cache_clear()
