"""What is read of a lake from which a person was erased: that they are nowhere, and that all else is as it was."""

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets.query.overview import Status, status
from lakehouse_assets.query.tables import frames
from lakehouse_assets.query.verify import verify
from lakehouse_assets_tests.erasure.everywhere import PERSON, others
from lakehouse_assets_tests.erasure.traces import traces

NOBODY = pl.lit(value=False)
IS_THEIRS = {
    "silver.sales": pl.col("customer_id") == PERSON,
    "quarantine.sales": pl.any_horizontal(pl.col("CustomerID", "_extra").str.contains(PERSON, literal=True)),
}
IS_PENDING = pl.col("_source_key") == "pending.csv"
_CHANGES = {"_source_hash", "_ingested_at"}
NAMED = ("forget", "sales", f"customer_id={PERSON}.0")


def rows(lake: Lake, name: str, gone: pl.Expr = NOBODY) -> list[str]:
    """Return the rows of a table but for some, without what an erasure may change."""
    frame = frames(lake)[name].filter(~gone.fill_null(value=False))
    kept = [column for column in frame.collect_schema().names() if column not in _CHANGES]
    return sorted(map(repr, frame.select(kept).collect().rows()))


def waiting(found: Status) -> tuple[list[str], ...]:
    """Return what is held, rejected and pinned, without the reasons and versions, which follow from the batches."""
    held = [line.partition(": quality score")[0] for line in found.held]
    rejected = [" ".join(line.split(": ", 3)[:3]) for line in found.rejected]
    return held, rejected, [line.partition(": to version")[0] for line in found.pinned]


def not_forgotten(lake: Lake, village: Lake) -> list[str]:
    """Return what is wrong with a copy of the village from which the person was erased; nothing when it is in order."""
    told = [f"they stand in {path}" for path in traces(lake, PERSON)]
    for name, pending in (("silver.sales", IS_PENDING), ("quarantine.sales", NOBODY)):
        found, wanted = rows(lake, name, pending), rows(village, name, IS_THEIRS[name])
        if found != wanted:
            lost, odd = [row for row in wanted if row not in found], [row for row in found if row not in wanted]
            told.append(f"{name}: {len(found)} rows, not {len(wanted)}; missing {lost[:3]}; unexpected {odd[:3]}")
    if (count := len(rows(lake, "silver.sales", ~IS_PENDING))) != len(others(28)):
        told.append(f"{count} rows of what was pending")
    told += [f"verify: {finding}" for finding in verify(lake, deep=True)]
    found_now, before = status(lake), status(village)
    told += [] if found_now.is_idle and not found_now.erasing else [f"not done: {found_now}"]
    return told + ([] if waiting(found_now) == waiting(before) else [f"{waiting(found_now)}, not {waiting(before)}"])
