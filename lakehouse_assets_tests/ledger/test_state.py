"""What a feed's ledger says of keys and contents, from entries in memory."""

import polars as pl
import pytest

from lakehouse_assets.ledger.entries import SCHEMA, Entry, ObjectVersion, rows_of
from lakehouse_assets.ledger.state import FeedLedger


def ledger(*versions: ObjectVersion) -> FeedLedger:
    return FeedLedger(pl.DataFrame(rows_of(versions, 1, "run"), schema=SCHEMA))


def version(key: str, *entries: Entry, contract: str = "c1", reading: str = "r1", at: str = "t") -> ObjectVersion:
    return ObjectVersion("sales", key, at, 10, contract, entries, f"hash of {key}", reading_version=reading)


def entry(content: str, rows: dict[str, int] | None = None, file: str | None = None) -> Entry:
    return Entry(f"key of {content}", content, rows if rows is not None else {"2011-03-01": 1}, file=file)


def test_known_among_tells_of_the_keys_asked_for_and_of_no_others() -> None:
    known = ledger(version("a", entry("x")), version("b", entry("y")), version("a", entry("z"), at="newer"))
    assert {key: found.token for key, found in known.known_among(["a", "never"]).items()} == {"a": "newer"}
    assert known.known_among([]) == {}


@pytest.mark.parametrize(
    ("reading", "contract", "is_read"),
    [("r1", "c1", True), ("r1", "c2", True), ("r2", "c1", True), ("r2", "c2", False)],
)
def test_an_object_is_read_as_a_contract_says_if_the_reading_or_the_contract_is_the_same(
    reading: str, contract: str, *, is_read: bool
) -> None:
    known = ledger(version("a", entry("x")))
    assert known.known_versions["a"].is_read_as(reading, contract) == is_read
    assert [found.is_read_as(reading, contract) for found in known.readings("x")] == [is_read]


def test_readings_of_a_content_come_last_first_each_with_its_file_and_its_rows() -> None:
    first = entry("x", {"2011-03-01": 2, "2011-03-02": 1})
    known = ledger(
        version("a", first),
        version("b", entry("y"), contract="c9", reading="r9"),
        version("a", entry("x", {"2011-03-04": 3}, file="x read anew"), contract="c2", reading="r2"),
        version("c", entry("empty", {})),
    )
    assert [(r.version, r.contract, r.file, dict(r.rows)) for r in known.readings("x")] == [
        ("r2", "c2", "x read anew", {"2011-03-04": 3}),
        ("r1", "c1", "x", {"2011-03-01": 2, "2011-03-02": 1}),
    ]
    assert [(r.version, dict(r.rows)) for r in known.readings("empty")] == [("r1", {})]
    assert known.readings("unknown") == []


def test_a_refused_reading_is_none() -> None:
    known = ledger(version("a", Entry("a", "x", {}, "it cannot be read")))
    assert known.readings("x") == []
    assert not known.was_taken("a", "hash of a")
    assert known.refused["reason"].to_list() == ["it cannot be read"]


def test_what_a_person_accepted_was_not_taken_as_it_came() -> None:
    overruled = ObjectVersion("sales", "a", "t", 10, "c1", (entry("x"),), "bytes", overruled="late, accepted")
    assert not ledger(overruled).was_taken("a", "bytes")
    assert ledger(overruled).known_versions["a"].overruled
    plain = ledger(version("a", entry("x")))
    assert plain.was_taken("a", "hash of a")
    assert not plain.was_taken("a", "other bytes")
    assert not plain.was_taken("b", "hash of a")
    assert not plain.known_versions["a"].overruled


def test_what_is_live_is_ordered_by_partition_and_key() -> None:
    days = {"2011-03-02": 1, "2011-03-01": 1}
    known = ledger(version("b", entry("y", days)), version("a", entry("x", days)))
    before = ledger(version("b", entry("y", days)))
    assert before.live.height == len(days)  # so that what follows is computed from it, and not anew
    step_by_step = before.extended(known.entries.filter(pl.col("object_key") == "a"), pl.LazyFrame())
    for found in (known, step_by_step):
        assert found.live.select("part", "source_key").rows() == [
            ("2011-03-01", "key of x"),
            ("2011-03-01", "key of y"),
            ("2011-03-02", "key of x"),
            ("2011-03-02", "key of y"),
        ]


def test_of_a_key_the_last_version_is_known_with_the_worst_state_of_its_source_objects() -> None:
    bad = Entry("b", None, {}, "it cannot be read")
    waits = ObjectVersion("sales", "z", "t", 10, "c1", (entry("x"), bad), "bytes", "manifest", held="no manifest")
    known = ledger(version("a", entry("x"), bad), version("k", entry("y")), waits).known_versions
    assert {key: found.state for key, found in known.items()} == {"a": "rejected", "k": "accepted", "z": "held"}
    assert (known["z"].object_hash, known["z"].manifest_token) == ("bytes", "manifest")
    assert (known["a"].object_hash, known["a"].manifest_token) == ("hash of a", None)
    assert not known["a"].overruled


def test_what_a_run_recorded_is_that_and_nothing_else() -> None:
    first, second = (
        pl.DataFrame(rows_of([version(key, entry(key))], at, run), schema=SCHEMA)
        for at, (key, run) in enumerate([("a", "earlier"), ("b", "now")], 1)
    )
    whole = pl.concat([first, second])
    for known in (FeedLedger(whole), FeedLedger(whole, whole.lazy())):
        assert known.recorded_by(["now", "never"])["object_key"].to_list() == ["b"]
        assert known.recorded_by([]).is_empty()
