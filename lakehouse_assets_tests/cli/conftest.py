"""The command line in this process: all that `lakehouse` does between its arguments and its exit, but its start."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from lakehouse_assets.cli.main import main
from lakehouse_assets.context import Lake
from lakehouse_assets.settings import settings


@dataclass(frozen=True)
class Result:
    """What a command gave: exit code, standard output, standard error."""

    code: int
    out: str
    err: str


Lakehouse = Callable[..., Result]


@pytest.fixture
def lakehouse(lake: Lake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Lakehouse]:
    """Run `lakehouse` with some arguments on the lake of the test."""
    monkeypatch.setenv("LAKEHOUSE_ROOT", lake.settings.root)
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments: object) -> Result:
        settings.cache_clear()
        monkeypatch.setattr(sys, "argv", ["lakehouse", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        captured = capsys.readouterr()
        return Result(int(end.value.code or 0), captured.out, captured.err)

    yield run
    settings.cache_clear()
