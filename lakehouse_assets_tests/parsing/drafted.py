"""A drafted module, loaded as a person would load it, and its feed run on data. Not here: the tests."""

import types
from pathlib import Path

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.parsing.discover import draft
from lakehouse_assets.storage import delta
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.retail import ingest, land, publish

LIMIT = 2**26


def loaded(folder: Path, text: str) -> types.ModuleType:
    """Return the drafted module, imported from a file as a person would put it there."""
    file = folder / "drafted.py"
    file.write_text(text, encoding="utf-8")
    module = types.ModuleType("drafted")
    exec(compile(text, str(file), "exec"), module.__dict__)  # noqa: S102 - that it runs is what is tested
    return module


def drafted(folder: Path, data: bytes, name: str = "orders.csv", feed: str | None = None) -> Feed:
    file = folder / name
    file.write_bytes(data)
    found = loaded(folder, draft([file], feed, LIMIT)).FEED
    assert isinstance(found, Feed)
    return found


def types_of(feed: Feed) -> dict[str, str]:
    return {name: type(column).__name__ for name, column in feed.contract.columns().items()}


def published(folder: Path, feed: Feed, data: bytes) -> pl.DataFrame:
    at = lake_at(str(folder / "lake"))
    lake = Lake(at.store, at.settings, Registry([feed], []))
    land(lake, "x", data, feed.name)
    ingest(lake, feed=feed.name)
    outcomes = publish(lake, feed=feed.name)
    assert {outcome.verdict for outcome in outcomes.values()} == {"published"}
    assert sum(outcome.quarantined for outcome in outcomes.values()) == 0
    return delta.scan(lake.store, feed.silver.path, {}).collect()
