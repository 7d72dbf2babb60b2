"""What is shown to an API, and what becomes of it."""

import re
import time

import pytest

from lakehouse_assets.contracts.rest_api import ApiKey, Bearer
from lakehouse_assets.extraction import client
from lakehouse_assets.extraction.paging import ExtractionError
from lakehouse_assets.simulation.api_server import Api, answer, dropped, half
from lakehouse_assets_tests.extraction.conftest import Declare, customers_in, extract, there

_SHOWN = "never-seen-anywhere"


def test_a_token_is_shown(api: Api, declare: Declare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM_TOKEN", _SHOWN)
    api.wanted = f"Bearer {_SHOWN}"
    lake = declare("cursor", auth=Bearer("crm/token"))
    extract(lake)
    assert customers_in(lake) == there(api)


def test_a_key_is_shown_in_its_header(api: Api, declare: Declare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM_KEY", _SHOWN)
    api.wanted, api.header = _SHOWN, "X-Shop-Key"
    lake = declare("offset", auth=ApiKey("crm/key", "X-Shop-Key"))
    extract(lake)
    assert customers_in(lake) == there(api)


def test_a_token_that_expires_between_two_pages_is_read_again(
    api: Api, declare: Declare, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRM_TOKEN", "old")
    api.wanted = "Bearer old"

    def rotate(number: int) -> None:
        if number == 2:
            api.wanted = "Bearer new"
            monkeypatch.setenv("CRM_TOKEN", "new")

    api.before_answer = rotate
    lake = declare("cursor", auth=Bearer("crm/token"))
    extract(lake)
    assert customers_in(lake) == there(api)


def test_a_refused_token_is_named_and_not_told(api: Api, declare: Declare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM_TOKEN", _SHOWN)
    api.wanted = "Bearer another"
    with pytest.raises(ExtractionError, match=r"401 .* look at the secret 'crm/token'") as error:
        extract(declare("cursor", auth=Bearer("crm/token")))
    assert _SHOWN not in str(error.getrepr(style="long", showlocals=False))
    assert len(api.asked) == 1


@pytest.mark.slow(covered=True)
def test_each_request_that_is_made_again_waits_longer_and_is_told_without_what_is_shown(
    api: Api, declare: Declare, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("CRM_TOKEN", _SHOWN)
    api.wanted = f"Bearer {_SHOWN}"
    api.faults = {1: answer(503), 2: half, 4: dropped}
    lake = declare("next", auth=Bearer("crm/token"), params={"key": _SHOWN})
    monkeypatch.setattr(client, "_FIRST_WAIT_S", 0.25)
    began = time.monotonic()
    extract(lake)
    assert time.monotonic() - began >= 0.25 + 0.5 + 0.25
    why = ["2 failed, because it answered 503", "2 failed, because the answer was cut, or is", "3 failed, because of a"]
    for said, expected in zip(caplog.messages, why, strict=True):
        assert said.startswith(f"{api.address}/next: page {expected}")
        assert re.search(r"asked for again in \d\.\d s; .* in (20|19|18) s at the latest \(patience_s\)\.$", said)
    assert _SHOWN not in caplog.text
    assert "cursor=" not in caplog.text


def test_what_a_netrc_says_is_not_shown(
    api: Api, declare: Declare, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    netrc = f"{tmp_path}/netrc"
    with open(netrc, "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", netrc)
    monkeypatch.setenv("CRM_TOKEN", _SHOWN)
    api.wanted = f"Bearer {_SHOWN}"
    lake = declare("link", auth=Bearer("crm/token"))
    extract(lake)
    assert customers_in(lake) == there(api)
