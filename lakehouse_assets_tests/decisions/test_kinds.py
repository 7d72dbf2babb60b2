"""How decisions are written down: each kind says what it needs, and what was written before is read."""

import json

import pytest

from lakehouse_assets.decisions.kinds import (
    Accept,
    Correct,
    Decision,
    Discard,
    Erase,
    Expire,
    Pin,
    Release,
    Retract,
    Revoke,
    Waive,
    new,
    read,
    written,
)

ABOUT = {
    "feed": "sales",
    "who": "ann",
    "why": "because",
    "at": "2026-11-21T10:00:00+00:00",
    "id": "20261121T100000000000-0",
}
RECORD = {"source_key": "a.csv", "source_hash": "abc", "line": 3, "partition": "2011-03-01"}
EVERY_FIELD: dict[str, object] = {
    "feed": "sales", "kind": "", "who": "ann", "why": "because", "at": ABOUT["at"], "id": ABOUT["id"],
    "source_key": None, "source_hash": None, "line": None, "part": None, "part_to": None, "values": {}, "rules": [],
    "fingerprint": None, "object_hash": None, "table": None, "version": None, "pins": {}, "before": None,
    "column": None, "digest": None, "plain": None, "header": None, "normalisation": None, "released": {},
    "revokes": None,
}  # fmt: skip
"""A decision as it was written when one type had the fields of all kinds."""
STORED_RECORD = {"source_key": "a.csv", "source_hash": "abc", "line": 3, "part": "2011-03-01"}
PERSON = {"column": "customer_id", "digest": "d", "plain": "p", "header": "CustomerID", "normalisation": "n"}
KINDS: list[tuple[Decision, dict[str, object]]] = [
    (
        Correct(**ABOUT, **RECORD, values={"Quantity": "6", "Country": None}, partition_to="2011-03-02"),  # type: ignore[arg-type]
        {**STORED_RECORD, "values": {"Quantity": "6", "Country": None}, "part_to": "2011-03-02"},
    ),
    (Waive(**ABOUT, **RECORD, rules=("a", "b")), {**STORED_RECORD, "rules": ["a", "b"]}),  # type: ignore[arg-type]
    (Discard(**ABOUT, **RECORD), STORED_RECORD),  # type: ignore[arg-type]
    (Release(**ABOUT, partition="2011-03-01", fingerprint=7), {"part": "2011-03-01", "fingerprint": 7}),
    (Accept(**ABOUT, source_key="a.zip", object_hash="abc"), {"source_key": "a.zip", "object_hash": "abc"}),
    (Retract(**ABOUT, source_key="a.zip", object_hash="abc"), {"source_key": "a.zip", "object_hash": "abc"}),
    (Pin(**ABOUT, table="gold.x", version=3, pins={"all": 5}), {"table": "gold.x", "version": 3, "pins": {"all": 5}}),
    (Expire(**ABOUT, before="2011-01-01"), {"before": "2011-01-01"}),
    (Erase(**ABOUT, **PERSON, released={"2011-03-01": 7}), {**PERSON, "released": {"2011-03-01": 7}}),
    (Revoke(**ABOUT, revokes="20261120T100000000000-0"), {"revokes": "20261120T100000000000-0"}),
]


@pytest.mark.parametrize(("decision", "stored"), KINDS, ids=lambda one: getattr(one, "kind", ""))
def test_a_decision_is_read_as_it_was_written_now_and_before(decision: Decision, stored: dict[str, object]) -> None:
    assert json.loads(written(decision)) == {"kind": decision.kind, **ABOUT, **stored}
    assert read(written(decision)) == decision
    assert read(json.dumps({**EVERY_FIELD, "kind": decision.kind, **stored}).encode()) == decision


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"kind": "revoke", "revokes": "x"}'])
def test_what_is_no_decision_is_told(content: bytes) -> None:
    with pytest.raises(ValueError, match="it does not say what a decision says"):
        read(content)


def test_a_decision_names_the_partitions_that_it_changes() -> None:
    named = {decision.kind: decision.partitions for decision, _ in KINDS}
    assert named["correct"] == ("2011-03-01", "2011-03-02")
    assert named["discard"] == named["release"] == ("2011-03-01",)
    assert named["accept"] == ()


def test_who_decides_is_who_is_logged_in_unless_another_one_is_named() -> None:
    assert new(Revoke, "sales", " wrong ", "ann", revokes="x").who == "ann"
    assert new(Revoke, "sales", " wrong ", revokes="x").why == "wrong"
