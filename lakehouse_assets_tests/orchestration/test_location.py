"""The code location holds whatever the declared package holds, with no list of it anywhere; from a wheel, too."""

import os
import shutil
import subprocess
import sys
import sysconfig
import textwrap
from pathlib import Path

import dagster as dg
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.registry import registry_of
from lakehouse_assets.lake_settings import PROJECT
from lakehouse_assets.orchestration.location import definitions
from lakehouse_assets.settings import Settings
from lakehouse_assets.storage.stores import store_for

pytestmark = pytest.mark.usefixtures("every_table")

FEED = '''
import dataframely as dy
from lakehouse_assets.contracts.declare import Contract, Feed, source

class Flags(Contract):
    """One flag."""
    country = dy.String(nullable=False, description="Country.", metadata=source("Country"))

FLAGS = Feed(name="flags", contract=Flags, description="Flags.", owner="team:flags")
'''
KINDS = """
import dagster as dg

@dg.asset
def report() -> None: ...

@dg.asset_check(asset=report)
def is_there() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)

@dg.op
def nothing() -> None: ...

@dg.job
def by_op() -> None:
    nothing()

of_assets = dg.define_asset_job("of_assets", [report])
outside = dg.AssetSpec("outside")

@dg.sensor(job=by_op)
def looks() -> dg.SkipReason:
    return dg.SkipReason("no")

hourly = dg.ScheduleDefinition(name="hourly", job=by_op, cron_schedule="0 * * * *")

@dg.asset(partitions_def=dg.DailyPartitionsDefinition("2026-01-01"))
def of_a_day() -> None: ...

of_days = dg.define_asset_job("of_days", [of_a_day])
daily = dg.build_schedule_from_partitioned_job(of_days)

@dg.asset
def component() -> None: ...

more = dg.Definitions(assets=[component])
"""


def location(folder: Path, monkeypatch: pytest.MonkeyPatch, modules: dict[str, str]) -> dg.Definitions:
    """Write a package that declares a lake, and load it as the code location does."""
    name = f"lake_{folder.name.replace('-', '_')}"
    for path, text in {"__init__.py": "", **modules}.items():
        file = folder / name / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
    monkeypatch.syspath_prepend(str(folder))
    settings = Settings(root=str(folder / "lake"), definitions=name)
    return definitions(Lake(store_for(settings.root), settings, registry_of(name)))


@pytest.mark.filterwarnings("ignore:Parameter `owners` of initializer `Sensor")  # as in the package: pytest resets it
def test_every_kind_of_definition_is_found_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    defs = location(tmp_path, monkeypatch, {"feeds/__init__.py": "", "feeds/flags.py": FEED, "kinds.py": KINDS})
    repository = defs.get_repository_def()
    keys = {key.to_user_string() for key in repository.asset_graph.get_all_asset_keys()}
    assert keys >= {"silver/flags", "report", "outside", "of_a_day", "component"}
    assert {key.name for key in repository.asset_graph.asset_check_keys} >= {"is_there", "gate"}
    assert {job.name for job in repository.get_all_jobs()} >= {"by_op", "of_assets", "of_days"}
    assert {sensor.name for sensor in repository.sensor_defs} >= {"looks"}
    assert {schedule.name for schedule in repository.schedule_defs} == {"hourly", "of_days_schedule"}


def test_a_package_takes_the_sensors_and_schedules_of_the_project_as_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (PROJECT / "docs" / "how-it-works.md").read_text(encoding="utf-8")
    [code] = [block.partition("```")[0] for block in page.split("```python\n")[1:] if "HOLDS_TABLES" in block]
    found = location(tmp_path, monkeypatch, {"automation/__init__.py": code, "flags.py": FEED})
    assert {sensor.name for sensor in found.sensors or ()} == {"landing_sensor", "tables_sensor"}
    assert {schedule.name for schedule in found.schedules or ()} == {"daily_sweep", "weekly_maintenance"}
    assert {job.name for job in found.jobs or ()} == {"refresh", "decision", "maintenance"}


@pytest.mark.filterwarnings("ignore:Parameter `owners` of initializer `Sensor")
def test_a_table_where_commands_do_not_look_is_shown_as_not_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modules = {"jobs/__init__.py": "HOLDS_TABLES = False", "jobs/flags.py": FEED, "jobs/kinds.py": KINDS}
    graph = location(tmp_path, monkeypatch, modules).get_repository_def().asset_graph
    flags = graph.get(dg.AssetKey(["silver", "flags"]))
    assert "'flags' is declared in a package with HOLDS_TABLES = False" in (flags.description or "")
    assert flags.key not in graph.executable_asset_keys
    assert dg.AssetKey("report") in graph.executable_asset_keys


@pytest.mark.slow
def test_the_project_loads_from_a_wheel_with_nothing_else_around(tmp_path: Path) -> None:
    source, wheels, home = tmp_path / "source", tmp_path / "wheels", tmp_path / "elsewhere"
    shutil.copytree(PROJECT / "lakehouse_assets", source / "lakehouse_assets")
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(PROJECT / name, source)
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", wheels, source)
    run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv")
    python = tmp_path / "venv/bin/python"
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    wheel = next(wheels.iterdir())
    run(sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", site, wheel)
    # The libraries of this environment, but not the editable project in it: .pth files are read in `site` folders only.
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib"))
    home.mkdir()

    printed = run(
        python, "-c",
        "import lakehouse_assets, lakehouse_assets.definitions as location\n"
        "print(lakehouse_assets.__file__)\n"
        "repository = location.defs.get_repository_def()\n"
        "print(*(key.to_user_string() for key in repository.asset_graph.get_all_asset_keys()))\n"
        "print(*(sensor.name for sensor in repository.sensor_defs))\n",
        cwd=home,
    ).splitlines()  # fmt: skip
    assert printed[0].startswith(str(site))
    assert (site / "lakehouse_assets/workspace.yaml").exists()
    assert {"silver/sales", "gold/daily_sales", "catalog/duckdb"} <= set(printed[1].split())
    assert set(printed[2].split()) == {"landing_sensor", "tables_sensor"}


@pytest.mark.slow
def test_dagster_validates_the_definitions(tmp_path: Path) -> None:
    command = Path(sys.executable).with_name("dagster")
    run(command, "definitions", "validate", "-m", "lakehouse_assets.definitions", cwd=PROJECT, LAKEHOUSE_ROOT=tmp_path)


def run(*command: str | Path, cwd: Path | None = None, **environment: str | Path) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "LAKEHOUSE_"))}
    ran = subprocess.run(
        list(map(str, command)), env=kept | {name: str(value) for name, value in environment.items()},
        cwd=cwd, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout
