"""`lakehouse land` puts files under their keys, prints these, and takes all of them or says in one line why not."""

from pathlib import Path

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets_tests.conftest import Lakehouse
from lakehouse_assets_tests.retail import sales_csv


def _keys(lake: Lake) -> list[str]:
    return [stored.path.removeprefix("landing/") for stored in lake.store.list("landing")]


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    """A folder of three files, one in a folder of it, and a hidden one."""
    folder = tmp_path / "drop"
    (folder / "2011").mkdir(parents=True)
    for number, name in enumerate(("b.csv", "a.csv", "2011/a.csv", ".hidden"), start=1):
        (folder / name).write_bytes(sales_csv(number))
    return folder


def test_a_file_is_landed_under_its_name(lakehouse: Lakehouse, lake: Lake, drop: Path) -> None:
    result = lakehouse("land", "sales", drop / "2011" / "a.csv")
    assert (result.code, result.out, result.err) == (0, "a.csv\n", "")
    assert lake.store.read("landing/sales/a.csv") == sales_csv(3)


def test_a_folder_is_landed_under_relative_paths(lakehouse: Lakehouse, lake: Lake, drop: Path) -> None:
    result = lakehouse("land", "sales", drop)
    assert (result.code, result.out) == (0, "2011/a.csv\na.csv\nb.csv\n")
    assert _keys(lake) == ["sales/2011/a.csv", "sales/a.csv", "sales/b.csv"]


def test_landing_again_is_a_no_op_and_other_bytes_a_resend(lakehouse: Lakehouse, lake: Lake, drop: Path) -> None:
    lakehouse("land", "sales", drop)
    before = list(lake.store.list("landing"))
    assert lakehouse("land", "sales", drop).out == (
        "2011/a.csv  (known, unchanged)\na.csv  (known, unchanged)\nb.csv  (known, unchanged)\n"
    )
    assert list(lake.store.list("landing")) == before
    (drop / "a.csv").write_bytes(sales_csv(9))
    result = lakehouse("land", "sales", drop / "a.csv", drop / "b.csv")
    assert (result.code, result.out) == (0, "a.csv  (resend)\nb.csv  (known, unchanged)\n")
    assert lake.store.read("landing/sales/a.csv") == sales_csv(9)


def test_two_files_of_one_key_are_refused_before_any_is_landed(lakehouse: Lakehouse, lake: Lake, drop: Path) -> None:
    result = lakehouse("land", "sales", drop / "b.csv", drop / "a.csv", drop / "2011" / "a.csv")
    assert (result.code, result.out) == (1, "")
    assert result.err == (
        "lakehouse: two of the files have the key 'a.csv'. Nothing was landed; land their common folder instead.\n"
    )
    assert _keys(lake) == []


def test_a_missing_file_is_refused_before_any_is_landed(lakehouse: Lakehouse, lake: Lake, drop: Path) -> None:
    result = lakehouse("land", "sales", drop / "b.csv", drop / "gone.csv")
    assert (result.code, result.out) == (1, "")
    assert result.err == f"lakehouse: {drop / 'gone.csv'}: no such file or folder. Nothing of it was landed.\n"
    assert _keys(lake) == []


def test_an_unknown_feed_is_answered_with_the_known_ones(lakehouse: Lakehouse, lake: Lake, drop: Path) -> None:
    result = lakehouse("land", "sale", drop)
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("lakehouse: there is no feed 'sale'; declared are: ")
    assert result.err.count("\n") == 1
    assert _keys(lake) == []


def test_a_folder_with_a_hidden_folder_is_landed_without_it(lakehouse: Lakehouse, drop: Path) -> None:
    (drop / ".git").mkdir()
    (drop / ".git" / "config").write_text("x")
    result = lakehouse("land", "sales", drop)
    assert (result.code, result.out) == (0, "2011/a.csv\na.csv\nb.csv\n")


@pytest.mark.parametrize("name", ["a b.csv", "é.csv", "[x].csv", "a+b%20.csv"])
def test_the_key_is_printed_as_it_is(lakehouse: Lakehouse, lake: Lake, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(sales_csv())
    assert lakehouse("land", "sales", tmp_path / name).out == f"{name}\n"
    assert _keys(lake) == [f"sales/{name}"]
