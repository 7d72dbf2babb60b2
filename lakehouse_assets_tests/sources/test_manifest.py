"""Control totals: an object that does not keep its manifest is held, whole and visibly, whichever came first."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.query.overview import status
from lakehouse_assets_tests.decisions.manifests import live, promise, reasons, sha256
from lakehouse_assets_tests.decisions.person import NEXT, ask, quantities, settle, sound
from lakehouse_assets_tests.retail import day, gzipped, ingest, land, line, sales_csv, zipped

DROP = sales_csv(3)
"""Three records: quantities 1, 2, 3, each at 2.55."""
Promise = Callable[[str], dict[str, Any]]
"""What a manifest says of an object like it, whose hash it is given."""
KEPT: list[Promise] = [
    lambda _: {},
    lambda _: {"rows": 3},
    lambda _: {"sums": {"Quantity": "6"}},
    lambda _: {"sums": {"Quantity": 6, "UnitPrice": "7.65"}},
    lambda _: {"sums": {"UnitPrice": "7.650"}},
    lambda _: {"sums": {"UnitPrice": 7.65}},
    lambda digest: {"members": {"drop.csv": digest}},
    lambda digest: {"members": {"drop.csv": digest.upper()}},
    lambda digest: {"rows": 3, "sums": {"Quantity": "6"}, "members": {"drop.csv": digest}},
    lambda _: {"rows": 3, "sent_by": "a till that says more than it is asked"},
]
BROKEN: list[tuple[Promise, str]] = [
    (lambda _: {"rows": 4}, "the manifest says 4 rows, the object has 3"),
    (lambda _: {"rows": 0}, "the manifest says 0 rows, the object has 3"),
    (lambda _: {"sums": {"Quantity": "7"}}, "the manifest says Quantity sums to 7, the object's to 6"),
    (
        lambda _: {"sums": {"UnitPrice": "7.6500001"}},
        "the manifest says UnitPrice sums to 7.6500001, the object's to 7.65",
    ),
    (lambda _: {"sums": {"Country": "0"}}, "the manifest says Country sums to 0, the object's to no number"),
    (lambda _: {"sums": {"Weight": "1"}}, "the sum of Weight in the manifest is not that of the object"),
    (lambda _: {"members": {"drop.csv": "0" * 64}}, "the member 'drop.csv' of the manifest is another one"),
    (
        lambda digest: {"members": {"drop.csv": digest, "more.csv": "0" * 64}},
        "the member 'more.csv' of the manifest is missing",
    ),
    (lambda _: {"members": {"more.csv": "0" * 64}}, "the member 'drop.csv' is not in the manifest"),
    (
        lambda _: {"rows": 4, "sums": {"Quantity": "7"}},
        "4 rows, the object has 3; the manifest says Quantity sums to 7",
    ),
]


def promised(lake: Lake, promises: Iterable[Promise]) -> dict[str, str]:
    """Land an object like DROP with its manifest for each promise; return the date of each by its key."""
    found = {}
    for at, content in enumerate(promises, 1):
        key, date = f"{at:02}/drop.csv", f"2011-04-{at:02}"
        data = sales_csv(3, date)
        promise(lake, f"{key}.manifest.json", **content(sha256(data)))
        land(lake, key, data)
        found[key] = date
    return found


@pytest.mark.slow
def test_an_object_that_keeps_its_manifest_is_accepted(lake: Lake) -> None:
    drops = promised(lake, KEPT)
    settle(lake)
    assert reasons(lake) == {}
    assert {key: quantities(lake, date) for key, date in drops.items()} == {key: [1, 2, 3] for key in drops}
    assert sorted(ask(lake, "SELECT source_key, state FROM ops.ledger")) == [(key, "accepted") for key in drops]
    sound(lake)


@pytest.mark.slow
def test_an_object_that_does_not_keep_its_manifest_is_held_and_nothing_of_it_is_live(lake: Lake) -> None:
    drops = promised(lake, [content for content, _ in BROKEN])
    land(lake, "other.csv", sales_csv(2, NEXT))
    settle(lake)
    told = reasons(lake)
    assert sorted(told) == sorted(drops)
    for key, (_, why) in zip(drops, BROKEN, strict=True):
        assert why in told[key]
        assert told[key].endswith("Land it again, whole, or accept it with `lakehouse accept`.")
    assert live(lake) == {"other.csv": 2}
    assert [quantities(lake, date) for date in drops.values()] == [[]] * len(drops)
    assert quantities(lake, NEXT) == [1, 2]
    assert status(lake).landed == []
    sound(lake)


UNUSABLE = [
    b"",
    b"not json",
    b"[1, 2]",
    b"3",
    b"null",
    b"\xff\xfe\x00",
    b'{"rows": "three"}',
    b'{"rows": "3"}',
    b'{"rows": [3]}',
    b'{"rows": 3.5}',
    b'{"sums": ["Quantity"]}',
    b'{"sums": {"Quantity": "six"}}',
    b'{"sums": {"Quantity": null}}',
    b'{"sums": {"Quantity": "NaN"}}',
    b'{"sums": {"Quantity": "sNaN"}}',
    b'{"sums": {"Quantity": "Infinity"}}',
    b'{"members": ["drop.csv"]}',
    b'{"rows": 3',
    b"[" * 100_000 + b"]" * 100_000,
]


@pytest.mark.slow
def test_manifests_that_cannot_be_used_hold_their_objects_and_nothing_else(lake: Lake) -> None:
    keys = [f"drop-{number:02}.csv" for number in range(len(UNUSABLE))]
    for key, content in zip(keys, UNUSABLE, strict=True):
        land(lake, f"{key}.manifest.json", content)
        land(lake, key, sales_csv(day(count=3, Description=key)))
    land(lake, "other.csv", sales_csv(2, NEXT))
    settle(lake)
    assert sorted(reasons(lake)) == keys
    assert live(lake) == {"other.csv": 2}
    sound(lake)


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize(
    ("values", "total"),
    [
        (("0.1", "0.2"), "0.3"),
        (("1e3", "1"), "1001"),
        ((" 1.5 ", "-0.5"), "1"),
        (("1000000000000000000000000000", "0.1"), "1000000000000000000000000000.1"),
        (("99999999999999999999999999999", "1"), "100000000000000000000000000000"),
        (("0.1",) * 10, "1.0"),
    ],
    ids=["tenths", "exponents", "spaces", "29 digits", "30 digits", "ten tenths"],
)
def test_sums_are_exact(lake: Lake, values: tuple[str, ...], total: str) -> None:
    records = [line(Quantity=text, InvoiceNo=f"54000{at}") for at, text in enumerate(values)]
    promise(lake, "drop.csv.manifest.json", sums={"Quantity": total})
    land(lake, "drop.csv", sales_csv(records))
    ingest(lake)
    assert reasons(lake) == {}
    assert live(lake) == {"drop.csv": len(values)}


def test_a_value_that_is_missing_adds_nothing(lake: Lake) -> None:
    promise(lake, "drop.csv.manifest.json", rows=2, sums={"CustomerID": "17850"})
    land(lake, "drop.csv", sales_csv([line(), line(CustomerID=None)]))
    ingest(lake)
    assert live(lake) == {"drop.csv": 2}


def test_a_manifest_counts_what_is_in_the_object_not_what_is_valid(lake: Lake) -> None:
    records = [*day(), *day(), line(Country=None), line(InvoiceDate="yesterday")]
    promise(lake, "drop.csv.manifest.json", rows=8, sums={"Quantity": "24"})
    land(lake, "drop.csv", sales_csv(records))
    ingest(lake)
    assert live(lake) == {"drop.csv": 8}


MEMBERS = {"a.csv": sales_csv(3), "in/b.csv": sales_csv(2, NEXT)}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["drop.zip.manifest.json", "drop.manifest.json"], ids=["full form", "stem form"])
def test_a_zip_is_counted_over_all_its_members(lake: Lake, name: str) -> None:
    totals = {"Quantity": "9", "UnitPrice": "12.75"}
    promise(lake, name, rows=5, sums=totals, members={m: sha256(d) for m, d in MEMBERS.items()})
    land(lake, "drop.zip", zipped(MEMBERS))
    settle(lake)
    assert live(lake) == {"drop.zip!a.csv": 3, "drop.zip!in/b.csv": 2}
    assert reasons(lake) == {}
    promise(lake, name, rows=6)
    settle(lake)
    assert live(lake) == {}
    assert set(reasons(lake)) == {"drop.zip!a.csv", "drop.zip!in/b.csv"}
    sound(lake)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("members", "why"),
    [
        ({"a.csv": MEMBERS["a.csv"]}, "the member 'in/b.csv' of the manifest is missing"),
        (MEMBERS | {"c.csv": sales_csv(1)}, "the member 'c.csv' is not in the manifest"),
        (MEMBERS | {"a.csv": sales_csv(4)}, "the member 'a.csv' of the manifest is another one"),
        (MEMBERS | {"a.csv": b""}, "the member 'a.csv' of the manifest is another one"),
    ],
    ids=["one less", "one more", "another one", "an empty one"],
)
def test_a_zip_holds_exactly_the_members_of_its_manifest(lake: Lake, members: dict[str, bytes], why: str) -> None:
    promise(lake, "drop.manifest.json", members={m: sha256(d) for m, d in MEMBERS.items()})
    land(lake, "drop.zip", zipped(members))
    settle(lake)
    assert live(lake) == {}
    assert all(why in reason for reason in ask_reasons(lake))
    sound(lake)


def ask_reasons(lake: Lake) -> list[str]:
    found = [reason for (reason,) in ask(lake, "SELECT reason FROM ops.ledger WHERE state = 'held'")]
    assert found
    return found


@pytest.mark.slow(covered=True)
def test_a_member_that_cannot_be_read_does_not_keep_the_totals(lake: Lake) -> None:
    promise(lake, "drop.manifest.json", rows=5)
    land(lake, "drop.zip", zipped(MEMBERS | {"in/b.csv": "InvoiceNo,ä".encode("utf-16")}))
    settle(lake)
    assert live(lake) == {}
    assert sorted(ask(lake, "SELECT source_key, state FROM ops.ledger")) == [
        ("drop.zip!a.csv", "held"),
        ("drop.zip!in/b.csv", "rejected"),
    ]


def test_a_gzip_is_counted_by_its_records(lake: Lake) -> None:
    data = gzipped(DROP)
    promise(lake, "drop.csv.gz.manifest.json", rows=3, sums={"Quantity": "6"}, members={"drop.csv.gz": sha256(data)})
    land(lake, "drop.csv.gz", data)
    ingest(lake)
    assert live(lake) == {"drop.csv.gz": 3}


@pytest.mark.slow(covered=True)
def test_a_manifest_is_never_ingested_as_records(lake: Lake) -> None:
    promise(lake, "drop.csv.manifest.json", rows=3)
    promise(lake, "alone.manifest.json", rows=3)
    settle(lake)
    assert ask(lake, "SELECT * FROM ops.ledger") == []
    land(lake, "drop.csv", DROP)
    settle(lake)
    assert ask(lake, "SELECT DISTINCT object_key FROM ops.ledger") == [("drop.csv",)]
    assert status(lake).landed == []


def test_a_manifest_in_a_folder_speaks_of_its_neighbour_only(lake: Lake) -> None:
    for folder in ("2011/", "2012/", ""):
        land(lake, f"{folder}drop.csv", sales_csv([line(Description=f"from {folder}")]))
    promise(lake, "2011/drop.csv.manifest.json", rows=2)
    promise(lake, "2012/drop.manifest.json", rows=1)
    settle(lake)
    assert list(reasons(lake)) == ["2011/drop.csv"]
    assert set(live(lake)) == {"2012/drop.csv", "drop.csv"}


def test_members_of_an_object_in_a_folder_go_by_the_name_of_the_file(lake: Lake) -> None:
    promise(lake, "2011/drop.csv.manifest.json", members={"drop.csv": sha256(DROP)})
    land(lake, "2011/drop.csv", DROP)
    ingest(lake)
    assert reasons(lake) == {}


def test_both_forms_of_manifest_at_once_leave_nothing_pending(lake: Lake) -> None:
    promise(lake, "drop.csv.manifest.json", rows=3)
    promise(lake, "drop.manifest.json", rows=3)
    land(lake, "drop.csv", DROP)
    settle(lake)
    assert live(lake) == {"drop.csv": 3}
    assert status(lake).landed == []
