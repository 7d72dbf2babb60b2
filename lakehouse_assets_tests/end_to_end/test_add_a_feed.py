"""A newcomer follows the README's "Add your own": a feed, a SQL model and a Python asset, no list touched elsewhere."""

import json
import os
import re
import shutil
import sys
import textwrap
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pytest

from lakehouse_assets.lake_settings import PROJECT
from lakehouse_assets_tests.conftest import SHARED
from lakehouse_assets_tests.forked import Forked, with_source_at
from lakehouse_assets_tests.retail import sales_csv

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("every_table")]
BESTBUY = SHARED / "data" / "bestbuy"
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
def lakehouse_at(project: Path, tmp_path: Path) -> Callable[[str], Run]:
    """Return a function that gives a `Run` on the lake at a root, with the copy of the package."""

    def at(root: str) -> Run:
        def run(*arguments: str | Path, program: Callable[[], object] | None = None) -> str:
            home = str(tmp_path / "home") if root.startswith("s3:") else ""
            env = os.environ | {"LAKEHOUSE_ROOT": root, "DAGSTER_HOME": home}
            begin = partial(with_source_at, project)
            ran = Forked(*map(str, arguments), env=env, program=program, before=begin).finish(180)
            assert ran.returncode == 0, ran.stdout + ran.stderr
            return ran.stdout

        return run

    return at


@pytest.fixture
def lakehouse(lakehouse_at: Callable[[str], Run], tmp_path: Path) -> Run:
    """Run `lakehouse` with the copy of the package, on a fresh lake in a folder; return what it printed."""
    return lakehouse_at(str(tmp_path / "lake"))


def files(project: Path) -> dict[str, bytes]:
    return {str(p.relative_to(project)): p.read_bytes() for p in project.rglob("*") if p.is_file()}


class Recipe(NamedTuple):
    """The code that the README's section tells to write."""

    model: str
    sql: str
    asset: str

    @classmethod
    def of_readme(cls) -> "Recipe":
        section = (PROJECT / "README.md").read_text().split("## Add your own", 1)[1].split("\n## ", 1)[0]
        model, asset = (textwrap.dedent(block) for block in re.findall(r" *```python\n(.*?) *```", section, re.DOTALL))
        sql = re.search(r"put `(SELECT .*?)` into", section)
        assert sql
        return cls(model, sql[1], asset)

    def write(self, project: Path, lakehouse: Run, stores: Path) -> None:
        defs = project / "lakehouse_assets/defs"
        defs.joinpath("silver/stores.py").write_text(lakehouse("discover", stores) + "\n" + self.model)
        defs.joinpath("silver/stores_by_state.sql").write_text(self.sql)
        defs.joinpath("gold/store_types.py").write_text(self.asset)


NEW = {
    f"lakehouse_assets/defs/{name}"
    for name in ("silver/stores.py", "silver/stores_by_state.sql", "gold/store_types.py")
}


@pytest.mark.parametrize("place", ["folder", "s3"])
def test_a_feed_a_sql_model_and_a_python_asset_follow_from_their_modules(
    place: str, project: Path, lakehouse_at: Callable[[str], Run], stores: Path, request: pytest.FixtureRequest
) -> None:
    before = files(project)
    root = request.getfixturevalue("s3_lake").settings.root if place == "s3" else str(project.parent / "lake")
    lakehouse = lakehouse_at(root)
    Recipe.of_readme().write(project, lakehouse, stores)

    assert lakehouse("land", "stores", stores).strip() == "stores.json"
    lakehouse("run")

    assert_same_stores(lakehouse, stores)
    records = json.loads(stores.read_text())
    by_state = Counter(record["state"] for record in records)
    states = json.loads(lakehouse("query", "FROM gold.stores_by_state", "--format", "json"))
    assert {row["state"]: row["stores"] for row in states} == by_state
    types = json.loads(lakehouse("query", "FROM gold.store_types", "--format", "json"))
    assert {(row["state"], row["type"]): row["share"] for row in types} == {
        (state, kind): count / by_state[state]
        for (state, kind), count in Counter((record["state"], record["type"]) for record in records).items()
    }
    lakehouse("verify")
    assert "gold.store_types" in lakehouse("tables")
    assert "Nothing is pending" in lakehouse("run")
    after = files(project)
    assert {name for name in after if after[name] != before.get(name)} - {n for n in after if ".dagster/" in n} == NEW
    assert before.keys() <= after.keys()


