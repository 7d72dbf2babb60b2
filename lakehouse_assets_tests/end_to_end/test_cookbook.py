"""Each recipe of `docs/cookbook.md` does what it shows: a lake each, in this process, without Dagster.

A block below the name of a file is that file: a module or an SQL file of the lake's package, or a file to land. The
lines of a `sh` block are typed, and the `text` block below it is what they print. `lakehouse run` prints nothing here.
"""

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lakehouse_assets.cli.main import main
from lakehouse_assets.context import current
from lakehouse_assets.contracts.registry import registry_of
from lakehouse_assets.lake_settings import PROJECT
from lakehouse_assets.settings import settings
from lakehouse_assets_tests.decisions.test_page import missing
from lakehouse_assets_tests.retail import build, ingest, publish

pytestmark = pytest.mark.usefixtures("every_table")

PAGE = (PROJECT / "docs" / "cookbook.md").read_text(encoding="utf-8")
RECIPES = {
    section.splitlines()[0]: re.findall(
        r"(?:^`(\S+)`(?: becomes)?:\n\n)?^```(\w+)\n(.*?)^```$", section, re.MULTILINE | re.DOTALL
    )
    for section in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
}
Type = Callable[[str], str]


@pytest.fixture
def typed(package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Type]:
    """Type a line, as in a process of its own, in a folder beside the package; return what it prints."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("LAKEHOUSE_ROOT", str(tmp_path / "lake"))
    monkeypatch.setenv("COLUMNS", "200")

    def load() -> None:
        settings.cache_clear()
        registry_of.cache_clear()
        for name in [name for name in sys.modules if name.startswith(package.name)]:
            del sys.modules[name]

    def run() -> None:
        lake = current()
        for feed in lake.registry.feeds:
            ingest(lake, feed=feed)
            publish(lake, feed=feed)
        build(lake)

    def enter(line: str) -> str:
        load()
        if line == "lakehouse run":
            run()
            return ""
        if not line.startswith("lakehouse "):
            return subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True).stdout
        monkeypatch.setattr(sys, "argv", shlex.split(os.path.expandvars(line)))
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out), pytest.raises(SystemExit):
            main()
        return out.getvalue()

    yield enter
    load()


@pytest.mark.slow
@pytest.mark.parametrize("recipe", RECIPES)
def test_the_recipe(recipe: str, package: Path, typed: Type) -> None:
    printed = ""
    for file, language, text in RECIPES[recipe]:
        if file:
            (package if language in {"python", "sql"} else Path()).joinpath(file).write_text(text)
        elif language == "sh":
            printed = "".join(typed(line) for line in text.splitlines())
        else:
            absent = missing(text.splitlines(), printed)
            assert absent is None, f"printed\n{printed}\nbut the page shows {absent}"


def test_every_recipe_shows_what_is_printed() -> None:
    for recipe, blocks in RECIPES.items():
        kinds = [language for _, language, _ in blocks]
        assert "sh" in kinds, recipe
        assert "text" in kinds, recipe
