"""A partition that is computed in pieces becomes what it becomes as a whole."""

import gc
import tempfile
from pathlib import Path
from typing import Any

import dataframely as dy
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Contract, Feed, derived, source
from lakehouse_assets.operations import decision_commands
from lakehouse_assets.pipeline.accounting import scan_accounting
from lakehouse_assets.pipeline.candidate import compute
from lakehouse_assets.pipeline.pieces import Computed, deciding_columns, sorted_out, together
from lakehouse_assets.pipeline.rows import Folder
from lakehouse_assets.query.verify import verify
from lakehouse_assets_tests import customers
from lakehouse_assets_tests.faults.conftest import IN_FULL
from lakehouse_assets_tests.pipeline.declared import feed_of, lake_of, put, stored
from lakehouse_assets_tests.pipeline.test_keyed import deliveries

COLUMNS: dict[str, Any] = {
    "id": dy.Int64(nullable=False),
    "price": dy.Decimal(9, 2, nullable=True, min=0),
    "code": dy.String(nullable=True, regex="^[a-c]+$"),
    "double": dy.Decimal(38, 2, nullable=True, max=150, metadata=derived(pl.col("price") * 2)),
}


def rule(expression: pl.Expr) -> Any:
    return dy.rule()(lambda _: expression)


FEEDS = {
    "drop": feed_of(COLUMNS),
    "keep": feed_of(COLUMNS, duplicates="keep"),
    "ids": feed_of(COLUMNS, duplicates=("id",)),
    "primary key": feed_of(COLUMNS | {"id": dy.Int64(primary_key=True)}),
    "group": feed_of(COLUMNS | {"few": rule((pl.len().over("code") <= 2) | (pl.col("price") > 1))}),
    "total": feed_of(COLUMNS | {"some": rule(pl.col("price").sum() > 3)}),
}  # fmt: skip
RECORD = st.fixed_dictionaries(
    {
        "id": st.sampled_from(["1", "2", " 3", "+3", "x", None]),
        "price": st.sampled_from(["1", "1.0", "1.00", "80", "-1", "1.234", "1.2341", None]),
        "code": st.sampled_from(["a", " a", "ab", "z", "", None]),
        "_problem": st.sampled_from([None, None, None, "2 fields, 3 expected"]),
        "_waived": st.sampled_from([None, None, None, ["price_min", "few"]]),
        "_discarded": st.sampled_from([False, False, False, True]),
        "_source_hash": st.sampled_from(["h1", "h2"]),
    }
)
LOT = st.lists(RECORD, min_size=3, max_size=24)


def bronze_of(feed: Feed, records: list[dict[str, Any]]) -> pl.DataFrame:
    schema = feed.bronze.types
    schema |= {"_part": pl.String(), "dt": pl.Date(), "_waived": pl.List(pl.String()), "_discarded": pl.Boolean()}
    told = [{**r, "_source_key": r["_source_hash"], "_line": at, "_part": "whole"} for at, r in enumerate(records)]
    return pl.DataFrame(told, schema=schema).sort("_source_key", "_line")


def tables(found: Computed) -> list[Any]:
    """Return all that follows from a candidate, in an order of its own."""
    history = [] if found.history is None else [found.history.frame().sort("customer_id", "shop", "valid_from")]
    lists = [rows.frame().sort("_source_key", "_line") for rows in (found.valid, found.quarantined)]
    return [frame.to_dicts() for frame in (*lists, *history, found.accounting, found.broken)] + [found.current]


def in_pieces(feed: Feed, bronze: pl.DataFrame, limit: int) -> Computed:
    at = bronze.height // 2
    pieces = sorted_out(feed, [bronze[:at].lazy(), bronze[at:].lazy()], bronze.height, limit)
    return together((compute(feed, piece.frame()) for piece in pieces), Folder() if len(pieces) > 1 else None)


def _settings(examples: int) -> settings:
    slow = [HealthCheck.too_slow, HealthCheck.differing_executors]
    return settings(max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=slow)


@pytest.mark.slow
@pytest.mark.parametrize(
    "feed",
    [pytest.param(feed, id=name, marks=[] if name == "drop" else pytest.mark.slow) for name, feed in FEEDS.items()],
)
@_settings(8)
@given(LOT, st.sampled_from([1, 2, 5]))
def test_the_pieces_together_are_the_whole(feed: Feed, records: list[dict[str, Any]], limit: int) -> None:
    bronze = bronze_of(feed, records)
    assert tables(in_pieces(feed, bronze, limit)) == tables(together([compute(feed, bronze)], None))


@pytest.mark.slow
@_settings(8)
@given(deliveries())
def test_the_versions_of_keys_are_the_same_in_pieces(
    told: tuple[list[customers.Change], list[list[customers.Change]]],
) -> None:
    feed = customers.feed(buckets=1)
    bronze = customers.bronze(feed, told[1])
    found = in_pieces(feed, bronze, 2)
    assert tables(found) == tables(together([compute(feed, bronze)], None))
    assert (sum(found.current.values()) if found.current else 0) == len(customers.expected(told[0])[0])


