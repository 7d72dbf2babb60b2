"""The same files and contract give the same tables, whatever the contract was before."""

import shutil
import tempfile
import types
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import dataframely as dy
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Contract, DriftPolicy, Feed, Policy, source
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.ledger.ledger import Ledger
from lakehouse_assets.pipeline.bronze import bronze_path
from lakehouse_assets.pipeline.pending import FeedState
from lakehouse_assets.query.plan import plan
from lakehouse_assets.query.verify import verify
from lakehouse_assets.settings import Settings
from lakehouse_assets.sources.landing import pending
from lakehouse_assets.storage import delta
from lakehouse_assets.storage.stores import store_for
from lakehouse_assets_tests.retail import ingest, land, publish

FILES = {
    "a.csv": "Number,Code,Size,At\n1,x,5,2011-03-01\n2,,6,2011-03-02\n",
    "copy.csv": "Number,Code,Size,At\n1,x,5,2011-03-01\n2,,6,2011-03-02\n",
    "other-names.csv": "No,Kode,At\n3,y,2011-03-01\n4,z,2011-03-03\n",
    "retyped.csv": "Number,Code,Kode,Size,At\n5,v,w,big,2011-03-01\n6,,u,huge,2011-03-02\n",
    "both-dates.csv": "Number,No,Code,At,When\n7,8,t,2011-03-04,2011-03-01\n9,10,s,,02/03/2011\n",
    "empty-columns.csv": "Number,Code,Kode,Size,At\n11,,,7,2011-03-02\n",
    "lists.json": '[{"Number": 12, "Size": [1], "At": "2011-03-01"}, {"Number": 13, "Size": 2, "When": "2011-03-02"}]',
}
PLAIN = DriftPolicy()


def _feed(
    number: tuple[str, ...] = ("Number",),
    code: tuple[str, ...] = ("Code",),
    size: dict[str, Any] | None = None,
    at: tuple[str, ...] = ("At",),
    formats: tuple[str, ...] = (),
    drift: DriftPolicy = PLAIN,
    **options: Any,
) -> Feed:
    """Return a feed of things; an empty tuple of headers, or no `size`, leaves the column out."""
    body: dict[str, Any] = {
        "number": dy.Int64(nullable=True, metadata=source(*number)),
        "at": dy.Date(nullable=True, metadata=source(*at, formats=formats)),
    }
    if code:
        body["code"] = dy.String(nullable=True, metadata=source(*code))
    if size is not None:
        policies: dict[str, Any] = {name: size.get(name) for name in ("on_missing", "on_retyped")}
        kind = dy.String if size.get("is_text") else dy.Int64
        body["size"] = kind(nullable=size.get("nullable", True), metadata=source("Size", **policies))
    contract = types.new_class("Things", (Contract,), exec_body=lambda space: space.update(body))
    declared: dict[str, Any] = {
        "name": "things",
        "description": "Things.",
        "owner": "team:x",
        "business_date": "at",
        "gate": 0.0,
    }
    return Feed(contract=contract, drift=drift, **declared | options)


def _lake(folder: Path, feed: Feed) -> Lake:
    chosen = Settings(root=str(folder))
    return Lake(store_for(chosen.root), chosen, Registry([feed], []))


def _land(lake: Lake, names: Iterable[str]) -> None:
    for name in names:
        land(lake, name, FILES[name].encode(), "things")


def _run(lake: Lake) -> None:
    ingest(lake, feed="things")
    publish(lake, feed="things")


def _tables(lake: Lake) -> dict[str, list[str]]:
    """Return every row of what was published, and what is refused."""
    [feed] = lake.registry.feeds.values()
    tables = {table.full_name: table for table in (feed.silver, feed.quarantine, feed.by_rule)}
    found = {name: delta.scan(lake.store, table.path, table.types).collect() for name, table in tables.items()}
    found["refused"] = lake.ledger_of(feed).refused.select("source_key", "state", "reason")
    return {name: sorted(map(str, rows.rows())) for name, rows in found.items()}


POLICY = st.sampled_from([None, *Policy])
FEEDS = st.builds(
    _feed,
    number=st.sampled_from([("Number",), ("No", "Number"), ("Number", "No")]),
    code=st.sampled_from([(), ("Code",), ("Kode",), ("Code", "Kode"), ("Kode", "Code")]),
    size=st.none()
    | st.fixed_dictionaries(
        {"nullable": st.booleans(), "is_text": st.booleans(), "on_missing": POLICY, "on_retyped": POLICY}
    ),
    at=st.sampled_from([("At",), ("When", "At"), ("At", "When")]),
    formats=st.sampled_from([(), ("%d/%m/%Y",), ("%Y-%m-%d", "%d/%m/%Y")]),
    drift=st.builds(DriftPolicy, *(st.sampled_from(Policy) for _ in range(3))),
)
STEPS = st.lists(st.tuples(FEEDS, st.sets(st.sampled_from(sorted(FILES))), st.booleans()), min_size=1, max_size=3)


def _revised(feed: Feed, revision: int) -> Feed:
    """Return the feed with tables of its own, as any change that storage cannot follow asks for."""
    return Feed(**{name: getattr(feed, name) for name in feed.__dataclass_fields__} | {"revision": revision})


@pytest.mark.slow
@given(STEPS, FEEDS)
@settings(max_examples=12, deadline=None)
def test_tables_follow_from_files_and_contract_alone(steps: list[tuple[Feed, set[str], bool]], last: Feed) -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        everything = _lake(folder / "everything", _revised(last, 9))
        _land(everything, sorted(FILES))
        _run(everything)
        # What the last contract refuses stays as an earlier one read it, so it is another matter.
        taken = FILES.keys() - set(everything.ledger_of(_only(everything)).refused["object_key"])
        for number, (feed, names, is_published) in enumerate(steps, 1):
            lake = _lake(folder / "lake", _revised(feed, number))
            _land(lake, names & taken)
            ingest(lake, feed="things")
            if is_published:
                publish(lake, feed="things")
        lake, fresh = (_lake(folder / name, _revised(last, 9)) for name in ("lake", "fresh"))
        for each in (lake, fresh):
            _land(each, sorted(taken))
            _run(each)
        assert _tables(lake) == _tables(fresh)
        assert not list(pending(lake, _only(lake), lake.ledger_of(_only(lake))))
    finally:
        shutil.rmtree(folder)


def _only(lake: Lake) -> Feed:
    [feed] = lake.registry.feeds.values()
    return feed


def _silver(lake: Lake, *columns: str) -> list[tuple[Any, ...]]:
    return sorted(delta.scan(lake.store, _only(lake).silver.path, {}).select(columns).collect().rows(), key=str)


@pytest.mark.slow
def test_a_revision_that_is_taken_back_has_its_own_accounts_again(tmp_path: Path) -> None:
    first = _feed()
    for feed in (first, _revised(_feed(code=(), at=("When", "At")), 2), first):
        lake = _lake(tmp_path, feed)
        _land(lake, ["a.csv", "both-dates.csv"])
        _run(lake)
        assert list(verify(lake)) == []
    assert FeedState.of(lake, first).pending == []


@pytest.mark.slow(covered=True)
def test_a_column_that_is_declared_later_has_its_values(tmp_path: Path) -> None:
    lake = _lake(tmp_path, _feed(code=()))
    _land(lake, ["a.csv"])
    _run(lake)
    lake = _lake(tmp_path, _feed(code=("Kode", "Code")))
    _run(lake)
    assert _silver(lake, "number", "code") == [(1, "x"), (2, None)]
    assert list(verify(lake)) == []


@pytest.mark.slow(covered=True)
def test_published_too_early_it_is_published_again(tmp_path: Path) -> None:
    lake = _lake(tmp_path, _feed(code=()))
    _land(lake, ["a.csv"])
    _run(lake)
    lake = _lake(tmp_path, _feed())
    publish(lake, feed="things")
    assert _silver(lake, "number", "code") == [(1, None), (2, None)]
    _run(lake)
    assert _silver(lake, "number", "code") == [(1, "x"), (2, None)]


def test_what_is_read_the_same_way_is_not_read_again(tmp_path: Path) -> None:
    lake = _lake(tmp_path, _feed())
    _land(lake, ["a.csv"])
    _run(lake)
    other = _feed(gate=0.5, size={"is_text": True}, description="Other things.")
    same = _feed(gate=0.5, description="Other things.", late_data_window=100_000)
    assert len(list(pending(lake, other, lake.ledger_of(other)))) == 1
    assert list(pending(lake, same, lake.ledger_of(same))) == []


