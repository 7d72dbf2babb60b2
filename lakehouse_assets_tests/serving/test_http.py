"""Answers over HTTP, asked for real of a server on a free port: from the lake and from DynamoDB, the same."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import uvicorn

from lakehouse_assets.cli.serve import _listener
from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Serving
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.lake_settings import PROJECT
from lakehouse_assets.pipeline.reading import read
from lakehouse_assets.serving.dynamodb import DynamoDbServing
from lakehouse_assets.serving.dynamodb_source import DynamoDbSource
from lakehouse_assets.serving.http import application
from lakehouse_assets.serving.lake_source import LakeSource
from lakehouse_assets.serving.rows import Key
from lakehouse_assets.serving.source import Source
from lakehouse_assets.storage.stores import StorageError
from lakehouse_assets_tests.conftest import Lakehouse
from lakehouse_assets_tests.retail import day, land, run, sales_csv
from lakehouse_assets_tests.serving.conftest import DAYS, TABLE
from lakehouse_assets_tests.serving.dynamodb_in_memory import DynamoDb

Get = Callable[..., tuple[int, bytes]]


@contextmanager
def server(lake: Lake, source: Source) -> Iterator[Get]:
    """Serve a lake, and yield a function that asks: `get("/metrics", limit=2)` gives the status and the body."""
    listener = _listener("127.0.0.1", 0)
    running = uvicorn.Server(uvicorn.Config(application(lake, source), log_level="error"))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
    thread.start()

    def get(path: str, method: str = "GET", key: str | None = None, **asked: Any) -> tuple[int, bytes]:
        query = f"?{urlencode({name.rstrip('_'): value for name, value in asked.items()}, doseq=True)}" if asked else ""
        url = f"http://127.0.0.1:{listener.getsockname()[1]}{path}{query}"
        headers = {} if key is None else {"X-Api-Key": key}
        try:
            with urllib.request.urlopen(urllib.request.Request(url, None, headers, method=method), timeout=30) as found:
                return found.status, found.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    try:
        while not running.started:
            time.sleep(0.01)
        yield get
    finally:
        running.should_exit = True
        thread.join()


@pytest.fixture
def get(shop: Lake) -> Iterator[Get]:
    with server(shop, LakeSource(shop)) as found:
        yield found


def rows(answer: tuple[int, bytes]) -> list[dict[str, Any]]:
    assert answer[0] == 200, answer[1]
    found: list[dict[str, Any]] = json.loads(answer[1])["rows"]
    return found


def gold(lake: Lake, name: str) -> list[dict[str, Any]]:
    found = read(lake, lake.registry.table("gold.daily_metrics")).collect().iter_rows(named=True)
    mine = [{**row, "date_key": str(row["date_key"])} for row in found if row["metric_name"] == name]
    columns = ("date_key", "metric_name", "metric_value", "dimensions")
    chosen = [{column: row[column] for column in columns} for row in mine]
    return sorted(chosen, key=lambda row: (row["date_key"], str(row["dimensions"])))


@pytest.mark.slow(covered=True)
def test_the_rows_of_a_metric_are_those_of_gold(shop: Lake, get: Get) -> None:
    assert rows(get("/metrics/sales_by_country")) == gold(shop, "sales_by_country")
    assert rows(get("/metrics/units", from_=DAYS[1])) == gold(shop, "units")[1:]
    assert rows(get("/metrics/units", from_=DAYS[1], to=DAYS[1])) == gold(shop, "units")[1:2]
    french = [row for row in gold(shop, "sales_by_country") if row["dimensions"]["country"] == "France"]
    assert rows(get("/metrics/sales_by_country", country="France", currency="GBP")) == french
    assert rows(get("/metrics/sales_by_country", country="Nowhere")) == []
    assert rows(get("/metrics"))[:2] == [
        {"metric_name": "average_order_value", "dimensions": {"currency": "GBP"}},
        {"metric_name": "customers", "dimensions": {}},
    ]


@pytest.mark.slow(covered=True)
def test_pages_are_the_whole(shop: Lake, get: Get) -> None:
    for path, whole in (
        ("/metrics/sales_by_country", gold(shop, "sales_by_country")),
        ("/metrics", rows(get("/metrics"))),
    ):
        found, after = [], ""
        while after is not None:
            status, body = get(path, limit=2, after=after)
            assert status == 200, body
            assert len(json.loads(body)["rows"]) <= 2
            found += json.loads(body)["rows"]
            after = json.loads(body)["next"]
        assert found == whole


REFUSED = {
    "/metrics/units?from=yesterday": (400, "from='yesterday' is no date; write it as 2011-12-09"),
    "/metrics/units?to=20111209": (400, "to='20111209' is no date"),
    "/metrics/units?to=": (400, "to='' is no date"),
    "/metrics/units?from=2011-03-02&to=2011-03-01": (400, "from=2011-03-02 is later than to=2011-03-01; exchange them"),
    "/metrics/units?limit=0": (400, "limit='0' is no number from 1 to 10000"),
    "/metrics/units?limit=x": (400, "limit='x' is no number"),
    "/metrics?limit=10001": (400, "is no number from 1 to 10000"),
    "/metrics/units?after=x": (
        400,
        "after='x' is no place in this answer; write what the answer before it has as next",
    ),
    "/metrics/units?after=2011-99-99/": (400, "after='2011-99-99/' is no place in this answer"),
    "/metrics/units?after=2011-03-01": (400, "after='2011-03-01' is no place in this answer"),
    "/metrics/units?after=2011-03-01/country=France": (400, "is no place in this answer"),
    "/metrics/units?after=2011-03-01/&from=2011-03-02": (400, "is no place in this answer"),
    "/metrics?after=customers": (400, "after='customers' is no place in this answer"),
    "/metrics/units?metric_name=units": (
        400,
        "metric_name is not asked for by a parameter: it stands in the address, /metrics/{metric_name}",
    ),
    "/metrics/units?from=2011-03-01&from=2011-03-02": (400, "the parameter 'from' is there twice"),
    "/metrics/sales_by_country?contry=France": (
        400,
        "no row of 'sales_by_country' has 'contry'; the parameters are from",
    ),
    "/metrics?from=2011-03-01": (400, "the parameter 'from' is none of a list of keys; it takes limit and after"),
    "/metrics/slaes": (404, "there is no metric_name 'slaes'; there are: average_order_value, customers, invoices"),
    "/figures": (404, "there are /metrics, /metrics/{metric_name} and /openapi.json"),
    "/": (404, "there are /metrics"),
}


def test_what_cannot_be_answered_says_why(get: Get) -> None:
    for path, (status, why) in REFUSED.items():
        found, body = get(path)
        assert (path, found) == (path, status)
        assert why in json.loads(body)["error"]
    assert get("/metrics", method="POST")[0] == 405
    assert get("/metrics/units", method="DELETE")[0] == 405


def test_an_entry_of_a_map_with_the_name_of_a_parameter_is_asked_for_with_its_column() -> None:
    entries = {"limit": {"S": "10"}, "metric_name": {"S": "a"}, "country": {"S": "France"}}
    key = Key("units", "", {"metric_name": {"S": "units"}, "dimensions": {"M": entries}})
    assert key.parts == {
        "metric_name": "units",
        "dimensions.limit": "10",
        "dimensions.metric_name": "a",
        "country": "France",
    }


def test_the_document_describes_the_routes(get: Get) -> None:
    status, body = get("/openapi.json")
    assert status == 200
    found = json.loads(body)
    assert found["openapi"] == "3.0.3"
    assert list(found["paths"]) == ["/metrics", "/metrics/{metric_name}"]
    asked = {one["name"]: one for one in found["paths"]["/metrics/{metric_name}"]["get"]["parameters"]}
    assert list(asked) == ["metric_name", "from", "to", "dimensions", "limit", "after"]
    assert asked["dimensions"]["schema"]["additionalProperties"] == {"type": "string"}
    row = found["components"]["schemas"]["metrics-row"]
    assert {name: column["type"] for name, column in row["properties"].items()} == {
        "date_key": "string",
        "metric_name": "string",
        "metric_value": "number",
        "dimensions": "object",
    }


@pytest.mark.slow
def test_a_new_date_is_answered_at_once(shop: Lake, get: Get) -> None:
    assert len(rows(get("/metrics/units"))) == 3
    land(shop, "new.csv", sales_csv(day("2011-03-04", 1, Country="Spain")))
    run(shop)
    assert len(rows(get("/metrics/units"))) == 4
    assert len(rows(get("/metrics/sales_by_country", country="Spain"))) == 1


@pytest.mark.slow
def test_dynamodb_gives_the_same_bytes(shop: Lake, get: Get, db: DynamoDb) -> None:
    DynamoDbServing(TABLE).refresh(shop)
    asked: list[tuple[str, dict[str, Any]]] = [
        ("/metrics", {}),
        ("/metrics", {"limit": 3, "after": "customers/"}),
        ("/metrics/units", {"from_": DAYS[1]}),
        ("/metrics/units", {"limit": 1, "after": f"{DAYS[0]}/"}),
        ("/metrics/sales_by_country", {}),
        ("/metrics/sales_by_country", {"limit": 2}),
        ("/metrics/sales_by_country", {"limit": 2, "after": f"{DAYS[0]}/country=United Kingdom,currency=GBP"}),
        ("/metrics/sales_by_country", {"country": "France", "limit": 1}),
        ("/metrics/sales_by_country", {"currency": "GBP", "to": DAYS[0]}),
        ("/metrics/sales_by_country", {"country": "Nowhere"}),
        *((path, {}) for path in REFUSED),
    ]
    with server(shop, DynamoDbSource(TABLE)) as there:
        for path, parameters in asked:
            assert there(path, **parameters) == get(path, **parameters), (path, parameters)
        db.fault = lambda *_: "AccessDeniedException"
        status, body = there("/metrics")
        assert status == 503
        assert "DynamoDB refused dynamodb:Query of serving" in json.loads(body)["error"]


@pytest.mark.slow
@pytest.mark.usefixtures("db")
def test_decimals_of_another_table_are_exact_and_a_name_may_have_a_slash(shop: Lake) -> None:
    odd = "A/B, C=1%"
    land(shop, "odd.csv", sales_csv(day("2011-03-05", 3, Country=odd, UnitPrice="0.0001")))
    run(shop)
    models = [
        replace(model, serving=Serving("sales", ("country",)) if model.name == "daily_sales" else None)
        for model in shop.registry.models.values()
    ]
    served = replace(shop, registry=Registry(list(shop.registry.feeds.values()), models))
    DynamoDbServing(TABLE).refresh(served)
    sources: list[Source] = [LakeSource(served), DynamoDbSource(TABLE)]
    answers = []
    for source in sources:
        with server(served, source) as ask:
            answers.append(ask("/sales/A%2FB%2C%20C%3D1%25"))
    assert answers[0] == answers[1]
    [row] = rows(answers[0])
    assert row["country"] == odd
    assert b'"sales": 0.0006,' in answers[0][1]


def test_a_port_that_is_taken_is_named() -> None:
    with (
        _listener("127.0.0.1", 0) as taken,
        pytest.raises(StorageError, match=r":\d+ cannot be listened at: Address already in use\. Nothing was started"),
    ):
        _listener("127.0.0.1", taken.getsockname()[1])


def test_the_command_prints_the_document_and_says_what_is_missing(lakehouse: Lakehouse) -> None:
    assert json.loads(lakehouse("serve", "--openapi").out)["info"]["title"] == "lakehouse"
    refused = lakehouse("serve", "--source", "dynamodb")
    assert refused.code == 1
    assert "There is no DynamoDB table to read. Nothing was started; set LAKEHOUSE_SERVING_TABLE." in refused.err


@pytest.mark.slow
def test_the_command_answers_until_it_is_interrupted(shop: Lake) -> None:
    # The tables of the tests are no part of what is installed.
    environment = os.environ | {"LAKEHOUSE_ROOT": shop.settings.root, "PYTHONPATH": str(PROJECT)}
    command = [str(Path(sys.executable).with_name("lakehouse")), "serve", "--port", "0"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        found = re.fullmatch(
            r"Serving (http://127\.0\.0\.1:\d+/metrics) from (.*); .*/openapi.json describes it\.\n", said
        )
        assert found, said
        assert found[2] == shop.settings.root
        with urllib.request.urlopen(f"{found[1]}/units", timeout=30) as answer:  # noqa: S310
            assert json.loads(answer.read())["rows"] == gold(shop, "units")
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