def assert_same_stores(lakehouse: Run, stores: Path) -> None:
    landed = {record["id"]: record for record in json.loads(stores.read_text())}
    found = json.loads(lakehouse("query", "SELECT * FROM silver.stores", "--format", "json"))
    assert len(found) == len(landed) == 1565
    for row in found:
        record = landed[row["id"]]
        for name in ("type", "name", "city", "state", "zip"):
            assert row[name] == record[name].strip(), (row["id"], name)
        assert json.loads(row["services"]) == record["services"], row["id"]
        assert {name: row[f"location_{name}"] for name in record["location"]} == record["location"], row["id"]


def _print_assets_and_checks() -> None:
    from lakehouse_assets.definitions import defs

    graph = defs.resolve_asset_graph()
    keys = [key.to_user_string() for key in graph.get_all_asset_keys()]
    keys += [f"{key.asset_key.to_user_string()}:{key.name}" for key in graph.asset_check_keys]
    sys.stdout.write(" ".join(keys))


def test_all_else_follows_from_the_module(project: Path, lakehouse: Run, stores: Path) -> None:
    Recipe.of_readme().write(project, lakehouse, stores)

    assets = lakehouse(program=_print_assets_and_checks)
    dictionary = lakehouse("dictionary")

    for table in (
        "landing/stores",
        "bronze/stores",
        "silver/stores",
        "quarantine/stores",
        "gold/stores_by_state",
        "gold/store_types",
    ):
        assert table in assets.split()
    for check in (
        "silver/stores:gate",
        "silver/stores:accounting",
        "silver/stores:id_readable",
        "gold/store_types:share_max",
    ):
        assert check in assets.split()
    for name in ("silver.stores", "gold.stores_by_state", "Stores in it.", "gold.store_types", "Type of store."):
        assert name in dictionary


def test_nested_records_with_optional_fields_are_discovered_too(project: Path, lakehouse: Run) -> None:
    categories = BESTBUY / "categories.json"
    if not categories.exists():
        pytest.skip(f"the real data is not at {categories}")
    module = project / "lakehouse_assets/defs/silver/categories.py"
    module.write_text(lakehouse("discover", categories))
    lakehouse("land", "categories", categories)
    lakehouse("run")

    records: list[dict[str, Any]] = json.loads(categories.read_text())
    distinct = {json.dumps(record, sort_keys=True) for record in records}
    sql = """SELECT (SELECT count(*) FROM silver.categories) AS published,
                    (SELECT count(*) FROM quarantine.categories) AS refused,
                    (SELECT sum(duplicates) FROM ops.accounting) AS duplicates"""
    assert json.loads(lakehouse("query", sql, "--format", "json")) == [
        {"published": len(distinct), "refused": 0, "duplicates": len(records) - len(distinct)}
    ]


def test_dated_feeds_of_other_time_zones_run_beside_sales(project: Path, lakehouse: Run, tmp_path: Path) -> None:
    opened = tmp_path / "openings.json"
    opened.write_text(json.dumps([{"id": at, "name": 'a "b"', "opened": f"2011-01-0{at}"} for at in (1, 2, 2, 3)]))
    for name, zone in (("openings", "Asia/Tokyo"), ("closings", "America/New_York")):
        drafted = lakehouse("discover", opened, "--feed", name)
        assert 'business_date="opened"' in drafted
        assert 'time_zone="UTC"' in drafted
        module = project / f"lakehouse_assets/defs/silver/{name}.py"
        module.write_text(drafted.replace('time_zone="UTC"', f'time_zone="{zone}"'))
        lakehouse("land", name, opened)
    day = tmp_path / "day.csv"
    day.write_bytes(sales_csv(3))
    lakehouse("land", "sales", day)
    lakehouse("run")

    sql = """SELECT (SELECT count(*) FROM silver.openings) AS openings,
                    (SELECT count(*) FROM silver.closings) AS closings,
                    (SELECT sum(lines) FROM gold.daily_sales) AS sales"""
    assert json.loads(lakehouse("query", sql, "--format", "json")) == [{"openings": 3, "closings": 3, "sales": 3}]
    assert "Nothing is pending" in lakehouse("run")


def test_headers_that_are_no_sql_names_reach_every_table_and_the_catalog(
    project: Path, lakehouse: Run, tmp_path: Path
) -> None:
    odd = tmp_path / "odd.csv"
    odd.write_text('class,2 x,A_B,"q""uo\\te",select,naïve\n1,2,3,q,y,z\n')
    module = project / "lakehouse_assets/defs/silver/odd.py"
    module.write_text(lakehouse("discover", odd))
    lakehouse("land", "odd", odd)
    lakehouse("run")
    with duckdb.connect(str(tmp_path / "lake/catalog.duckdb"), read_only=True) as catalog:
        assert catalog.sql("SELECT count(*) FROM silver.odd").fetchall() == [(1,)]
        assert 'q"uo\\te' in catalog.sql("FROM quarantine.odd").columns