def test_what_decides_in_which_piece_a_record_is() -> None:
    decided = {name: deciding_columns(feed) for name, feed in FEEDS.items()}
    assert decided == {
        "drop": ["code", "id", "price"], "keep": ["code", "id", "price"], "ids": ["id"], "primary key": ["id"],
        "group": ["code"], "total": None,
    }  # fmt: skip
    assert deciding_columns(customers.feed()) == ["customer_id", "shop"]
    both = {"few": rule(pl.len().over("code") <= 2), "once": rule(pl.col("id").is_unique())}
    assert deciding_columns(feed_of(COLUMNS | both)) is None
    filled = dy.String(metadata=source(normalise=(lambda text: text.fill_null(strategy="forward"),)))
    assert deciding_columns(feed_of(COLUMNS | {"code": filled})) is None


@pytest.mark.slow
def test_files_of_pieces_go_with_the_candidate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    found = in_pieces(FEEDS["drop"], bronze_of(FEEDS["drop"], _records(40)), 5)
    assert found.valid.height > 1
    assert len(list(tmp_path.glob("lakehouse-*/*.parquet"))) > 1
    del found
    gc.collect()
    assert list(tmp_path.iterdir()) == []


def _records(count: int) -> list[dict[str, Any]]:
    return [
        {"id": str(at % 29), "price": f"{at % 7}.50", "code": "abz"[at % 3], "_source_hash": "h", "_discarded": False}
        for at in range(count)
    ]


def _landed(lake: Lake) -> None:
    told = [{name: r[name] for name in ("id", "price", "code")} for r in _records(100)]
    put(lake, {"a.json": told[:60], "b.json": [*told[60:], {"id": "1", "price": "much"}, *told[:5]]})


def _contents(lake: Lake) -> list[Any]:
    names = {"silver": ("id", "price", "code"), "quarantine": ("id", "price", "code", "rules")}
    tables = [stored(lake, layer, *columns, "_source_key", "_line") for layer, columns in names.items()]
    accounts = scan_accounting(lake.store).drop("run_id").sort("source_key").collect().to_dicts()
    return [*tables, accounts]


@pytest.mark.slow
@pytest.mark.parametrize("where", ["folder", pytest.param("s3", marks=IN_FULL)])
def test_a_table_that_was_published_in_pieces_holds_the_same(
    where: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    root = tmp_path / "pieces ü" if where == "folder" else request.getfixturevalue("s3_lake").settings.root
    feed = feed_of(COLUMNS, gate=0.5)
    whole, pieces = lake_of(tmp_path / "whole", feed), lake_of(root, feed, publish_batch_rows=10)
    for lake in (whole, pieces):
        _landed(lake)
    assert _contents(pieces) == _contents(whole)
    assert len(stored(pieces, "quarantine", "id")) > 10
    assert list(verify(pieces, deep=True)) == []
    # Decisions on single records, and those that come after them.
    for lake in (whole, pieces):
        decision_commands.correct(lake, feed, "a.json", 3, {"code": "a"}, "meant")
        put(lake, {})
    assert _contents(pieces) == _contents(whole)
    assert list(verify(pieces)) == []


@pytest.mark.slow
def test_a_date_larger_than_a_batch_is_computed_in_pieces(tmp_path: Path) -> None:
    class Sales(Contract):
        on = dy.Date(nullable=False)
        id = dy.Int64(nullable=False)

    feed = Feed(name="things", contract=Sales, description="Things.", owner="team:x", business_date="on")
    lake = lake_of(tmp_path, feed, publish_batch_rows=10)
    records = [{"on": f"2026-03-0{1 + at % 3}", "id": str(at % 50)} for at in range(200)]
    outcomes = put(lake, {"a.json": records})
    distinct = {(r["on"], int(r["id"])) for r in records}
    assert {(str(on), number) for on, number in stored(lake, "silver", "on", "id")} == distinct
    assert {part: (o.landed, o.valid + o.duplicates) for part, o in outcomes.items()} == {
        "2026-03-01": (67, 67), "2026-03-02": (67, 67), "2026-03-03": (66, 66),
    }  # fmt: skip
    assert list(verify(lake)) == []


def test_records_of_many_small_files_are_put_into_one_chunk_and_large_files_are_not_copied() -> None:
    for rows, chunks in ((3, 1), (3_000, 40)):
        files = [pl.DataFrame({"code": ["a"] * rows}) for _ in range(40)]
        [piece] = sorted_out(FEEDS["drop"], [pl.concat(files, rechunk=False).lazy()], 40 * rows, 1_000_000)
        assert (piece.frame().n_chunks(), piece.height) == (chunks, 40 * rows)
