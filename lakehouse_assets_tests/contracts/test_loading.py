"""The package that declares the lake is walked; a name that is none is answered by what to do."""

import subprocess
import sys
from pathlib import Path

import pytest

from lakehouse_assets.contracts.broken import Broken
from lakehouse_assets.contracts.declare import ContractError
from lakehouse_assets.contracts.loading import declared


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package with a module at its root, one two folders deep, and a package without tables."""
    name = f"lake_{tmp_path.name.replace('-', '_')}"
    for module, text in {
        "__init__": "TOP = 'in the package'",
        "one": "ONE = 'at the root'",
        "deep/__init__": "",
        "deep/deeper/__init__": "",
        "deep/deeper/two": f"from {name}.one import ONE\nTWO = 'two folders deep'",
        "jobs/__init__": "HOLDS_TABLES = False",
        "jobs/three": "THREE = 'a job'",
    }.items():
        file = tmp_path / name / f"{module}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


def texts(objects: list[object]) -> list[str]:
    return sorted(value for value in objects if isinstance(value, str) and " " in value)


def test_every_module_of_the_package_is_found_and_each_object_once(package: str) -> None:
    found = texts(declared(package, only_tables=False))
    assert found == ["a job", "at the root", "in the package", "two folders deep"]


def test_packages_without_tables_are_not_imported_for_the_tables(package: str) -> None:
    assert texts(declared(package, only_tables=True)) == ["at the root", "in the package", "two folders deep"]
    assert f"{package}.jobs.three" not in sys.modules


@pytest.mark.parametrize("name", ["no_such_package", "lakehouse_assets.no_such_package"])
def test_a_package_that_is_not_there_is_named_with_its_setting(name: str) -> None:
    with pytest.raises(ContractError, match=f"LAKEHOUSE_DEFINITIONS='{name}': there is no such Python package"):
        declared(name, only_tables=True)


def test_a_package_that_cannot_be_loaded_itself_is_named_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lacking.py").write_text("X = 1\nimport no_such_library")
    monkeypatch.syspath_prepend(str(tmp_path))
    [broken] = declared("lacking", only_tables=True)
    assert isinstance(broken, Broken)
    assert (broken.place, broken.modules) == (f"{tmp_path}/lacking.py:2", ("lacking",))
    assert broken.what == "ModuleNotFoundError: No module named 'no_such_library'"


def test_a_folder_without_init_is_a_package(package: str, tmp_path: Path) -> None:
    folder = tmp_path / package / "bare" / "below"
    folder.mkdir(parents=True)
    (folder / "four.py").write_text("FOUR = 'in a bare folder'")
    assert "in a bare folder" in texts(declared(package, only_tables=True))


def test_a_broken_module_is_told_once_with_those_that_import_it_and_the_others_load(
    package: str, tmp_path: Path
) -> None:
    (tmp_path / package / "bad.py").write_text("A = 1\n\nB = (\n")
    (tmp_path / package / "bad_too.py").write_text(f"from {package}.bad import A")
    (tmp_path / package / "fails.py").write_text("def made():\n    raise ValueError('two\\nlines')\n\nX = made()")
    found = declared(package, only_tables=True)
    broken = [value for value in found if isinstance(value, Broken)]
    assert [(Path(one.place).name, one.modules) for one in broken] == [
        ("bad.py:3", (f"{package}.bad", f"{package}.bad_too")),
        ("fails.py:2", (f"{package}.fails",)),
    ]
    assert broken[1].what == "ValueError: two lines"
    assert texts(found) == ["at the root", "in the package", "two folders deep"]


@pytest.mark.slow
def test_reading_the_tables_of_this_project_imports_no_dagster() -> None:
    code = (
        "import sys; from lakehouse_assets.contracts.registry import registry\n"
        "registry(); print('dagster' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
