"""The sheet of a workbook that is learned from: the first one with a table of records."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from lakehouse_assets.parsing.archives import Rejection
from lakehouse_assets.parsing.discover import draft
from lakehouse_assets_tests.workbook import Cell, workbook

LIMIT = 2**26
Rows = Sequence[Sequence[Cell]]
TABLE: Rows = [["Id", "Price"], [1, 1.5], [2, 2.5]]
COVERS: dict[str, tuple[Rows, str]] = {
    "a title": ([["Sales report 2026"]], "no record below its first row"),
    "a title in two cells": ([["Sales", "2026"]], "no record below its first row"),
    "a title over names and values": (
        [["Sales report"], [], ["Author", "Ann"], ["Status", "final"]],
        "most of its rows have another shape than the first: it has values beyond the last column",
    ),
    "a text in one column": ([["Sales report"], ["For the board."], ["Confidential."]], "one column only"),
    "the same word twice": ([["Sales", "Sales"], ["a", "b"]], "is there twice"),
}


def _draft(folder: Path, sheets: dict[str, Rows]) -> str:
    (file := folder / "sales.xlsx").write_bytes(workbook(sheets))
    return " ".join(draft([file], None, LIMIT).replace("#", " ").split())


@pytest.mark.parametrize(("cover", "why"), COVERS.values(), ids=COVERS.keys())
def test_a_cover_is_passed_over_and_named(tmp_path: Path, cover: Rows, why: str) -> None:
    text = _draft(tmp_path, {"Cover": cover, "Data": TABLE, "More": TABLE})
    assert 'format=Excel(sheet="Data")' in text
    assert "The workbook has other sheets: 'Cover', 'More'." in text
    assert "'Data' is the first sheet with a table of records. Passed over: 'Cover' (" in text
    assert why in text
    assert "2 records" in text


def test_a_workbook_without_a_table_names_all_of_its_sheets(tmp_path: Path) -> None:
    with pytest.raises(
        Rejection,
        match=r"sales\.xlsx: none of its sheets has a table of records: "
        r"'Cover' \(no record below its first row\), 'Empty' \(it is blank\)\.$",
    ):
        _draft(tmp_path, {"Cover": [["Sales report"]], "Empty": []})


def test_a_sheet_of_one_column_is_taken_where_no_other_has_more(tmp_path: Path) -> None:
    text = _draft(tmp_path, {"Cover": [["Sales report"]], "Codes": [["Code"], ["a"], ["b"]], "Empty": []})
    assert 'format=Excel(sheet="Codes")' in text
