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
def test_manifests_that_cannot_be_kept_hold_their_objects_only(lake: Lake) -> None:
    for number, (name, manifest) in enumerate(MANIFESTS.items(), 560_001):
        land(lake, f"{name}.csv", sales_csv(records(InvoiceNo=str(number))))
        land(lake, f"{name}.csv.manifest.json", manifest)
    land(lake, GOOD_KEY, sales_csv(GOOD))
    process(lake)
    ledger = lake.ledger_of(sales(lake)).rows.select("object_key", "state", "reason").unique().rows()
    held = [(key, state, reason) for key, state, reason in ledger if key != GOOD_KEY]
    assert sorted((key, state) for key, state, _ in held) == sorted((f"{name}.csv", "held") for name in MANIFESTS)
    for key, _, reason in held:
        assert is_for_a_person(reason), f"{key}: {len(reason):,} characters: {reason[:300]}"
        assert not read(lake, key).valid, key
    assert read(lake, GOOD_KEY).good == expected(GOOD)
    assert (ingest(lake), publish(lake)) == ([], {})
