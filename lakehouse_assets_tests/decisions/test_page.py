"""The pages that tell a story tell the truth: their commands run, in their order, and print what they show.

The tutorial adds to all tables that are declared, the others are about sales; `FAULTS=all`: each beside all tables.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lakehouse_assets.lake_settings import PROJECT
from lakehouse_assets_tests.decisions.forked_command import forked_command
from lakehouse_assets_tests.faults.conftest import EVERYTHING

pytestmark = pytest.mark.slow
PAGES = ("living-with-bad-data", "forgetting-a-person", "tutorial")
LEFT_OUT, DIFFERS = "...", "…"


@dataclass(frozen=True)
class Step:
    """A block of commands, and the block of what they print, if the page shows one."""

    commands: str
    shown: tuple[str, ...]

    @property
    def code(self) -> int:
        """The exit code that the page names in the last line shown."""
        found = re.fullmatch(r"\(exit code (\d+)\)", self.shown[-1]) if self.shown else None
        return int(found[1]) if found else 0

    @property
    def lines(self) -> list[str]:
        """The lines that must be printed."""
        return [line for line in self.shown if not line.startswith("(exit code")]


def steps(page: str) -> list[Step]:
    text = (PROJECT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    found = re.findall(r"^```sh\n(.*?)^```\n(?:\n^```text\n(.*?)^```\n)?", text, re.MULTILINE | re.DOTALL)
    return [Step(commands, tuple(shown.splitlines())) for commands, shown in found]


def blank_free(line: str) -> str:
    return " ".join(line.split())


def printed(line: str) -> re.Pattern[str]:
    return re.compile(" ?.* ?".join(re.escape(blank_free(partition)) for partition in line.split(DIFFERS)))


def missing(shown: list[str], output: str) -> str | None:
    """Return the first line shown that is not printed in its place; None if all are."""
    lines: Iterator[str] = (blank_free(line) for line in output.splitlines() if line.strip())
    gap = False
    for wanted in shown:
        if wanted.strip() == LEFT_OUT:
            gap = True
            continue
        for line in lines:
            if printed(wanted).fullmatch(line):
                gap = False
                break
            if not gap:
                return f"{wanted!r}; instead came {line!r}"
        else:
            return f"{wanted!r}; nothing came"
    rest = [] if gap else list(lines)
    return f"nothing; instead came {rest[0]!r}" if rest else None


@pytest.mark.parametrize("page", PAGES)
def test_the_page_has_a_story(page: str) -> None:
    found = steps(page)
    assert len(found) >= 7
    assert sum(bool(step.lines) for step in found) >= 5, "blocks of commands are followed by what they print"


@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_the_page_print_what_it_shows(
    page: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    adds = "lakehouse_assets/" in "".join(step.commands for step in steps(page))
    if adds or EVERYTHING:
        request.getfixturevalue("every_table")
    environment = os.environ | {"LAKEHOUSE_ROOT": str(tmp_path / "lake"), "DAGSTER_HOME": "", "COLUMNS": "200"}
    work = tmp_path / "work"
    work.mkdir()
    if adds:
        shutil.copytree(PROJECT / "lakehouse_assets", work / "lakehouse_assets")
    with forked_command(tmp_path / "bin") as folder:
        environment["PATH"] = f"{folder}:{os.environ['PATH']}"
        for step in steps(page):
            ran = subprocess.run(
                ["bash", "-c", step.commands], cwd=work, env=environment, capture_output=True, text=True,
                timeout=300, check=False,
            )  # fmt: skip
            assert ran.returncode == step.code, (step.commands, ran.stdout, ran.stderr)
            absent = missing(step.lines, ran.stdout)
            assert absent is None, f"{step.commands}\nprinted\n{ran.stdout}{ran.stderr}\nbut the page shows {absent}"


@pytest.mark.parametrize(
    ("shown", "output", "is_right"),
    [
        ("a\nb", " a\n\nb  ", True),
        ("a", "a\nb", False),
        ("a\n...", "a\nb", True),
        ("...\nb", "a\nb", True),
        ("...\nb", "a\nb\nc", False),
        ("a\nb", "b\na", False),
        ("a … c", "a b b c", True),
        ("a …", "b", False),
        ("a\nb", "a", False),
    ],
)
def test_a_page_is_compared_line_by_line(shown: str, output: str, *, is_right: bool) -> None:
    assert (missing(shown.splitlines(), output) is None) is is_right
