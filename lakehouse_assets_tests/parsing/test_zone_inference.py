"""`discover` says in which zone times are, where their values or the name of the column say it."""

import json
from pathlib import Path

import pytest

from lakehouse_assets.parsing.discover import draft
from lakehouse_assets_tests.parsing.drafted import LIMIT, drafted, published

NAIVE, UTC, OFFSET = "2024-03-01 10:00:00", "2024-03-01T10:00:00Z", "2024-03-01T10:00:00+01:00"


def _data(columns: dict[str, list[str]]) -> bytes:
    return json.dumps([dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]).encode()


def _text(folder: Path, columns: dict[str, list[str]]) -> str:
    (file := folder / "x.json").write_bytes(_data(columns))
    return draft([file], None, LIMIT)


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize("name", ["created_utc", "utc_time", "CreatedAtUTC"])
def test_times_without_offset_that_are_utc_by_name_have_a_source_zone(tmp_path: Path, name: str) -> None:
    columns = {"k": ["a", "b"], name: [NAIVE, "2024-03-02 23:30:00"]}
    assert '\n    source_zone="UTC",' in _text(tmp_path, columns)
    feed = drafted(tmp_path, _data(columns), "x.json")
    assert feed.source_zone == "UTC"
    assert published(tmp_path, feed, _data(columns)).height == 2


def test_where_other_times_have_no_offset_either_it_is_a_question(tmp_path: Path) -> None:
    columns = {"created_utc": [NAIVE], "opened_at": [NAIVE]}
    text = _text(tmp_path, columns)
    assert '\n    # source_zone="UTC",' in text
    assert "It would hold for opened_at, too" in text
    assert drafted(tmp_path, _data(columns), "x.json").source_zone is None


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([UTC, UTC], "at: all times are UTC, and say so."),
        ([OFFSET, UTC], "at: all times say their offset (+01:00, Z)."),
        ([NAIVE, UTC], "at: 1 of 2 times have no offset."),
        ([NAIVE, NAIVE], None),
        (["01-03-2024 10:00", "31-03-2024 23:59"], None),
    ],
)
def test_what_the_values_say_of_offsets_is_told(tmp_path: Path, values: list[str], said: str | None) -> None:
    text = " ".join(_text(tmp_path, {"at": values}).replace("#", " ").split())
    assert (said in text) if said else ("offset." not in text and "source_zone" not in text)
