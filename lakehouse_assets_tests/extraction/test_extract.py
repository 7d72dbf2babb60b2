"""Extractions against a real HTTP server: what lands is what the API has, whatever goes wrong on the way."""

import datetime as dt
import json
import time
from pathlib import Path
from typing import Any

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.rest_api import UpdatedSince
from lakehouse_assets.extraction.paging import ExtractionError
from lakehouse_assets.simulation.api_server import Api, Fault, Handler, answer, cut, dropped, half, slow
from lakehouse_assets_tests.extraction.conftest import (
    KINDS,
    Declare,
    customer,
    customers_in,
    extract,
    landed,
    silver,
    there,
)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_page_lands_as_it_came(api: Api, declare: Declare, kind: str) -> None:
    lake = declare(kind)
    done = extract(lake)
    assert (done.records, done.pages, done.passes) == (10, len(landed(lake)), 1)
    assert silver(lake) == there(api)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [0, 1, 2, 3, 4])
def test_few_records(api: Api, declare: Declare, kind: str, count: int) -> None:
    api.records = api.records[:count]
    lake = declare(kind)
    assert extract(lake).records == count
    assert customers_in(lake) == there(api)


@pytest.mark.slow
def test_an_api_without_records_is_no_error(api: Api, declare: Declare) -> None:
    api.records = []
    lake = declare("pages")
    extract(lake)
    assert silver(lake) == []
    api.records.append(customer(99, minute=99))
    extract(lake, full=True)
    assert silver(lake) == there(api)


@pytest.mark.parametrize("kind", KINDS)
def test_the_next_extraction_asks_for_what_changed(api: Api, declare: Declare, kind: str) -> None:
    now = dt.datetime.now(dt.UTC)
    lake = declare(kind)
    extract(lake)
    api.records.append({**customer(3, 0, "Berta"), "at": f"{now + dt.timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"})
    done = extract(lake)
    assert done.since is not None
    assert abs(done.since + dt.timedelta(minutes=10) - now) < dt.timedelta(seconds=30)
    assert done.records == 1
    assert (3, "Berta") in customers_in(lake)


def test_from_when_on_follows_from_the_clock_of_the_api(api: Api, declare: Declare) -> None:
    api.ahead = dt.timedelta(days=-300)
    lake = declare("cursor", since=UpdatedSince(overlap=dt.timedelta(0)))
    extract(lake)
    since = extract(lake).since
    assert since is not None
    assert abs(since - api.now()) < dt.timedelta(seconds=30)


def test_a_clock_of_the_api_that_is_ahead_hides_nothing(api: Api, declare: Declare) -> None:
    api.ahead = dt.timedelta(days=300)
    lake = declare("cursor")
    extract(lake)
    api.ahead = dt.timedelta(0)
    since = extract(lake).since
    assert since is not None
    assert since <= api.now()


def test_pages_that_name_each_other_in_a_circle_have_an_end(api: Api, declare: Declare) -> None:
    def back(_: Handler, body: bytes) -> bytes:
        return json.dumps({**json.loads(body), "next": "3"}).encode()

    api.faults = {2: back, 4: back, 6: back}
    with pytest.raises(ExtractionError, match="page 3 names one as the next that was read already"):
        extract(declare("cursor"))


def test_a_full_extraction_asks_for_everything(api: Api, declare: Declare) -> None:
    lake = declare("offset")
    extract(lake)
    assert extract(lake).records == 0
    assert extract(lake, full=True).records == 10
    assert "updated_since" not in api.asked[-1]


