"""A person is forgotten in files that are written as their feed declares, and these stay as they are written."""

from pathlib import Path

import polars as pl
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.registry import registry_of
from lakehouse_assets.settings import Settings
from lakehouse_assets.storage import delta
from lakehouse_assets_tests.conftest import Cli
from lakehouse_assets_tests.erasure.traces import traces
from lakehouse_assets_tests.workbook import workbook

pytestmark = pytest.mark.slow
MODULE = '''
import dataframely as dy

from lakehouse_assets.contracts.declare import Contract, {kind}, Feed, source


class People(Contract):
    """One person."""

    id = dy.Int64(nullable=False, description="Number.")
    name = dy.String(nullable=False, description="Name.", metadata=source("{header}", personal=True))


FEED = Feed(name="people", contract=People, description="People.", owner="team:x", format={form})
'''
FORMS: dict[str, tuple[str, str, bytes, bytes]] = {
    "no header, Mac Roman": (
        "name",
        'Csv(encoding="mac_roman", header=("id", "name"), delimiter=";", quote="\'")',
        "1;Zoé\n2;'Ül; 3'\n".encode("mac_roman"),
        ";\n2;'Ül; 3'\n".encode("mac_roman"),
    ),
    "fixed width": ("name", 'FixedWidth({"id": 2, "name": 4})', b"1 Zo\xc3\xa9 \n2 Ann \n", b"      \n2 Ann \n"),
    "a path": (
        "who.name",
        'Json(records="data")',
        '{"n": 2, "data": [{"id": 1, "who": {"name": "Zoé"}}, {"id": 2, "who": {"name": "Ann"}}], "at": 1.50}'.encode(),
        b'{"n": 2, "data": [{"id": null, "who": null}, {"id": 2, "who": {"name": "Ann"}}], "at": 1.50}',
    ),
}


def _ran(cli: Cli, lake: Lake, package: Path, header: str, form: str, data: bytes) -> Lake:
    (package / "people.py").write_text(MODULE.format(kind=form.partition("(")[0], form=form, header=header))
    registry_of.cache_clear()
    at = Lake(lake.store, Settings(root=lake.settings.root), registry_of(package.name))
    at.store.replace("landing/people/x", data)
    assert cli(at, "run").returncode == 0
    return at


def _silver(lake: Lake) -> pl.DataFrame:
    return delta.scan(lake.store, "silver/people", {}).collect()


@pytest.mark.parametrize(("header", "form", "data", "left"), FORMS.values(), ids=FORMS.keys())
def test_the_others_stay_byte_for_byte(
    cli: Cli, lake: Lake, package: Path, header: str, form: str, data: bytes, left: bytes
) -> None:
    lake = _ran(cli, lake, package, header, form, data)
    assert _silver(lake).height == 2
    forgotten = cli(lake, "forget", "people", "name=Zoé")
    assert forgotten.returncode == 0, forgotten.stdout + forgotten.stderr
    assert lake.store.read("landing/people/x") == left
    assert _silver(lake)["id"].to_list() == [2]
    assert cli(lake, "verify", "--deep").returncode == 0


def test_a_workbook_with_the_person_is_named_and_not_passed_over(cli: Cli, lake: Lake, package: Path) -> None:
    data = workbook({"x": [["id", "name"], [1, "Zoé"], [2, "Ann"]]})
    lake = _ran(cli, lake, package, "name", "Excel()", data)
    forgotten = cli(lake, "forget", "people", "name=Zoé")
    assert forgotten.returncode == 1
    assert "x: records cannot be taken out of a workbook; remove it" in forgotten.stdout + forgotten.stderr


def test_a_workbook_with_the_person_that_lands_later_is_rejected(cli: Cli, lake: Lake, package: Path) -> None:
    lake = _ran(cli, lake, package, "name", "Excel()", workbook({"x": [["id", "name"], [2, "Ann"]]}))
    assert cli(lake, "forget", "people", "name=Zoé").returncode == 0
    lake.store.replace("landing/people/y", workbook({"x": [["id", "name"], [1, "Zoé"], [3, "Bob"]]}))
    ran = cli(lake, "run")
    assert ran.returncode == 1
    assert "an erased person may be in it: records cannot be taken out of a workbook" in ran.stdout + ran.stderr
    assert _silver(lake)["id"].to_list() == [2]
    assert list(traces(lake, "Bob")) == ["landing/people/y"]
