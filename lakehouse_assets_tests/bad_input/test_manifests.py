"""Manifests that cannot be read or kept: the object is held with a reason for a person, and nobody else is."""

import json

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets_tests.bad_input.corpus import records
from lakehouse_assets_tests.bad_input.outcome import GOOD, GOOD_KEY, expected, is_for_a_person, process, read
from lakehouse_assets_tests.retail import ingest, land, publish, sales, sales_csv

MANIFESTS: dict[str, bytes] = {
    "empty": b"",
    "cut short": b'{"rows": 3',
    "null": b"null",
    "an array": b"[1]",
    "nested 100,000 deep": b"[" * 100_000,
    "no text": b"\x89\xff\xfe\x00",
    "rows as text": b'{"rows": "3"}',
    "rows with decimals": b'{"rows": 3.0}',
    "rows below zero": b'{"rows": -1}',
    "rows of 5,000 digits": b'{"rows": ' + b"9" * 5_000 + b"}",
    "sums as a list": b'{"sums": [1]}',
    "a sum that is not a number": b'{"sums": {"Quantity": NaN}}',
    "a sum with an endless exponent": b'{"sums": {"Quantity": 1e999999999999999999999}}',
    "a sum of 100,000,000 digits": b'{"sums": {"Quantity": "1e99999999"}}',
    "a sum of an unknown column": b'{"sums": {"Nope": "1"}}',
    "a sum of a column of text": b'{"sums": {"Country": "1"}}',
    "members as null": b'{"members": null}',
    "a member with half a surrogate pair": b'{"members": {"\\ud800": "x"}}',
    "a member with control characters": b'{"members": {"a\\u0000\\nb": "x"}}',
    "a member with a name of 1 MB": b'{"members": {"' + b"m" * 1_000_000 + b'": "x"}}',
    "100,000 members that are not there": json.dumps(
        {"members": dict.fromkeys(map(str, range(100_000)), "x")}
    ).encode(),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_that_cannot_be_kept_holds_its_object_only(name: str, lake: Lake) -> None:
    land(lake, "bad.csv", sales_csv(records()))
    land(lake, "bad.csv.manifest.json", MANIFESTS[name])
    land(lake, GOOD_KEY, sales_csv(GOOD))
    process(lake)
    ledger = lake.ledger_of(sales(lake)).rows.select("object_key", "state", "reason").unique().rows()
    held = [(state, reason) for key, state, reason in ledger if key == "bad.csv"]
    assert [state for state, _ in held] == ["held"]
    assert is_for_a_person(held[0][1]), f"{len(held[0][1]):,} characters: {held[0][1][:300]}"
    assert read(lake, GOOD_KEY).good == expected(GOOD)
    assert not read(lake, "bad.csv").valid
    assert (ingest(lake), publish(lake)) == ([], {})
