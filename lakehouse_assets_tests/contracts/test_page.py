"""Every example of `docs/contracts.md` is a module that declares what the page says."""

import re

import pytest

from lakehouse_assets.contracts.declare import Feed, Model
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.lake_settings import PROJECT

PAGE = (PROJECT / "docs" / "contracts.md").read_text(encoding="utf-8")
EXAMPLES = {
    section.splitlines()[0]: code
    for section in re.split(r"^##+ ", PAGE, flags=re.MULTILINE)[1:]
    for code in re.findall(r"^```python\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
}


@pytest.mark.parametrize("section", EXAMPLES)
def test_the_example_of(section: str) -> None:
    module: dict[str, object] = {"__name__": "example"}
    exec(compile(EXAMPLES[section], section, "exec"), module)  # noqa: S102 - our own page
    feeds = [value for value in module.values() if isinstance(value, Feed)]
    assert feeds, "the example declares no feed"
    Registry(feeds, [value for value in module.values() if isinstance(value, Model)])
