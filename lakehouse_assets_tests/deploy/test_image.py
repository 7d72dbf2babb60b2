"""What the image promises, as far as it can be seen without a container engine."""

import os
import re
import subprocess
import sysconfig
from pathlib import Path

import pytest
import yaml

from lakehouse_assets.lake_settings import PROJECT
from lakehouse_assets.orchestration.instance import prepare_home
from lakehouse_assets.settings import Settings
from lakehouse_assets_tests.deploy.image import DEPLOY, command, documented, instructions, last

PROGRAMS = Path(sysconfig.get_path("scripts"))


def test_hadolint_has_nothing_to_say() -> None:
    done = subprocess.run([PROGRAMS / "hadolint", DEPLOY / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_each_stage_begins_with_the_same_exact_slim_version() -> None:
    bases = {arguments.split()[0] for name, arguments in instructions() if name == "FROM"}
    assert len(bases) == 1
    assert re.fullmatch(r"python:3\.11\.\d+-slim-\w+", bases.pop())


def test_it_runs_as_nobody_in_particular_and_installs_by_the_constraints() -> None:
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", last("USER"))
    [installs] = [arguments for name, arguments in instructions() if name == "RUN" and " install " in arguments]
    assert "PIP_CONSTRAINT=/source/constraints.txt" in " ".join(a for name, a in instructions() if name == "ENV")
    assert "[aws,excel,forecast,pages]" in installs
    assert "dev" not in installs
    final = instructions()[[name for name, _ in instructions()].index("FROM", 1) :]
    assert not any(re.search(r"apt-get|pip install|curl|git ", arguments) for _, arguments in final)


def test_what_it_copies_is_there_and_is_sent_to_the_builder() -> None:
    sent = {line[1:] for line in (PROJECT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {
        source
        for name, arguments in instructions()
        if name == "COPY" and not arguments.startswith("--from")
        for source in arguments.split()[:-1]
    }
    assert copied == sent
    assert [source for source in copied if not (PROJECT / source).exists()] == []


@pytest.mark.parametrize("process", ["code location", "web server", "daemon"])
def test_the_command_of_each_process_exists(process: str) -> None:
    program, *_ = documented(process)
    assert (PROGRAMS / program).exists()
    if process == "code location":
        assert documented(process) == command()


def test_every_variable_that_its_files_ask_for_is_explained_or_set() -> None:
    found = [yaml.safe_load((DEPLOY / name).read_text()) for name in ("dagster.yaml", "workspace.yaml")]
    asked = set(re.findall(r"'env': '(\w+)'", str(found)))
    assert asked
    page = (PROJECT / "docs" / "image.md").read_text(encoding="utf-8")
    assert [name for name in asked if f"`{name}`" not in page] == []


def test_a_home_that_cannot_be_written_is_used_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # the superuser may write anywhere
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    assert prepare_home(Settings(root=str(tmp_path / "lake"))) == tmp_path
    assert [path.name for path in tmp_path.iterdir()] == ["dagster.yaml"]
