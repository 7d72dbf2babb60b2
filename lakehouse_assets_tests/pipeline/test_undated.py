"""Records without a business date: silver has no place for them, so they are in quarantine."""

from pathlib import Path

import dataframely as dy
import pytest

from lakehouse_assets.decisions.kinds import DecisionError
from lakehouse_assets.operations.decision_commands import waive
from lakehouse_assets.query.verify import verify
from lakehouse_assets_tests.pipeline.declared import Records, feed_of, lake_of, put, stored


def test_a_date_that_the_contract_lets_be_null_is_quarantined_where_it_is_null(tmp_path: Path) -> None:
    columns = {"order": dy.String(nullable=False), "shipped": dy.Date(nullable=True)}
    lake = lake_of(tmp_path, feed_of(columns, business_date="shipped"))
    records: Records = [
        {"order": "a", "shipped": "2026-11-02"},
        {"order": "b", "shipped": None},
        {"order": "c", "shipped": "?"},
    ]
    undated = put(lake, {"x.json": records})["undated"]
    assert (undated.valid, undated.quarantined) == (0, 2)
    assert stored(lake, "silver", "order") == [("a",)]
    assert stored(lake, "quarantine", "order", "rules") == [("b", ["shipped_in_range"]), ("c", ["shipped_readable"])]
    assert list(verify(lake)) == []
    with pytest.raises(DecisionError, match=r"things has no rule that can be: correct or discard the record\. Nothing"):
        waive(lake, lake.registry.feed("things"), "x.json", 2, ["shipped_in_range"], "why not")
