"""The pages name tests that exist."""

import re

from lakehouse_assets.lake_settings import PROJECT

_NAMED = re.compile(r"\b((?:lakehouse_assets_tests/)?(?:[a-z_0-9]+/)*test_[a-z_0-9]+\.py)\b")


def test_every_test_that_a_page_names_is_there() -> None:
    pages = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]
    named = {(page.name, path) for page in pages for path in _NAMED.findall(page.read_text(encoding="utf-8"))}
    assert len(named) > 10
    tests = PROJECT / "lakehouse_assets_tests"
    lost = [
        f"{page}: {path}" for page, path in named if not (tests / path.removeprefix("lakehouse_assets_tests/")).exists()
    ]
    assert sorted(lost) == []
