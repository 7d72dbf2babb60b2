"""The tables of two lakes, compared value by value, without provenance."""

import polars as pl
from polars.testing import assert_frame_equal

from lakehouse_assets.context import Lake
from lakehouse_assets.query.tables import frames


def tables(lake: Lake) -> dict[str, pl.DataFrame]:
    """Return silver, quarantine and gold without provenance, in one order."""
    found = {}
    for name, frame in frames(lake).items():
        if name.startswith(("silver.", "quarantine.", "gold.")):
            rows = frame.collect()
            rows = rows.select(column for column in rows.columns if not column.startswith("_"))
            nested = [column for column, dtype in rows.schema.items() if dtype.is_nested()]
            order = rows.with_columns(pl.struct(column).struct.json_encode().alias(column) for column in nested)
            found[name] = rows[order.with_row_index("_at").sort(rows.columns)["_at"]]
    return found


def assert_same(found: Lake, expected: dict[str, pl.DataFrame]) -> None:
    for name, frame in tables(found).items():
        try:
            assert_frame_equal(frame, expected[name], check_exact=True)
        except AssertionError as difference:
            difference.add_note(f"in {name}")
            raise
