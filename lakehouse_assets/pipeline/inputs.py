"""Fingerprints of the inputs from which a feed's partitions are computed: what is live, the contract, decisions.

Not here: which fingerprints are published, and so what is pending.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping

import polars as pl

from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.contracts.partitioning import WHOLE
from lakehouse_assets.ledger.ledger import FeedLedger
from lakehouse_assets.pipeline import packs
from lakehouse_assets.pipeline.corrections import Effect, Place, touched
from lakehouse_assets.pipeline.key_order import landings_of

_WITHOUT_ROWS = "expired"


def fingerprint(inputs: object) -> int:
    """Return the fingerprint of some inputs: 60 bits, so that it fits a Delta transaction version."""
    return _fingerprint_of(json.dumps(inputs, sort_keys=True))


def _fingerprint_of(text: str) -> int:
    return int(hashlib.sha256(text.encode()).hexdigest()[:15], 16)


def fingerprints_by_date(
    version: str, upstream: Mapping[str, Mapping[str, int]], dates: Iterable[str]
) -> dict[str, int]:
    """Return the fingerprint of each date of a model: its version, and what it reads of that date or as a whole.

    Args:
        version: `Model.version`.
        upstream: Fingerprints by partition of each table that it reads, by SQL name.
    """
    # The text of `json.dumps` with sorted keys, put together here: a call for each of thousands of dates takes longer.
    texts = [json.dumps(name) + ": " for name in sorted(upstream)]
    tables = [(upstream[name], upstream[name].get(WHOLE)) for name in sorted(upstream)]
    start = f"[{json.dumps(version)}, {{"
    found = {}
    for date in dates:
        values = (partitions.get(date, whole) for partitions, whole in tables)
        read = (f"{text}{'null' if value is None else value}" for text, value in zip(texts, values, strict=True))
        found[date] = _fingerprint_of(f"{start}{', '.join(read)}}}]")
    return found


def without_rows(value: int) -> int:
    """Return the fingerprint in quarantine of a partition whose rows have expired, from the one that they had."""
    return fingerprint([value, _WITHOUT_ROWS])


def input_fingerprints(
    feed: Feed, ledger: FeedLedger, partitions: list[str], outside: frozenset[str], found: dict[Place, Effect]
) -> dict[str, int]:
    """Return the fingerprint of each partition: live contents with their keys, contract, decisions on its records.

    Args:
        partitions: Every partition that any landed version or decision ever touched, sorted.
        outside: Those of them whose date is no business date.
        found: The effects of the decisions on live contents.
    """
    # A full delivery says something of every key, also of those that it lacks.
    landings = landings_of(feed, ledger)
    is_full = feed.keyed is not None and feed.keyed.is_full
    deliveries = landings["_landed"].unique().sort().to_list() if landings is not None and is_full else []
    decided, moved_in = touched(found), _moved_in(ledger, found, landings)
    names = {False: feed.version, True: f"{feed.version} outside"}
    known = {is_outside: ledger.fingerprints.setdefault(name, {}) for is_outside, name in names.items()}
    special = set(partitions) if deliveries else decided.keys() | moved_in.keys()
    missing = [p for p in partitions if p in special or p not in known[p in outside]]
    sources = _sources(ledger, missing, landings)
    version = json.dumps(feed.version)
    found_now = {}
    for partition in missing:
        rest = json.dumps([*decided.get(partition, []), *moved_in.get(partition, []), *deliveries])
        text = f"[{version}, {json.dumps(partition in outside)}, [{sources.get(partition, '')}], {rest}]"
        found_now[partition] = _fingerprint_of(text)
    for partition in found_now.keys() - special:
        known[partition in outside][partition] = found_now[partition]
    return {p: found_now[p] if p in found_now else known[p in outside][p] for p in partitions}


def _sources(ledger: FeedLedger, partitions: list[str], landings: pl.DataFrame | None = None) -> dict[str, str]:
    """Return the live contents of some partitions, ordered by content, as JSON without the brackets.

    Each with its key, and with its file where a content that was read in another way lies in one of its own; where the
    order of landing counts, with its number in it.
    """
    if not partitions:
        return {}
    rows = ledger.live_of(partitions).sort("part", "source_hash")
    # The text of `json.dumps`, put together by Polars: there may be a million of them.
    key = pl.col("source_key")
    is_plain = rows.select(key.str.contains(r"^[ !#-\[\]-~]*$").all()).item()
    quoted = pl.format('"{}"', key) if is_plain else key.map_elements(json.dumps, pl.String)
    file = packs.without_pack("file")  # which pack the records were first written to says nothing of them
    file = pl.when(file == pl.col("source_hash")).then(pl.lit("")).otherwise(pl.format(', "{}"', file))
    landed: pl.Expr = pl.lit("")
    if landings is not None:
        numbers = pl.col("_landed").cast(pl.String).str.join(", ")
        places = landings.group_by("_source_hash", maintain_order=True).agg(numbers)
        rows = rows.join(places, left_on="source_hash", right_on="_source_hash", how="left", maintain_order="left")
        landed = pl.format(", [{}]", pl.col("_landed"))
    texts = rows.select("part", pl.format('["{}", {}{}{}]', "source_hash", quoted, file, landed).alias("text"))
    return dict(texts.group_by("part", maintain_order=True).agg(pl.col("text").str.join(", ")).iter_rows())


def _moved_in(
    ledger: FeedLedger, found: dict[Place, Effect], landings: pl.DataFrame | None
) -> dict[str, list[list[object]]]:
    """Return the contents, with their keys and landings, of the records that corrections moved into each partition."""
    moved = {(effect.partition_to, content) for (content, _), effect in found.items() if effect.is_moved}
    if not moved:
        return {}
    rows = ledger.live_of_contents(pl.Series([content for _, content in moved], dtype=pl.String))
    keys = dict(rows.select("source_hash", "source_key").iter_rows())
    contents: dict[str, list[list[object]]] = {}
    for partition, content in sorted(moved):
        landed = [] if landings is None else landings.filter(pl.col("_source_hash") == content)["_landed"].to_list()
        contents.setdefault(partition, []).append([content, keys[content], *landed])
    return contents
