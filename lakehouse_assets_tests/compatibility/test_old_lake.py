"""A lake that commit ee7af8b wrote, with every persisted format there is, opens in the code of now and goes on.

`build_old_lake.py` made `old_lake.tar.xz`, and in `old_lake.json` is what the code of then said of it: as it was
stored, after a run, and once its decisions were taken back. Everything here goes through the command line.
"""

import json
import re
import tarfile
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets_tests.conftest import Cli, lake_at

pytestmark = pytest.mark.slow
HERE = Path(__file__).resolve().parent
Answers = dict[str, list[dict[str, Any]]]
# What a run may write anew without changing what a table says.
BY_RUN = {
    "ops.ledger": {"object_token", "manifest_token", "ingested_at", "run_id", "dating", "reason"},
    "ops.accounting": {"run_id"},
    "bronze.sales": {"_ingested_at"},
}
BY_DECISION = BY_RUN | {"ops.decisions": {"id", "decided_at", "revokes"}}
# Columns that the lake's own tables got since, with what they say of records of the old code.
ADDED = {"ops.accounting": {"waiting": 0}}
NEW = "2024-03-07"
FOLLOWS_FROM_RECORDS = ("silver.", "quarantine.", "gold.")


@lru_cache
def recorded() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((HERE / "old_lake.json").read_text(encoding="utf-8"))
    return content


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A copy of the old lake: its files have other inodes and times, so its landing is looked at again."""
    with tarfile.open(HERE / "old_lake.tar.xz") as archive:
        archive.extractall(tmp_path / "lake", filter="data")
    return lake_at(str(tmp_path / "lake"))


def said(cli: Cli, lake: Lake, *arguments: str | Path, fine: Iterable[int] = (0,)) -> str:
    done = cli(lake, *arguments)
    assert done.returncode in fine, f"{arguments}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def run(cli: Cli, lake: Lake) -> None:
    """Process what is pending. A run that holds or rejects something ends with 1; nothing may fail."""
    assert "\nfailed:" not in said(cli, lake, "run", fine=(0, 1))


def asked(cli: Cli, lake: Lake, sql: str, *more: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(said(cli, lake, "query", sql, "--format", "json", *more), parse_float=str)
    return rows


def answers(cli: Cli, lake: Lake) -> Answers:
    """Return all of every table, in one query: a process for each of them takes a while."""
    whole = (f'(SELECT list(t) FROM {name} AS t) AS "{name}"' for name in then("stored"))  # noqa: S608 - declared tables
    return {name: rows or [] for name, rows in asked(cli, lake, f"SELECT {', '.join(whole)}")[0].items()}


def then(when: str) -> Answers:
    """Return what the old code answered: for a lake that went on, its answers that had changed are recorded."""
    found = recorded()["stored"]["answers"] | recorded()[when]["answers"]
    return {name: [dict(zip(t["columns"], row, strict=True)) for row in t["rows"]] for name, t in found.items()}


def standing(cli: Cli, lake: Lake, kinds: str) -> list[dict[str, Any]]:
    """Return the decisions that nobody took back, of kinds told by SQL."""
    columns = "SELECT feed, id, kind FROM ops.decisions"
    return asked(cli, lake, f"{columns} WHERE state <> 'revoked' AND {kinds} ORDER BY id")


def assert_same(now: Answers, before: Answers, but: Mapping[str, set[str]] | None = None) -> None:
    """Compare tables as bags of rows, without some columns. What was added since has to say nothing new."""
    for name, rows in now.items():
        added = ADDED.get(name, {})
        assert all(row.get(column, value) == value for row in rows for column, value in added.items())
        left_out = (but or {}).get(name, set()) | added.keys()
        there, wanted = (
            sorted(json.dumps({n: v for n, v in row.items() if n not in left_out}, sort_keys=True) for row in some)
            for some in (rows, before[name])
        )
        assert there == wanted, f"{name} answers otherwise than before"


def sizes(cli: Cli, lake: Lake) -> dict[str, list[str]]:
    """Return rows and dates by table."""
    lines = (line.split() for line in said(cli, lake, "tables").splitlines())
    return {words[0]: words[1:-4] for words in lines if words and "." in words[0]}


def sections(lines: Iterable[str]) -> dict[str, list[str]]:
    """Return the lines of `lakehouse status` by heading."""
    found: dict[str, list[str]] = {}
    for line in lines:
        if heading := re.fullmatch(r"(\w[\w ]*): (\d+|none)", line):
            found[heading[1]] = []
        elif line.startswith("  "):
            found[list(found)[-1]].append(line.strip())
    return found


def status(cli: Cli, lake: Lake) -> dict[str, list[str]]:
    return without_reasons(sections(said(cli, lake, "status").splitlines()))


def without_reasons(found: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return what a status lists, without the reasons of rejections, whose words may change."""
    shown = {name: lines for name, lines in found.items() if lines}
    return shown | {"rejected": [": ".join(line.split(": ")[:3]) for line in found["rejected"]]}


