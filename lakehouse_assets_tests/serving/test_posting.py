"""What is posted is taken as it was written, or refused with a reason, and harms nobody else's."""

import gzip
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import ContractError, Csv, DriftPolicy, Json, Policy
from lakehouse_assets.serving import post_log
from lakehouse_assets_tests.pipeline.declared import put, stored
from lakehouse_assets_tests.posted_tables import FEED
from lakehouse_assets_tests.serving.posted import CLICK, OTHER, landed, server, shop_at

LOG = "clicks-1-2026-03-01-10-11-12-0f8b2c8e-3d1d-4e0b-9f43-3ea4a0e5a001.log"


@pytest.fixture
def shop(tmp_path: Path) -> Lake:
    return shop_at(tmp_path)


BODIES = {
    "an object": (CLICK, 1),
    "an object over several lines": (CLICK.replace(", ", ",\r\n  "), 1),
    "an array": (f" [{CLICK},\n{OTHER} ]", 2),
    "lines": (f"{CLICK}\n\n{OTHER}\n", 2),
    "one after the other": (CLICK + CLICK.replace('"a"', '"}{"'), 2),
}


REFUSED = {
    "nothing": ("", 400, "no record"),
    "an empty array": ("[]", 400, "no record"),
    "a cut object": (CLICK[:-3], 400, "record 1 is no JSON object"),
    "a cut array": (f"[{CLICK}", 400, "no JSON in UTF-8"),
    "a number among objects": (f"[{CLICK}, 7]", 400, "record 2 is no JSON object"),
    "text": ("click_id,at\n", 400, "record 1 is no JSON object"),
    "too large": ("{" * 1_024_001, 413, "1,024,000 bytes"),
}


@pytest.mark.slow(covered=True)
def test_what_is_posted_lands_as_it_was_written(shop: Lake) -> None:
    with server(shop) as post:
        for body, count in BODIES.values():
            assert post(body.encode()) == (200, {"accepted": count}, None)
        for body, status, why in REFUSED.values():
            code, said, _ = post(body.encode())
            assert (code, why in said["error"]) == (status, True), said
        assert post(b"\xff\xfe{")[0] == 400
        assert post(b"", "/clicks", "GET")[0] == 405
        for path in ("/sales", "/clicks/"):
            status, said, _ = post(CLICK.encode(), path)
            assert (status, "there are /clicks and" in said["error"]) == (404, True), said
        status, said, _ = post(gzip.compress(CLICK.encode()), **{"Content-Encoding": "gzip"})
        assert (status, "encoded as gzip; post it as it is" in said["error"]) == (415, True)
        assert landed(shop) == {}
    ((path, data),) = landed(shop).items()
    assert post_log.object_name(Path(LOG)) == f"2026/03/01/10/{LOG.removesuffix('.log')}.gz"
    assert path.count("/") == 6
    lines = data.decode().splitlines()
    assert len(lines) == sum(count for _, count in BODIES.values())
    assert lines[0] == CLICK
    put(shop, {}, "clicks")
    assert sorted(stored(shop, "silver", "click_id", feed="clicks")) == [("a",), ("b",), ("}{",)]
    assert stored(shop, "quarantine", "_line", feed="clicks") == []


FROZEN = replace(FEED, drift=DriftPolicy(new=Policy.FREEZE))
HARMFUL = {
    "a required field missing": (
        FEED,
        '{"click_id": "b"}',
        "the column at is missing; the columns found are 'click_id'.",
    ),
    "no field": (FEED, "[{}, {}]", "the columns click_id, at are missing"),
    "space around a name": (FEED, OTHER.replace('"at"', '" at"'), "the field ' at' has space around its name"),
    "a name that is no text": (FEED, OTHER.replace('"price"', '"\\ud800"'), "is no Unicode text"),
    "a new field": (FROZEN, OTHER.replace('"price"', '"cost"'), "new: cost; the contract is frozen."),
}
HARMLESS = ('{"click_id": "b"}' + CLICK, OTHER.replace('"price"', '"cost"'), OTHER.replace("1.50", '"dear"'))


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize("kind", HARMFUL)
def test_who_posts_badly_harms_no_other_of_the_same_batch(kind: str, tmp_path: Path) -> None:
    feed, bad, why = HARMFUL[kind]
    shop = shop_at(tmp_path, feed)
    with server(shop) as post:
        assert post(CLICK.encode())[0] == 200
        status, said, _ = post(bad.encode())
        assert (status, why in said["error"], said["error"].endswith("othing was taken")) == (400, True, True), said
        assert post(CLICK.replace('"a"', '"c"').encode())[0] == 200
    put(shop, {}, "clicks")
    assert sorted(stored(shop, "silver", "click_id", feed="clicks")) == [("a",), ("c",)]


@pytest.mark.slow(covered=True)
def test_a_record_that_breaks_the_contract_is_taken_and_told_by_the_pipeline(shop: Lake) -> None:
    with server(shop) as post:
        for number in range(40):
            assert post(CLICK.replace('"a"', f'"{number:02}"').encode())[0] == 200
        for body in HARMLESS:
            assert post(body.encode())[0] == 200
    put(shop, {}, "clicks")
    assert len(stored(shop, "silver", "click_id", feed="clicks")) == 42
    assert len(stored(shop, "quarantine", "_line", feed="clicks")) == 2


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"format": Csv()}, "records in JSON"),
        ({"format": Json(records="data")}, "one after the other"),
        ({"duplicates": "keep"}, "more than once"),
    ],
)
def test_what_cannot_be_posted(options: dict[str, Any], why: str) -> None:
    with pytest.raises(ContractError, match=why):
        replace(FEED, **options)
