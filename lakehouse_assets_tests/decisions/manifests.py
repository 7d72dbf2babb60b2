"""Manifests for tests, and what the ledger says of the objects that they speak of."""

import hashlib
import json
from typing import Any

from lakehouse_assets.context import Lake
from lakehouse_assets.query.overview import status
from lakehouse_assets_tests.decisions.person import ask
from lakehouse_assets_tests.retail import land


def promise(lake: Lake, path: str, **content: Any) -> None:
    """Land a manifest under a path."""
    land(lake, path, json.dumps(content).encode())


def sha256(data: bytes) -> str:
    """Return the hash that a manifest names."""
    return hashlib.sha256(data).hexdigest()


def live(lake: Lake) -> dict[str, int]:
    """Return the live bronze records by source key."""
    return dict(ask(lake, "SELECT _source_key, count(*) FROM bronze.sales GROUP BY 1"))


def reasons(lake: Lake) -> dict[str, str]:
    """Return why the source objects that are held now are, by key, as `lakehouse status` lists them."""
    lines = [line.split(": ", 3) for line in status(lake).rejected]
    assert all((feed, state) == ("sales", "held") for feed, _, state, _ in lines), lines
    return {key: reason for _, key, _, reason in lines}