def assert_at_rest(cli: Cli, lake: Lake) -> None:
    assert said(cli, lake, "verify").split() == ["disagreements:", "none"]
    assert "Nothing is pending" in said(cli, lake, "run")


def test_it_answers_as_it_did(cli: Cli, lake: Lake) -> None:
    now = sizes(cli, lake)
    assert now.pop("ops.packs") == []  # there were no packs then
    assert now == recorded()["stored"]["tables"]
    assert_same({name: asked(cli, lake, f"FROM {name}") for name in then("stored")}, then("stored"))
    assert said(cli, lake, "verify").split() == ["disagreements:", "none"]


def test_it_answers_about_the_past(cli: Cli, lake: Lake) -> None:
    at = recorded()["past"]["at"]
    now = {name: asked(cli, lake, f"FROM {name}", "--at", at) for name in recorded()["past"]["answers"]}
    assert_same(now, then("past"))


def test_nothing_is_pending_held_or_pinned_but_what_was(cli: Cli, lake: Lake) -> None:
    before, now = without_reasons(sections(recorded()["stored"]["status"])), status(cli, lake)
    assert now.pop("pending in landing")
    # Drift was not a part of the status then.
    assert len(now.pop("schema drift")) == 2
    # Inputs of a date with moved records name their contents since; the model's SQL is another one since.
    assert now.pop("pending") == ["silver.sales: 2024-03-15", "gold.quarantine_by_rule: the whole table"]
    assert now == {name: lines for name, lines in before.items() if name != "pending in landing"}
    assert all(before[name] for name in ("held", "rejected", "pinned"))
    assert "refused" not in said(cli, lake, "plan")


def test_a_run_a_replay_and_maintenance_change_no_answer(cli: Cli, lake: Lake) -> None:
    run(cli, lake)
    assert status(cli, lake) == without_reasons(sections(recorded()["run"]["status"]))
    assert_same(answers(cli, lake), then("run"), BY_RUN)
    # A run finds nothing to compute where the fingerprints are the same; this computes all the same.
    said(cli, lake, "quarantine", "replay", "sales", fine=(0, 1))
    said(cli, lake, "maintain")
    assert_same(answers(cli, lake), then("run"), BY_RUN)
    assert status(cli, lake) == without_reasons(sections(recorded()["run"]["status"]))
    assert_at_rest(cli, lake)


@pytest.fixture
def theirs(tmp_path: Path) -> list[Path]:
    """An object with records of the erased person as it came once, and a new one of another date."""
    person, original = recorded()["person"]["value"], tmp_path / recorded()["person"]["key"]
    original.write_text(recorded()["person"]["original"], encoding="utf-8")
    header, *lines = recorded()["person"]["original"].splitlines()
    line = next(line for line in lines if person in line)
    another = tmp_path / "another.csv"
    another.write_text(f"{header}\n{line.replace('2024-03-04', NEW)}\n", encoding="utf-8")
    return [original, another]


def test_who_was_erased_does_not_come_back(cli: Cli, lake: Lake, theirs: list[Path]) -> None:
    said(cli, lake, "land", "sales", *theirs)
    run(cli, lake)
    now = answers(cli, lake)
    assert_same({name: rows for name, rows in now.items() if name.startswith(FOLLOWS_FROM_RECORDS)}, then("run"))
    person = recorded()["person"]["value"]
    assert person not in json.dumps(now)
    for landed in theirs:
        assert person not in Path(lake.store.uri(f"landing/sales/{landed.name}")).read_text(encoding="utf-8")
    assert_at_rest(cli, lake)


def test_whose_erasure_is_taken_back_may_come_again(cli: Cli, lake: Lake, theirs: list[Path]) -> None:
    erased = standing(cli, lake, "kind = 'erase'")
    assert len(erased) == 1
    said(cli, lake, "revoke", "sales", erased[0]["id"], "--why", "they are a customer again")
    said(cli, lake, "land", "sales", *theirs)
    run(cli, lake)
    person = recorded()["person"]["value"]
    landed = asked(cli, lake, "SELECT _source_key AS key, CustomerID AS who FROM bronze.sales")
    assert {row["key"] for row in landed if person in (row["who"] or "")} == {path.name for path in theirs}
    sold = asked(cli, lake, "SELECT dt, customer_id AS who FROM silver.sales")
    assert {"dt": NEW, "who": person} in sold
    assert_at_rest(cli, lake)


def test_decisions_can_be_taken_back(cli: Cli, lake: Lake) -> None:
    run(cli, lake)
    # What a release published stays when it is taken back, so there is nothing to see of it.
    taken = standing(cli, lake, "kind NOT IN ('revoke', 'erase', 'release')")
    assert {one["kind"] for one in taken} == {"correct", "waive", "discard", "accept", "pin", "expire"}
    for one in taken:
        said(cli, lake, "revoke", one["feed"], one["id"], "--why", "is it possible?", "--who", "ann")
    run(cli, lake)
    assert status(cli, lake) == without_reasons(sections(recorded()["undone"]["status"]))
    assert_same(answers(cli, lake), then("undone"), BY_DECISION)
    assert_at_rest(cli, lake)