FAULTS: dict[str, Fault] = {
    "429": answer(429, Retry_After="0"),
    "500": answer(500),
    "503 until a date": answer(503, Retry_After="Thu, 01 Jan 2026 00:00:00 GMT"),
    "connection cut in the body": cut,
    "truncated JSON": half,
    "connection closed without an answer": dropped,
    "slower than the time limit": slow,
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_what_passes_is_tried_again(api: Api, declare: Declare, fault: str) -> None:
    api.faults = {0: FAULTS[fault], 2: FAULTS[fault]}
    lake = declare("offset", timeout_s=0.3)
    done = extract(lake)
    assert not api.faults
    assert (done.records, done.passes) == (10, 1)
    assert customers_in(lake) == there(api)


@pytest.mark.slow
def test_an_api_is_left_alone_for_as_long_as_it_says(api: Api, declare: Declare) -> None:
    api.faults = {1: answer(429, Retry_After="2")}
    started = time.monotonic()
    extract(declare("offset"))
    assert time.monotonic() - started >= 2


def test_patience_has_an_end(api: Api, declare: Declare) -> None:
    api.faults = {number: answer(503, Retry_After="3600") for number in range(2, 9)}
    lake = declare("cursor")
    with pytest.raises(
        ExtractionError, match=r"page 3 failed 1 times, last because it answered 503\. What came before"
    ):
        extract(lake)
    assert len(landed(lake)) == 2
    api.faults = {}
    done = extract(lake)
    assert (done.resumed_at, done.pages, done.passes) == (2, 2, 0)
    assert customers_in(lake) == there(api)


@pytest.mark.parametrize(
    ("status", "fix"), [(403, "look at auth"), (404, "or LAKEHOUSE_API_URL"), (302, "or LAKEHOUSE_API_URL")]
)
def test_a_refusal_is_told_at_once(api: Api, declare: Declare, status: int, fix: str) -> None:
    api.faults = {0: answer(status, Location="https://elsewhere.example.com/")}
    with pytest.raises(ExtractionError, match=f"page 1 was answered {status} .*{fix}"):
        extract(declare("pages"))
    assert len(api.asked) == 1


def test_a_web_page_in_the_place_of_json_is_told_at_once(api: Api, declare: Declare) -> None:
    def web_page(handler: Handler, _: bytes) -> None:
        handler.send(b"<html>Sign in</html>", 200, {"Content-Type": "text/html; charset=utf-8"})

    def mislabelled(handler: Handler, body: bytes) -> None:
        handler.send(body, 200, {"Content-Type": "text/html"})

    api.faults = {0: mislabelled, 2: web_page}
    lake = declare("cursor")
    with pytest.raises(ExtractionError, match=r"/cursor: page 3 was answered with a web page .* LAKEHOUSE_API_URL\.$"):
        extract(lake)
    assert (len(api.asked), len(landed(lake))) == (3, 2)
    assert extract(lake).resumed_at == 2


class KilledError(BaseException):
    """The process is gone."""


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_killed_after_each_page(api: Api, declare: Declare, kind: str, tmp_path: Path) -> None:
    whole = declare(kind, str(tmp_path / "whole"))
    extract(whole)
    for at in range(len(landed(whole))):
        lake = declare(kind, str(tmp_path / f"killed at {at}"))
        create, left = type(lake.store).create, iter(range(at))

        def create_or_die(store: Any, path: str, data: bytes, create: Any = create, left: Any = left) -> bool:
            if next(left, None) is None:
                raise KilledError
            return bool(create(store, path, data))

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(lake.store), "create", create_or_die)
            with pytest.raises(KilledError):
                extract(lake)
        done = extract(lake)
        assert done.resumed_at == (0 if kind == "link" else at)
        assert customers_in(lake) == there(api)
        assert len(landed(lake)) == len(landed(whole)) + (at if kind == "link" else 0)


def test_a_page_that_names_another_host_is_not_asked(api: Api, declare: Declare) -> None:
    def elsewhere(_: Handler, body: bytes) -> bytes:
        return json.dumps({**json.loads(body), "links": {"next": "https://elsewhere.example.com/"}}).encode()

    api.faults = {0: elsewhere}
    with pytest.raises(ExtractionError, match="another host, which is not asked"):
        extract(declare("next"))


def test_a_page_that_names_itself(api: Api, declare: Declare) -> None:
    def itself(_: Handler, body: bytes) -> bytes:
        return json.dumps({**json.loads(body), "next": "3"}).encode()

    api.faults = {1: itself}
    with pytest.raises(ExtractionError, match="page 2 names one as the next that was read already"):
        extract(declare("cursor"))


def test_an_answer_without_records_says_what_to_correct(api: Api, declare: Declare) -> None:
    api.faults = {0: lambda _, __: b'{"items": []}'}
    with pytest.raises(ExtractionError, match="no array of records at 'data'"):
        extract(declare("cursor"))


@pytest.mark.slow
def test_killed_and_gone_on_with_on_s3(api: Api, declare: Declare, s3_lake: Lake) -> None:
    api.faults = {2: answer(404)}
    lake = declare("offset", s3_lake.settings.root)
    with pytest.raises(ExtractionError):
        extract(lake)
    done = extract(lake)
    assert (done.resumed_at, done.passes) == (2, 0)
    assert extract(lake).since is not None
    assert silver(lake) == there(api)
