"""The package that declares the lake is walked; a name that is none is answered by what to do."""

import subprocess
import sys
from pathlib import Path

import pytest

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


def test_a_module_that_lacks_something_else_says_so_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lacking.py").write_text("import no_such_library")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModuleNotFoundError, match="no_such_library"):
        declared("lacking", only_tables=True)


def test_reading_the_tables_of_this_project_imports_no_dagster() -> None:
    code = (
        "import sys; from lakehouse_assets.contracts.registry import registry\n"
        "registry(); print('dagster' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
