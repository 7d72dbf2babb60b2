"""A newcomer follows the README's "Add your own feed": one new module, one SQL file, no list touched elsewhere."""

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lakehouse_assets.settings import PROJECT
from lakehouse_assets_tests.conftest import SHARED

pytestmark = pytest.mark.slow
BESTBUY = SHARED / "data" / "bestbuy"
MAIN = "from lakehouse_assets.cli.main import main; main()"
Run = Callable[..., str]


@pytest.fixture
def stores() -> Path:
    path = BESTBUY / "stores.json"
    if not path.exists():
        pytest.skip(f"the real data is not at {path}")
    return path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the package's source."""
    copy = tmp_path / "project"
    copy.mkdir()
    shutil.copytree(
        PROJECT / "lakehouse_assets", copy / "lakehouse_assets", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(PROJECT / "pyproject.toml", copy)
    return copy


@pytest.fixture
def python(project: Path, tmp_path: Path) -> Run:
    """Run Python with the copy of the package, on a fresh lake; return what it printed."""

    def run(code: str, *arguments: str | Path) -> str:
        environment = os.environ | {
            "PYTHONPATH": str(project), "LAKEHOUSE_ROOT": str(tmp_path / "lake"), "PYTHONDONTWRITEBYTECODE": "1",
        }  # fmt: skip
        ran = subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)],
            env=environment, cwd=project, capture_output=True, text=True, timeout=180, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    return run


def files(project: Path) -> dict[str, bytes]:
    return {str(p.relative_to(project)): p.read_bytes() for p in project.rglob("*") if p.is_file()}


def recipe() -> tuple[str, str]:
    """Return the model and the SQL that the README's section tells to write."""
    section = (PROJECT / "README.md").read_text().split("## Add your own feed", 1)[1].split("\n## ", 1)[0]
    model, sql = re.search(r"```python\n(.*?)```", section, re.DOTALL), re.search(r"put `(SELECT .*?)` into", section)
    assert model
    assert sql
    return textwrap.dedent(model[1]), sql[1]


def test_one_module_and_one_sql_file_make_a_feed_and_a_gold_table(project: Path, python: Run, stores: Path) -> None:
    before = files(project)
    model, sql = recipe()
    silver = project / "lakehouse_assets/defs/silver"
    silver.joinpath("stores.py").write_text(python(MAIN, "discover", stores) + "\n" + model)
    silver.joinpath("stores_by_state.sql").write_text(sql)

    assert python(MAIN, "land", "stores", stores).strip() == "stores.json"
    python(MAIN, "run")

    assert_same_stores(python, stores)
    states = python(MAIN, "query", "FROM gold.stores_by_state", "--format", "json")
    expected = Counter(record["state"] for record in json.loads(stores.read_text()))
    assert {row["state"]: row["stores"] for row in json.loads(states)} == expected
    after = files(project)
    assert {name for name in after if after[name] != before.get(name)} == {
        "lakehouse_assets/defs/silver/stores.py", "lakehouse_assets/defs/silver/stores_by_state.sql",
    }  # fmt: skip
    assert before.keys() <= after.keys()


def assert_same_stores(python: Run, stores: Path) -> None:
    landed = {record["id"]: record for record in json.loads(stores.read_text())}
    found = json.loads(python(MAIN, "query", "SELECT * FROM silver.stores", "--format", "json"))
    assert len(found) == len(landed) == 1565
    for row in found:
        record = landed[row["id"]]
        for name in ("type", "name", "city", "state", "zip"):
            assert row[name] == record[name].strip(), (row["id"], name)
        for name in ("location", "services"):
            assert json.loads(row[name]) == record[name], (row["id"], name)


def test_all_else_follows_from_the_module(project: Path, python: Run, stores: Path) -> None:
    model, sql = recipe()
    silver = project / "lakehouse_assets/defs/silver"
    silver.joinpath("stores.py").write_text(python(MAIN, "discover", stores) + "\n" + model)
    silver.joinpath("stores_by_state.sql").write_text(sql)

    assets = python(
        "from lakehouse_assets.definitions import defs\n"
        "graph = defs.resolve_asset_graph()\n"
        "print(*(key.to_user_string() for key in graph.get_all_asset_keys()))\n"
        "print(*(f'{key.asset_key.to_user_string()}:{key.name}' for key in graph.asset_check_keys))"
    )
    dictionary = python(MAIN, "dictionary")

    for table in ("landing/stores", "bronze/stores", "silver/stores", "quarantine/stores", "gold/stores_by_state"):
        assert table in assets.split()
    for check in ("silver/stores:gate", "silver/stores:accounting", "silver/stores:id_readable"):
        assert check in assets.split()
    for name in ("silver.stores", "gold.stores_by_state", "Stores in it."):
        assert name in dictionary


def test_nested_records_with_optional_fields_are_discovered_too(project: Path, python: Run) -> None:
    categories = BESTBUY / "categories.json"
    if not categories.exists():
        pytest.skip(f"the real data is not at {categories}")
    module = project / "lakehouse_assets/defs/silver/categories.py"
    module.write_text(python(MAIN, "discover", categories))
    python(MAIN, "land", "categories", categories)
    python(MAIN, "run")

    records: list[dict[str, Any]] = json.loads(categories.read_text())
    distinct = {json.dumps(record, sort_keys=True) for record in records}
    sql = """SELECT (SELECT count(*) FROM silver.categories) AS published,
                    (SELECT count(*) FROM quarantine.categories) AS refused,
                    (SELECT sum(duplicates) FROM ops.accounting) AS duplicates"""
    assert json.loads(python(MAIN, "query", sql, "--format", "json")) == [
        {"published": len(distinct), "refused": 0, "duplicates": len(records) - len(distinct)}
    ]
