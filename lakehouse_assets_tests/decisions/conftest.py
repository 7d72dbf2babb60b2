"""The command line in this process: as fast as a function, for what needs no run of Dagster."""

import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from lakehouse_assets.cli.main import main
from lakehouse_assets.context import Lake
from lakehouse_assets.settings import settings


class Said(NamedTuple):
    """What a command answered."""

    code: int
    out: str
    err: str


Lakehouse = Callable[..., Said]


@pytest.fixture
def lakehouse(lake: Lake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Lakehouse]:
    """Give a verb and its arguments to `lakehouse` on the test's lake.

    Not for verbs that run Dagster: its definitions belong to the lake that a process first imported them with.
    """
    monkeypatch.setenv("LAKEHOUSE_ROOT", lake.settings.root)
    monkeypatch.setenv("COLUMNS", "300")

    def call(*arguments: object) -> Said:
        settings.cache_clear()
        monkeypatch.setattr(sys, "argv", ["lakehouse", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main()
        return Said(int(left.value.code or 0), *capsys.readouterr())

    yield call
    settings.cache_clear()
