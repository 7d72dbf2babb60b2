"""Commands answer on standard output, complain in one line on standard error, and end with the right code."""

import csv
import io
import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

import lakehouse_assets
from lakehouse_assets.context import Lake
from lakehouse_assets_tests import retail
from lakehouse_assets_tests.conftest import Cli, Lakehouse, copied, lake_at
from lakehouse_assets_tests.retail import DAY, day, land, line, sales_csv

pytestmark = pytest.mark.usefixtures("every_table")

BAD: dict[str, tuple[list[str], str]] = {
    "an unknown command": (["frobnicate"], "frobnicate"),
    "an unknown option": (["query", "SELECT 1", "--frob"], "--frob"),
    "a missing argument": (["query"], "'sql'"),
    "a missing feed": (["land"], "'feed'"),
    "a missing path": (["land", "sales"], "'paths'"),
    "an unknown format": (["query", "SELECT 1", "--format", "xml"], "xml"),
    "a number that is none": (["demo", "--days", "many"], "'--days'"),
    "a number too small": (["demo", "--days", "0"], "'--days'"),
    "an argument too many": (["tables", "extra"], "extra"),
}


@pytest.mark.parametrize(("arguments", "culprit"), BAD.values(), ids=BAD.keys())
def test_a_bad_argument_is_one_line(lakehouse: Lakehouse, lake: Lake, arguments: list[str], culprit: str) -> None:
    result = lakehouse(*arguments)
    assert (result.code, result.out) == (2, "")
    assert result.err.count("\n") == 1
    assert result.err.startswith("lakehouse: ")
    assert culprit in result.err
    assert list(lake.store.list("")) == []


REFUSED: dict[str, tuple[list[str], str]] = {
    "two statements": (["query", "SELECT 1; SELECT 2"], "the SQL has 2 statements. Nothing was run; write one query"),
    "a statement that is no query": (["query", "CREATE TABLE t (i int)"], "CREATE is not a query. Nothing was run."),
    "a setting": (["query", "SET threads = 1"], "SET is not a query. Nothing was run. A query reads the lake's tables"),
    "a comment": (["query", "/* nothing */"], "the SQL is empty; write a query such as"),
    "a file": (
        ["query", "FROM read_csv('/etc/hosts')"],
        "operations are disabled by configuration. A query reads the lake's tables only; `--unsafe` lifts this.",
    ),
    "bad SQL": (["query", "SELEC 1"], "Parser Error"),
    "an unknown table": (["query", "SELECT * FROM gold.salez"], "salez"),
    "a file that is not there": (["discover", "/gone.csv"], "/gone.csv: no such file. Nothing was discovered."),
}


