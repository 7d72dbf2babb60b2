"""One broken module or SQL file stops its own tables and what reads them; the other tables are declared as ever."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lakehouse_assets.contracts.registry import Registry, registry_of

FEED = """
import dataframely as dy
from lakehouse_assets.contracts.declare import Contract, Feed

class Record(Contract):
    name = dy.String(nullable=False, description="Name.")

{feed} = Feed(name="{feed}", contract=Record, description="X.", owner="team:x")
"""
MODEL = """
import dataframely as dy
from lakehouse_assets.contracts.declare import Model

class {model}(dy.Schema):
    n = dy.Int64(nullable=False, description="How many.")

MODEL = Model(name="{model}", schema={model}, description="X.", owner="team:x")
"""
Declare = Callable[[dict[str, str]], Registry]


def feed(name: str) -> str:
    return FEED.format(feed=name)


@pytest.fixture
def declare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Declare:
    """Write modules and SQL files, a model for each of these, and read the tables that they declare."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)

    def write(files: dict[str, str]) -> Registry:
        name = f"lake_{tmp_path.name.replace('-', '_')}"
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
        for file, text in files.items():
            (tmp_path / name / file).write_text(text, encoding="latin-1" if file == "latin.sql" else "utf-8")
            if file.endswith(".sql"):
                (tmp_path / name / f"{file[:-4]}.py").write_text(MODEL.format(model=file[:-4]))
        return registry_of(name)

    return write


BROKEN = {
    "a syntax error": ("FEED = Feed(\n", ":1: SyntaxError: '(' was never closed"),
    "an import error": ("import no_such_library", ":1: ModuleNotFoundError: No module named 'no_such_library'"),
    "a wrong owner": (
        feed("bad").replace("team:x", "x"), ":8: feed 'bad': owner='x' is neither a team nor an e-mail address; write"
    ),
    "a date as text": (
        feed("bad").replace("owner=", "start_date='2011-06-01', owner="), "write start_date=dt.date(2011, 6, 1)"
    ),
    "a contract that cannot be": (
        feed("bad").replace("name =", "dt ="), "Record.dt: the header 'dt' is a name of the lake's own"
    ),
    "columns that no table can hold": (
        feed("bad").replace("name =", "Name = dy.String()\n    name ="), "Record.name: only case tells it from Name, "
    ),
    "headers that no table can hold": (
        feed("bad")
        .replace("Contract, Feed", "Contract, Feed, source")
        .replace("name =", "other = dy.String(metadata=source('NAME'))\n    name ="),
        "only case tells the headers 'NAME' and 'name' apart, and no table holds both; put another name before",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "told"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_module_stops_its_tables_and_what_reads_them(declare: Declare, text: str, told: str) -> None:
    found = declare(
        {
            "good.py": feed("good"),
            "bad.py": text,
            "of_good.sql": "SELECT count(*) AS n FROM silver.good",
            "of_bad.sql": "SELECT count(*) AS n FROM silver.bad",
            "of_of_bad.sql": "SELECT sum(n) AS n FROM gold.of_bad",
            "of_all.sql": "SELECT count(*) AS n FROM quarantine.by_rule",
        }
    )
    assert (list(found.feeds), list(found.models)) == (["good"], ["of_good"])
    said = {broken.table: str(broken) for broken in found.broken}
    assert set(said) == {None, "gold.of_bad", "gold.of_of_bad", "gold.of_all"}
    assert "/bad.py" in said[None]
    assert told in said[None]
    assert "stay as they are, and so does every table that reads from there; everything else goes on" in said[None]
    assert "\n" not in said[None]
    assert said["gold.of_bad"].startswith("gold.of_bad stays as it is: of_bad.sql reads silver.bad")
    assert said["gold.of_all"].startswith("gold.of_all stays as it is: of_all.sql reads quarantine.by_rule, which")


def test_a_broken_sql_file_stops_its_table_and_what_reads_it(declare: Declare) -> None:
    found = declare(
        {
            "good.py": feed("good"),
            "of_good.sql": "SELECT count(*) AS n FROM quarantine.by_rule",
            "bad.sql": "SELECT count(*) AS n\nFROM silver.good\nWHER name = 'x' GROUP",
            "empty.sql": "\n",
            "two.sql": "SELECT count(*) AS n FROM silver.good; SELECT 7 AS n;",
            "ended.sql": "SELECT count(*) AS n FROM silver.good; -- one query\n;",
            "latin.sql": "SELECT count(*) AS n FROM silver.good -- für alle",
            "of_bad.sql": "SELECT sum(n) AS n FROM gold.bad",
        }
    )
    assert (list(found.feeds), sorted(found.models)) == (["good"], ["ended", "of_good"])
    said = {broken.table: str(broken) for broken in found.broken}
    assert set(said) == {"gold.bad", "gold.empty", "gold.two", "gold.latin", "gold.of_bad"}
    assert "/bad.sql:3: Parser Error: syntax error at or near" in said["gold.bad"]
    assert "empty.sql: the file holds no query. gold.empty stays as it is" in said["gold.empty"]
    assert "two.sql: the SQL cannot be read: it holds 2 statements, and a table follows from one" in said["gold.two"]
    assert "latin.sql is not UTF-8 at byte 42; save it as UTF-8. gold.latin stays as it is" in said["gold.latin"]


def test_of_two_declarations_of_one_name_neither_is_used_and_the_rest_is(declare: Declare) -> None:
    found = declare({"a.py": feed("twice"), "b.py": feed("twice"), "good.py": feed("good")})
    assert list(found.feeds) == ["good"]
    assert {broken.table for broken in found.broken} == {"silver.twice"}
    assert "'twice' is declared twice" in str(found.broken[0])


def test_models_in_a_circle_stop_themselves_alone(declare: Declare) -> None:
    found = declare(
        {
            "a.sql": "SELECT n FROM gold.b",
            "b.sql": "SELECT n FROM gold.a",
            "good.py": feed("good"),
            "c.sql": "SELECT count(*) AS n FROM silver.good",
        }
    )
    assert list(found.models) == ["c"]
    assert {broken.table for broken in found.broken} == {"gold.a", "gold.b"}
