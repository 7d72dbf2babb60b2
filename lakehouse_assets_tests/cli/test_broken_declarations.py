"""A lake of which one module is broken: the rest runs, and every command that people look at says so."""

import sys
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.registry import registry_of
from lakehouse_assets.orchestration.location import code_location
from lakehouse_assets.query import sql as answers
from lakehouse_assets.settings import Settings
from lakehouse_assets.storage.stores import store_for
from lakehouse_assets_tests.conftest import Lakehouse
from lakehouse_assets_tests.contracts.test_broken import MODEL, feed

pytestmark = pytest.mark.filterwarnings("ignore::dagster.BetaWarning")
FILES = {
    "good.py": feed("good"),
    "bad.py": feed("bad"),
    "of_good.py": MODEL.format(model="of_good"),
    "of_good.sql": "SELECT count(*) AS n FROM silver.good",
    "of_bad.py": MODEL.format(model="of_bad"),
    "of_bad.sql": "SELECT count(*) AS n FROM silver.bad",
}
Load = Callable[[], Lake]


@pytest.fixture
def package(package: Path) -> Path:
    """The folder of the package that declares the lake, one of whose modules is broken."""
    for name, text in FILES.items():
        (package / name).write_text(text)
    return package


@pytest.fixture
def load(lake: Lake, package: Path) -> Load:
    """Read the declarations again, as a process does that starts after a change."""

    def read() -> Lake:
        registry_of.cache_clear()
        for name in [name for name in sys.modules if name.startswith(package.name)]:
            del sys.modules[name]
        settings = Settings(root=lake.settings.root, definitions=package.name)
        return Lake(store_for(settings.root), settings, registry_of(package.name))

    return read


@pytest.mark.slow
def test_the_rest_of_the_lake_goes_on_and_the_broken_module_is_told(
    load: Load, package: Path, lakehouse: Lakehouse, tmp_path: Path
) -> None:
    for name in ("good", "bad"):
        (tmp_path / f"{name}.csv").write_text("name\na\n")
        load()
        assert lakehouse("land", name, tmp_path / f"{name}.csv").code == 0
    assert lakehouse("run").code == 0
    before = answers.run(load(), "SELECT n FROM gold.of_bad").rows

    (package / "bad.py").write_text(feed("bad") + "\nX = (\n")
    for name in ("good", "bad"):
        (tmp_path / f"{name}.csv").write_text("name\na\nb\n")
    load()
    assert lakehouse("land", "good", tmp_path / "good.csv").code == 0
    told = "SyntaxError: '(' was never closed"
    for command in ("plan", "status", "run", "run", "verify"):
        done = lakehouse(command)
        assert done.code == 1, command
        assert done.out.count(told) == 1, command
        assert "bad.py:10: " in done.out
        assert "Traceback" not in done.out + done.err
        assert "failed" not in done.out.replace("failed: none", "")
    assert answers.run(load(), "SELECT n FROM gold.of_good").rows == [(2,)]
    refused = lakehouse("land", "bad", tmp_path / "bad.csv")
    assert refused.code == 1
    assert "declared are: good. Some cannot be loaded: see `lakehouse status`." in refused.err
    erasing = lakehouse("forget", "good", "name=a", "--dry-run")
    assert erasing.code == 1
    assert "Nothing was erased: tables that cannot be loaded would keep the person." in erasing.err
    assert lakehouse("query", "FROM gold.of_good").code == 0
    catalog = load().store.uri("catalog.duckdb")
    with duckdb.connect(catalog, read_only=True) as connection:
        assert connection.sql("SELECT n FROM gold.of_bad").fetchall() == before
        assert connection.sql("SELECT n FROM gold.of_good").fetchall() == [(2,)]

    (package / "bad.py").write_text(feed("bad"))
    load()
    assert lakehouse("status").code == 0
    assert answers.run(load(), "SELECT n FROM gold.of_bad").rows == before
    assert lakehouse("run").code == 0
    assert answers.run(load(), "SELECT n FROM gold.of_bad").rows == before


def test_in_dagster_the_rest_loads_and_what_is_broken_is_an_asset_that_says_why(
    load: Load, package: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (package / "bad.py").write_text("import no_such_library")
    (package / "jobs").mkdir()
    (package / "jobs" / "__init__.py").write_text("HOLDS_TABLES = False")
    (package / "jobs" / "late.py").write_text("1 / 0")
    graph = code_location(load()).get_repository_def().asset_graph
    assert {"silver/good", "gold/of_good"} <= {key.to_user_string() for key in graph.executable_asset_keys}
    nodes = [graph.get(key) for key in graph.get_all_asset_keys()]
    shown = {node.key.to_user_string(): node for node in nodes if node.group_name == "not_loaded"}
    assert set(shown) == {f"not_loaded/{package.name}_bad", f"not_loaded/{package.name}_jobs_late", "gold/of_bad"}
    assert "No module named 'no_such_library'" in (shown[f"not_loaded/{package.name}_bad"].description or "")
    assert shown["gold/of_bad"].key not in graph.executable_asset_keys
    assert "No module named 'no_such_library'" in caplog.text
    assert isinstance(shown["gold/of_bad"].metadata["place"], dg.MetadataValue | str)


def test_nothing_declared_is_said_as_such(load: Load, package: Path, lakehouse: Lakehouse, tmp_path: Path) -> None:
    for file in package.iterdir():
        if file.name != "__init__.py":
            file.unlink()
    load()
    (tmp_path / "x.csv").write_text("name\na\n")
    refused = lakehouse("land", "good", tmp_path / "x.csv")
    assert "there is no feed 'good'; nothing is declared (see LAKEHOUSE_DEFINITIONS)." in refused.err
    drafted = " ".join(lakehouse("discover", tmp_path / "x.csv").out.split())
    assert f"{package.name}/silver/x.py: nothing else" in drafted.replace("# ", "")


@pytest.mark.slow
def test_nothing_that_can_be_loaded_is_told_and_damages_nothing(
    load: Load,
    package: Path,
    lakehouse: Lakehouse,
    tmp_path: Path,
) -> None:
    (tmp_path / "bad.csv").write_text("name\na\n")
    load()
    assert lakehouse("land", "bad", tmp_path / "bad.csv").code == 0
    assert lakehouse("run").code == 0
    texts = {file: file.read_text() for file in package.iterdir() if file.name != "__init__.py"}
    for file in texts:
        file.write_text("X = (") if file.suffix == ".py" else file.unlink()
    load()
    codes = {"plan": 1, "status": 1, "run": 1, "verify": 1, "tables": 0, "dictionary": 0, "maintain": 0}
    for command, code in codes.items():
        done = lakehouse(command)
        assert done.code == code, (command, done)
        assert done.out.count("SyntaxError") == (4 if code else 0), (command, done.out)
    assert lakehouse("query", "FROM ops.ledger").code == 0
    assert lakehouse("query", "FROM ops.decisions").code == 0
    for file, text in texts.items():
        file.write_text(text)
    load()
    done = lakehouse("verify")
    assert (done.code, done.out) == (0, "disagreements: none\n")
    assert lakehouse("query", "SELECT n FROM gold.of_bad", "--format", "csv").out == "n\n1\n"
