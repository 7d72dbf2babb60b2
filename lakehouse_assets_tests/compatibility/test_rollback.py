"""A lake that a newer version wrote is refused by this one, before it reads or writes what it would misread.

What a newer version writes is played: a number in a table, a decision of an unknown kind. Not here: an older lake.
"""

import json
from pathlib import Path

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.storage import delta
from lakehouse_assets.storage.delta_format import FORMAT, PROPERTY
from lakehouse_assets.storage.stores import StorageError
from lakehouse_assets_tests import retail
from lakehouse_assets_tests.conftest import Lakehouse

pytestmark = pytest.mark.slow
DECISION = "decisions/sales/20990101T000000000000-00000000.json"


@pytest.fixture
def ran(lake: Lake) -> Lake:
    """A lake with a date that is published, and one that waits."""
    retail.land(lake, "day.csv", retail.sales_csv(3))
    retail.run(lake)
    retail.land(lake, "late.csv", retail.sales_csv(4, "2011-03-02"))
    return lake


def _mark(lake: Lake, path: str, number: int) -> None:
    delta.opened(lake.store, path).alter.set_table_properties({PROPERTY: str(number)}, raise_if_not_exists=False)


def _files(lake: Lake) -> dict[str, int]:
    """Return what is stored, and when it was written."""
    root = Path(lake.settings.root)
    found = (path for path in root.rglob("*") if path.is_file() and ".dagster" not in path.parts)
    return {str(path.relative_to(root)): path.stat().st_mtime_ns for path in found}


@pytest.mark.parametrize("path", ["ops/ledger", "silver/sales"])
def test_a_table_of_a_newer_format_is_not_written(ran: Lake, path: str) -> None:
    _mark(ran, path, FORMAT)
    retail.run(ran)
    assert delta.opened(ran.store, path).metadata().configuration[PROPERTY] == str(FORMAT)  # kept by what is written
    _mark(ran, path, FORMAT + 1)
    retail.land(ran, "later.csv", retail.sales_csv(4, "2011-03-03"))
    before = _files(ran)
    with pytest.raises(StorageError, match=f"{path}: the table has format 2, and this version reads formats up to 1"):
        retail.run(ran)
    assert {name for name in _files(ran) if name.startswith(path)} == {name for name in before if name.startswith(path)}


@pytest.mark.parametrize(
    "command",
    [("status",), ("tables",), ("verify",), ("plan",), ("maintain",), ("query", "SELECT count(*) FROM ops.ledger")],
    ids=lambda command: command[0],
)
def test_each_command_says_so_and_changes_nothing_that_is_there(
    ran: Lake, lakehouse: Lakehouse, command: tuple[str, ...]
) -> None:
    _mark(ran, "ops/ledger", FORMAT + 1)
    before = _files(ran)
    said = lakehouse(*command)
    assert said.code == 1
    told = " ".join((said.out + said.err).split())
    assert "the table has format 2" in told
    assert "a newer version wrote it" in told
    assert before.items() <= _files(ran).items()


def test_a_decision_of_an_unknown_kind_is_not_passed_over(ran: Lake, lakehouse: Lakehouse) -> None:
    ran.store.create(DECISION, json.dumps({"kind": "blank", "feed": "sales"}).encode())
    with pytest.raises(StorageError, match="of the kind 'blank', which this version does not know"):
        retail.run(ran)
    said = lakehouse("status")
    assert (said.code, "Traceback" in said.err) == (1, False)
    assert "use that version again" in said.err