@pytest.mark.parametrize(("arguments", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_a_refused_request_is_one_line(lakehouse: Lakehouse, arguments: list[str], reason: str) -> None:
    result = lakehouse(*arguments)
    assert (result.code, result.out) == (1, "")
    assert result.err.count("\n") == 1
    assert result.err.startswith("lakehouse: ")
    assert reason in result.err


SETTINGS = {
    "LAKEHOUSE_ROOT": "gs://bucket/lake",
    "LAKEHOUSE_START_DATE": "soon",
    "LAKEHOUSE_PUBLISH_BATCH_ROWS": "0",
    "LAKEHOUSE_INGEST_BATCH_BYTES": "much",
}


@pytest.mark.parametrize(("name", "value"), SETTINGS.items(), ids=SETTINGS.keys())
def test_a_bad_setting_is_one_line_that_names_it(
    lakehouse: Lakehouse, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    result = lakehouse("tables")
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith(f"lakehouse: {name}='{value}': ")
    assert "Nothing was read or written; " in result.err
    assert result.err.count("\n") == 1


def test_a_variable_that_is_nearly_a_setting_is_told_and_others_are_left_alone(
    lakehouse: Lakehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LAKEHOUSE_ROTO", "LAKEHOUSE_API_KEY", "MY_ROOT"):
        monkeypatch.setenv(name, "x")
    result = lakehouse("query", "SELECT 1 AS one", "--format", "csv")
    assert (result.code, result.out) == (0, "one\n1\n")
    assert result.err == (
        "lakehouse: LAKEHOUSE_ROTO is no setting, and nothing reads it; perhaps LAKEHOUSE_ROOT is meant.\n"
    )


def test_without_arguments_the_commands_are_listed(lakehouse: Lakehouse) -> None:
    result = lakehouse()
    for command in ("land", "run", "query", "tables", "status", "discover", "dictionary", "demo", "dev"):
        assert f" {command} " in result.out + result.err


def test_help_of_a_command_ends_with_zero(lakehouse: Lakehouse) -> None:
    result = lakehouse("query", "--help")
    assert result.code == 0
    assert "--format" in result.out


@pytest.fixture(scope="module")
def filled_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake with a date in gold. Read only."""
    lake = lake_at(str(tmp_path_factory.mktemp("filled") / "lake"))
    land(lake, "x.csv", sales_csv([*day(count=20), line(Quantity="x")]))
    retail.run(lake)
    return lake


@pytest.fixture
def filled(filled_lake: Lake, lake: Lake) -> None:
    """The test's lake is a copy of that one."""
    copied(filled_lake, Path(lake.settings.root))


@pytest.mark.slow(covered=True)
@pytest.mark.usefixtures("filled")
def test_query_answers_in_json_csv_and_a_table_with_nothing_else(lakehouse: Lakehouse) -> None:
    sql = "SELECT dt, sales, units FROM gold.daily_sales"
    as_json = lakehouse("query", sql, "--format", "json")
    assert (as_json.code, as_json.err) == (0, "")
    assert json.loads(as_json.out, parse_float=Decimal) == [{"dt": DAY, "sales": Decimal("535.5000"), "units": 210}]
    as_csv = lakehouse("query", sql, "--format", "csv")
    assert list(csv.reader(io.StringIO(as_csv.out))) == [["dt", "sales", "units"], [DAY, "535.5000", "210"]]
    table = lakehouse("query", sql)
    assert table.out.split()[-3:] == [DAY, "535.5000", "210"]
    assert table.err == ""


@pytest.mark.slow
def test_query_of_a_table_not_yet_written_is_empty(lakehouse: Lakehouse, lake: Lake) -> None:
    for table in lake.registry.tables():
        result = lakehouse("query", f"FROM {table.full_name}", "--format", "json")
        assert (result.code, result.out.strip()) == (0, "[]")


@pytest.mark.usefixtures("filled")
def test_tables_lists_every_table_with_its_rows(lakehouse: Lakehouse, lake: Lake) -> None:
    result = lakehouse("tables")
    rows = {cells[0]: cells[1:] for text in result.out.splitlines() if (cells := text.split()) and "." in cells[0]}
    assert {table.full_name for table in lake.registry.tables()} < rows.keys()
    assert rows["silver.sales"][:2] == ["20", "1"]
    assert rows["bronze.sales"][0] == "21"
    assert rows["quarantine.sales"][0] == "1"


def test_tables_of_a_new_lake_says_never(lakehouse: Lakehouse) -> None:
    result = lakehouse("tables")
    assert result.code == 0
    assert "never" in result.out


@pytest.mark.slow(covered=True)
def test_status_says_what_is_pending_held_and_rejected(lakehouse: Lakehouse, lake: Lake) -> None:
    assert lakehouse("status").out == "Nothing is pending, held, rejected or failed.\n"
    land(lake, "x.csv", sales_csv([*day(count=2), line(Quantity="x")]))
    land(lake, "[bad].csv", b"")
    assert "sales: x.csv" in lakehouse("status").out
    retail.run(lake)
    result = lakehouse("status")
    assert result.code == 0
    assert f"silver.sales {DAY}: quality score 0.6667 is below the gate 0.9500" in result.out
    assert "sales: [bad].csv: " in result.out
    assert "the object is empty; land it again" in result.out


def test_discover_prints_a_module_that_compiles(lakehouse: Lakehouse, tmp_path: Path) -> None:
    file = tmp_path / "till sales.csv"
    file.write_bytes(sales_csv())
    result = lakehouse("discover", file)
    assert (result.code, result.err) == (0, "")
    space: dict[str, object] = {}
    exec(compile(result.out, "drafted.py", "exec"), space)  # noqa: S102 - that it runs is what is tested
    assert getattr(space["FEED"], "name", None) == "till_sales"
    named = lakehouse("discover", file, "--feed", "orders")
    assert 'name="orders"' in named.out


def test_dictionary_prints_every_table_as_markdown(lakehouse: Lakehouse, lake: Lake) -> None:
    result = lakehouse("dictionary")
    assert (result.code, result.err) == (0, "")
    headings = [text.removeprefix("## ") for text in result.out.splitlines() if text.startswith("## ")]
    assert {table.full_name for table in lake.registry.tables()} | {"ops.ledger", "ops.accounting"} <= set(headings)
    assert len(headings) == len(set(headings))


def test_commands_that_only_look_create_nothing(lakehouse: Lakehouse, lake: Lake) -> None:
    for arguments in (["tables"], ["status"], ["query", "FROM silver.sales"], ["dictionary"]):
        assert lakehouse(*arguments).code == 0
    assert not Path(lake.store.root).exists()


@pytest.mark.slow
def test_a_run_says_what_it_held_and_rejected_and_is_idle_until_something_lands(
    cli_process: Cli, lakehouse: Lakehouse, lake: Lake
) -> None:
    land(lake, "x.csv", sales_csv([*day(count=20), line(Quantity="x"), *day("2011-03-02", 1)]))
    land(lake, "y.csv", sales_csv([line(InvoiceDate="2011-03-02 09:00:00", Quantity="x")]))
    land(lake, "z.csv", b"")
    first = cli_process(lake, "run")
    assert (first.returncode, "Traceback" in first.stdout + first.stderr) == (1, False)
    assert "silver.sales 2011-03-02: quality score 0.5000 is below the gate 0.9500" in first.stdout
    assert "sales: z.csv: " in first.stdout
    idle = cli_process(lake, "run")
    assert (idle.returncode, idle.stdout.strip()) == (0, "Nothing is pending: every table is up to date.")
    status = lakehouse("status").out
    assert "silver.sales 2011-03-02: quality score 0.5000" in status
    assert "sales: z.csv: " in status

    land(lake, "y.csv", sales_csv([line(InvoiceDate="2011-03-02 09:00:00", Quantity="4")]))
    assert cli_process(lake, "run").returncode == 0
    answer = lakehouse("query", "SELECT dt, units FROM gold.daily_sales ORDER BY dt", "--format", "csv")
    assert answer.out == "dt,units\n2011-03-01,210\n2011-03-02,5\n"


@pytest.mark.slow
def test_a_reader_that_closes_the_pipe_is_no_traceback(lake: Lake) -> None:
    lakehouse = Path(sys.executable).with_name("lakehouse")
    shell = f"{lakehouse} query 'FROM range(200000)' --format csv | head -1"
    environment = os.environ | {"LAKEHOUSE_ROOT": lake.settings.root}
    done = subprocess.run(
        ["bash", "-c", shell], env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.stdout == "range\n"
    assert done.stderr == ""


def test_a_query_writes_no_file_unless_it_is_said_to_be_unsafe(lakehouse: Lakehouse, tmp_path: Path) -> None:
    sql = f"COPY (SELECT 1 AS a) TO '{tmp_path}/out.csv'"
    refused = lakehouse("query", sql)
    assert (refused.code, refused.out, refused.err.count("\n")) == (1, "", 1)
    assert "A query reads the lake's tables only; `--unsafe` lifts this." in refused.err
    assert not (tmp_path / "out.csv").exists()
    assert lakehouse("query", sql, "--unsafe").code == 0
    assert (tmp_path / "out.csv").read_text() == "a\n1\n"


def test_a_first_date_by_variable_is_refused_unless_it_is_the_declared_one(
    lakehouse: Lakehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKEHOUSE_START_DATE", "2010-06-01")
    refused = lakehouse("status")
    assert (refused.code, refused.out, refused.err.count("\n")) == (1, "", 1)
    assert "put start_date=dt.date(2010, 6, 1) into its declaration if that is meant, or unset" in refused.err
    monkeypatch.setenv("LAKEHOUSE_START_DATE", "2009-01-01")
    assert lakehouse("status").code == 0


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 AS a;",
        "FROM silver.sales LIMIT 1",
        "WITH a AS (SELECT 1) FROM a",
        "DESCRIBE silver.sales",
        "EXPLAIN SELECT 1",
        "SUMMARIZE gold.daily_sales",
        "PIVOT silver.sales ON country USING sum(quantity)",
    ],
)
def test_whatever_answers_with_rows_is_a_query(lakehouse: Lakehouse, sql: str) -> None:
    result = lakehouse("query", sql, "--format", "json")
    assert (result.code, result.err) == (0, "")
    assert json.loads(result.out)


@pytest.mark.slow(covered=True)
def test_unsafe_takes_several_statements_and_shows_the_answer_of_the_last(lakehouse: Lakehouse) -> None:
    several = "CREATE TABLE t AS SELECT 7 AS seven; SELECT 1 AS one; FROM t"
    assert lakehouse("query", several, "--unsafe", "--format", "csv").out == "seven\n7\n"


def test_dev_starts_dagster_with_the_workspace_of_the_package(
    lakehouse: Lakehouse, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda _, command: started.append(command))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    assert lakehouse("dev", "--port", "4000").code == 0
    [command] = started
    assert command[1:4] == ["-m", "dagster", "dev"]
    assert command[-2:] == ["-p", "4000"]
    workspace = Path(command[command.index("-w") + 1])
    assert workspace.parent == Path(lakehouse_assets.__file__).parent
    assert "module_name: lakehouse_assets.definitions" in workspace.read_text()
    assert Path.cwd() == tmp_path  # a relative LAKEHOUSE_ROOT means the same folder to Dagster