@pytest.mark.slow
def test_an_object_without_the_columns_concerned_keeps_its_bronze_file(tmp_path: Path) -> None:
    lake = _lake(tmp_path, _feed())
    _land(lake, ["a.csv", "other-names.csv"])
    _run(lake)
    lake = _lake(tmp_path, _feed(code=("Code", "Kode")))
    _run(lake)
    live = lake.ledger_of(_only(lake)).live
    plain = live.filter(pl.col("file") == pl.col("source_hash"))["source_key"].unique().to_list()
    assert plain == ["a.csv"]
    assert _silver(lake, "number", "code") == [(1, "x"), (2, None), (None, "y"), (None, "z")]
    assert list(verify(lake)) == []


@pytest.mark.slow
def test_a_landed_original_that_is_gone_stays_as_it_was_read(tmp_path: Path) -> None:
    lake = _lake(tmp_path, _feed(code=()))
    _land(lake, ["a.csv", "other-names.csv"])
    _run(lake)
    (tmp_path / "landing/things/a.csv").unlink()
    lake = _lake(tmp_path, _feed(code=("Code", "Kode")))
    assert next((step.table, step.objects, step.gone) for step in plan(lake)) == ("silver.things", 1, 1)
    _run(lake)
    assert _silver(lake, "number", "code") == [(1, None), (2, None), (None, "y"), (None, "z")]
    assert list(verify(lake)) == []


@pytest.mark.slow
def test_what_a_new_contract_refuses_stays_as_it_was_read(tmp_path: Path) -> None:
    lake = _lake(tmp_path, _feed())
    _land(lake, ["a.csv", "retyped.csv"])
    _run(lake)
    assert len(_silver(lake, "number")) == 4
    frozen = _feed(drift=DriftPolicy(new=Policy.FREEZE))
    lake = _lake(tmp_path, frozen)
    _run(lake)
    assert _silver(lake, "number") == [(1,), (2,), (5,), (6,)]
    assert lake.ledger_of(frozen).refused["source_key"].to_list() == ["a.csv", "retyped.csv"]
    assert list(pending(lake, frozen, lake.ledger_of(frozen))) == []
    assert list(verify(lake)) == []


@pytest.mark.slow
def test_a_required_column_that_no_file_has_holds_the_dates_and_empties_nothing(tmp_path: Path) -> None:
    names: dict[str, Any] = {"number": ("No",), "code": ("Kode",)}
    lake = _lake(tmp_path, _feed(**names))
    _land(lake, ["other-names.csv"])
    _run(lake)
    assert _silver(lake, "number") == [(3,), (4,)]
    lake = _lake(tmp_path, _feed(**names, size={"nullable": False}, gate=0.95))
    _run(lake)
    assert _silver(lake, "number") == [(3,), (4,)]
    assert FeedState.of(lake, _only(lake)).held == ["2011-03-01", "2011-03-03"]
    assert list(verify(lake)) == []


@pytest.mark.slow
@pytest.mark.parametrize("dating", [None, "how-dates-were-read-once"])
def test_a_ledger_that_knew_only_how_dates_were_read_is_believed_as_long_as_the_contract_stays(
    tmp_path: Path, dating: str | None
) -> None:
    lake = _lake(tmp_path, _feed(code=()))
    feed = _only(lake)
    _land(lake, ["a.csv"])
    _run(lake)
    ledger = Ledger.load(lake.store)
    older = ledger.rows.with_columns(pl.lit(dating, pl.String).alias("dating"))
    ledger.rewrite(older)
    assert list(pending(lake, feed, lake.ledger_of(feed))) == []
    _land(lake, ["copy.csv"])
    _run(lake)
    assert lake.ledger_of(feed).live["source_key"].unique().to_list() == ["a.csv"]
    assert lake.store.stat(bronze_path(feed, "2011-03-01", lake.ledger_of(feed).live["file"][0])) is not None
    lake = _lake(tmp_path, _feed())
    _run(lake)
    assert _silver(lake, "number", "code") == [(1, "x"), (2, None)]
    assert list(verify(lake)) == []
