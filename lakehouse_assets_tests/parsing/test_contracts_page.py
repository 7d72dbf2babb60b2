"""The examples of docs/contracts.md, "How objects are written", load, and read the files beside them."""

import datetime as dt
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Csv, Excel, Feed, FixedWidth, Json
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.lake_settings import PROJECT
from lakehouse_assets.storage import delta
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.retail import ingest, land, publish
from lakehouse_assets_tests.workbook import workbook

_PAGE = (PROJECT / "docs/contracts.md").read_text(encoding="utf-8")
_SECTION = _PAGE.split("## How objects are written\n", 1)[1].split("\n## ", 1)[0]
_BOOK = workbook({"Notes": [["x"]], "2026": [["Month", "Amount"], [dt.date(2026, 1, 1), 0.1 + 0.2]]})
_EXPECTED: dict[str, list[tuple[Any, ...]]] = {
    "lines": [(1001, "Crème; brûlée", Decimal("2.40")), (1002, "Café", Decimal("1003.10"))],
    "stores": [("0001", "Leeds", dt.date(2011, 3, 1)), ("0002", "York", dt.date(2012, 2, 29))],
    "customers": [(1, "Leeds", '["1", "2"]'), (2, None, None)],
    "budget": [(dt.date(2026, 1, 1), Decimal("0.30"))],
}


def _examples() -> dict[str, tuple[Feed, str | None]]:
    found = {}
    for text, code in re.findall(r"(?:```text\n(.*?)```\n\n)?```python\n(.*?)```", _SECTION, re.DOTALL):
        names: dict[str, Any] = {"__name__": "example"}
        exec(code, names)  # noqa: S102 - that it runs is what is tested
        found[names["FEED"].name] = (names["FEED"], text or None)
    return found


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize("name", _EXPECTED)
def test_an_example_reads_the_file_beside_it(name: str, tmp_path: Path) -> None:
    feed, text = _examples()[name]
    at = lake_at(str(tmp_path / "lake"))
    lake = Lake(at.store, at.settings, Registry([feed], []))
    land(lake, "x", _BOOK if text is None else text.encode(getattr(feed.format, "encoding", None) or "utf-8"), name)
    ingest(lake, feed=name)
    assert {outcome.quarantined for outcome in publish(lake, feed=name).values()} == {0}
    columns = list(feed.contract.columns())
    assert (
        delta.scan(lake.store, feed.silver.path, {}).collect().sort(columns[0]).select(columns).rows()
        == (_EXPECTED[name])
    )


def test_the_page_names_every_example_and_every_argument() -> None:
    assert _examples().keys() == _EXPECTED.keys()
    for form in (Csv, FixedWidth, Json, Excel):
        told = _SECTION.split(f"`{form.__name__}`\n", 1)[1].split("\n### ", 1)[0]
        assert set(re.findall(r"^\| `(\w+)` \|", told, re.MULTILINE)) == set(form.__dataclass_fields__)
