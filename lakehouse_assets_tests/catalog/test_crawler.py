"""The crawler is started once and waited for, not for ever; what no contract knows is reported, and no record."""

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
from botocore.stub import Stubber

from lakehouse_assets.catalog import crawler
from lakehouse_assets.catalog.crawler import compared, crawl, run_to_its_end
from lakehouse_assets.catalog.glue_calls import GlueCalls
from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.broken import Broken
from lakehouse_assets.contracts.declare import ContractError
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.settings import Settings
from lakehouse_assets.storage.stores import StorageError
from lakehouse_assets_tests.catalog.conftest import ROOT
from lakehouse_assets_tests.catalog.glue_in_memory import Glue
from lakehouse_assets_tests.retail import HEADERS

NAME = "lake-landing"
OLD, NEW = dt.datetime(2026, 11, 15, tzinfo=dt.UTC), dt.datetime(2026, 11, 22, tzinfo=dt.UTC)
ASKED: dict[str, Any] = {"Name": NAME}


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crawler, "_PAUSE_S", 0.001)


@pytest.fixture
def on_s3(lake: Lake) -> Lake:
    """A lake with nothing in it, and with a crawler."""
    return replace(lake, settings=Settings(root=ROOT, glue_crawler=NAME))


def table(place: str, *columns: str, **parameters: str) -> dict[str, Any]:
    shown = [{"Name": column, "Type": "string"} for column in columns]
    name = place.strip("/").replace("/", "_").replace("-", "_")
    return {
        "Name": name,
        "StorageDescriptor": {"Location": f"{ROOT}/{place}", "Columns": shown},
        "Parameters": parameters,
    }


def answering(start: str, *states: tuple[str, dt.datetime, str]) -> tuple[GlueCalls, Stubber]:
    """Return Glue whose crawler is started after its first state, and goes through the others.

    Args:
        start: Code of the error of the start; empty for none.
    """
    calls = GlueCalls("us-east-1")
    stub = Stubber(calls._client)
    for at, (state, started, status) in enumerate(states):
        last = {"StartTime": started, "Status": status, "ErrorMessage": "Access to S3 was denied."}
        found = {"Name": NAME, "State": state, "DatabaseName": "found", "LastCrawl": last}
        stub.add_response("get_crawler", {"Crawler": found}, ASKED)
        if at == 0 and start:
            stub.add_client_error("start_crawler", start, expected_params=ASKED)
        elif at == 0:
            stub.add_response("start_crawler", {}, ASKED)
    stub.activate()
    return calls, stub


BEFORE, RUNS, STOPS = ("READY", OLD, "SUCCEEDED"), ("RUNNING", OLD, "SUCCEEDED"), ("STOPPING", OLD, "SUCCEEDED")


@pytest.mark.parametrize("start", ["", "CrawlerRunningException"])
def test_it_waits_for_the_end_of_the_crawl_and_not_for_the_one_before(start: str) -> None:
    calls, stub = answering(start, BEFORE, BEFORE, RUNS, STOPS, ("READY", NEW, "SUCCEEDED"))
    assert run_to_its_end(calls, NAME, 60)["LastCrawl"]["StartTime"] == NEW
    stub.assert_no_pending_responses()


def test_it_does_not_wait_for_ever() -> None:
    calls, _ = answering("", BEFORE, RUNS)
    with pytest.raises(StorageError, match=r"took more than 0 s, and still runs.*LAKEHOUSE_GLUE_CRAWLER_WAIT_S"):
        run_to_its_end(calls, NAME, 0)


def test_a_crawl_that_failed_says_why() -> None:
    calls, _ = answering("", BEFORE, ("READY", NEW, "FAILED"))
    with pytest.raises(StorageError, match=r"is failed: Access to S3 was denied\. Nothing was compared"):
        run_to_its_end(calls, NAME, 60)


@pytest.mark.slow(covered=True)
def test_a_crawler_that_is_not_there_says_what_to_do(glue: Glue, on_s3: Lake) -> None:
    with pytest.raises(StorageError, match=r"no Glue crawler 'lake-landing'.*unset LAKEHOUSE_GLUE_CRAWLER"):
        crawl(on_s3)
    assert not glue.writes


def test_glue_is_asked_for_the_tables_of_the_crawlers_database(glue: Glue, on_s3: Lake) -> None:
    glue.client.create_database(DatabaseInput={"Name": "found"})
    for one in (table("landing/sales", *HEADERS), table("landing/returns", "id")):
        glue.client.create_table(DatabaseName="found", TableInput=one)
    target = [{"Path": f"{ROOT}/landing/"}]
    glue.client.create_crawler(Name=NAME, Role="r", DatabaseName="found", Targets={"S3Targets": target})
    glue.end_crawls()
    found = crawl(on_s3)
    assert (found.tables, found.folders) == (2, ["`landing/returns/`: 1 column, and no feed of this name"])
    assert glue.calls["StartCrawler"] == 1


def test_a_feed_whose_columns_the_contract_knows_is_no_news(on_s3: Lake) -> None:
    found = compared(on_s3, [table("landing/sales/", *(name.lower() for name in HEADERS))])
    assert (found.tables, found.is_known) == (1, True)


def test_columns_and_folders_that_no_contract_knows_are_reported(on_s3: Lake) -> None:
    tables = [
        table("landing/sales", *HEADERS, "loyalty card"),
        table("landing/returns/2026", "id", "reason"),
        table("landing/old", "id", DEPRECATED_BY_CRAWLER="1763769600000"),
        table("silver/sales", "whatever"),
        table("landing-of-others/sales", "whatever"),
    ]
    found = compared(on_s3, tables)
    assert found.columns == ["`landing/sales`: 'loyalty card'"]
    assert found.folders == ["`landing/returns/2026/`: 2 columns, and no feed of this name"]
    assert found.tables == 2


def test_what_may_be_a_record_in_place_of_a_header_is_not_shown(on_s3: Lake) -> None:
    [line] = compared(on_s3, [table("landing/sales", "536365", "ada lovelace", "17850")]).columns
    assert line == "`landing/sales`: 3 columns, none of them of the contract: perhaps the header is missing"


def test_it_is_not_started_while_it_is_not_known_what_is_declared(glue: Glue, on_s3: Lake) -> None:
    broken = replace(on_s3, registry=Registry([], [], [Broken("shop.returns", "it cannot be imported")]))
    with pytest.raises(ContractError, match="was not started"):
        crawl(broken)
    assert not glue.calls
