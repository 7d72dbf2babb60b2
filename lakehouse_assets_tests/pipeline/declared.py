"""A lake of feeds that a test declares: landing records in one, and what its tables hold then."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Contract, Feed
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.pipeline.gate import Outcome
from lakehouse_assets.settings import Settings
from lakehouse_assets.storage import delta
from lakehouse_assets.storage.stores import store_for
from lakehouse_assets_tests.faults.scenario import copied_to
from lakehouse_assets_tests.retail import ingest, land, publish

Records = Sequence[dict[str, Any]]


def feed_of(columns: dict[str, Any], **options: Any) -> Feed:
    """Return a feed `things` of some contract columns."""
    contract = type("Things", (Contract,), columns)
    declared: dict[str, Any] = {"name": "things", "contract": contract, "description": "Things.", "owner": "team:x"}
    return Feed(**declared | options)


def lake_of(root: object, *feeds: Feed, **settings: Any) -> Lake:
    """Return the lake at a root with no other tables than those of some feeds."""
    chosen = Settings(root=str(root), **settings)
    return Lake(store_for(chosen.root), chosen, Registry(list(feeds), []))


def copy_at(root: Path, base: Lake) -> Lake:
    """Return a copy of a local lake of declared feeds, in which nothing is pending that was not."""
    return replace(copied_to(base, root), registry=base.registry)


def put(lake: Lake, deliveries: dict[str, Records], feed: str = "things") -> dict[str, Outcome]:
    """Land some JSON objects by their keys, and process them; return the outcomes by partition."""
    for key, records in deliveries.items():
        land(lake, key, json.dumps(records).encode(), feed)
    ingest(lake, feed=feed)
    return publish(lake, feed=feed)


def stored(lake: Lake, layer: str, *columns: str, feed: str = "things") -> list[tuple[Any, ...]]:
    """Return some columns of a stored table of a feed, in the order of source key and line."""
    rows = delta.scan(lake.store, getattr(lake.registry.feed(feed), layer).path, {}).collect()
    return rows.sort("_source_key", "_line").select(columns).rows()
