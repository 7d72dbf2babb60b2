"""Importing the code location does no I/O, needs no credentials, and is quick."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lakehouse_assets.lake_settings import PROJECT

pytestmark = pytest.mark.slow
ROUNDS = 2
HEAVY = {"dagster_aws", "boto3", "botocore", "deltalake", "duckdb", "pyarrow"}

_WATCHED = """
import json, os, sys
import dagster
root, events = os.environ["WATCHED"], []
def watch(event, arguments):
    if event.startswith(("socket.", "subprocess.", "os.exec", "os.posix_spawn", "sqlite3.", "urllib.")):
        events.append([event, repr(arguments)])
    elif event in ("open", "os.listdir", "os.scandir", "os.mkdir", "os.remove", "os.rename"):
        if isinstance(arguments[0], (str, bytes)) and os.fsdecode(arguments[0]).startswith(root):
            events.append([event, repr(arguments)])
        elif event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
            events.append([event, repr(arguments)])
sys.addaudithook(watch)
if len(sys.argv) > 1:
    exec(sys.argv[1])
import lakehouse_assets.definitions as location
found = list(events)
print(json.dumps({
    "events": found,
    "modules": sorted({name.split(".")[0] for name in sys.modules}),
    "assets": len(list(location.defs.resolve_asset_graph().get_all_asset_keys())),
}))
"""


def watched(root: str, *code: str) -> dict[str, Any]:
    """Import the code location in a fresh process and return what it did, beyond importing dagster."""
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("AWS_", "LAKEHOUSE_", "DAGSTER_"))}
    environment = kept | {
        "LAKEHOUSE_ROOT": root, "WATCHED": root, "PYTHONDONTWRITEBYTECODE": "1", "HOME": "/nonexistent",
    }  # fmt: skip
    ran = subprocess.run(
        [sys.executable, "-c", _WATCHED, *code],
        env=environment, cwd=PROJECT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


@pytest.mark.parametrize("place", ["a folder with a lake", "a folder that does not exist", "a bucket"])
def test_importing_the_code_location_opens_no_connection_touches_no_lake_and_loads_no_cloud_and_no_engine(
    place: str, tmp_path: Path
) -> None:
    roots = {
        "a folder with a lake": str(tmp_path),
        "a folder that does not exist": str(tmp_path / "nowhere" / "lake"),
        "a bucket": "s3://no-such-bucket-anywhere/lake",
    }
    landing = tmp_path / "landing" / "sales"
    landing.mkdir(parents=True)
    (landing / "day.csv").write_text("a,b\n1,2\n")

    found = watched(roots[place])

    assert found["events"] == []
    assert HEAVY.isdisjoint(found["modules"])
    assert found["assets"] >= 8
    assert not (tmp_path / "nowhere").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["landing"]


def test_the_watch_sees_what_it_watches_for(tmp_path: Path) -> None:
    deeds = {
        "import socket; socket.getaddrinfo('127.0.0.1', 80)": "socket.getaddrinfo",
        "import os; os.scandir(os.environ['WATCHED'])": "os.scandir",
        "open(os.environ['WATCHED'] + '/x', 'w').close()": "open",
    }
    seen = {name for name, _ in watched(str(tmp_path), "; ".join(deeds))["events"]}
    assert seen >= {*deeds.values()}


def test_importing_the_code_location_takes_a_small_multiple_of_importing_dagster(
    capsys: pytest.CaptureFixture[str],
) -> None:
    seconds: dict[str, list[float]] = {"dagster": [], "lakehouse_assets.definitions": []}
    for _ in range(ROUNDS):
        # In turn, so that whatever else the machine does weighs on both.
        for module, taken in seconds.items():
            taken.append(import_time(module))
    dagster, location = (min(taken) for taken in seconds.values())
    with capsys.disabled():
        print(f"\nimport dagster {dagster:.2f} s, lakehouse_assets.definitions {location:.2f} s")  # noqa: T201 - measured
    # A ratio within one run: other load weighs on both. On an idle machine it is 0.4 s beside 1.1 s.
    assert location <= 4 * dagster


def import_time(module: str) -> float:
    """Return the processor seconds that a fresh process spends on importing a module."""
    code = f"import time; import {module}; print(time.process_time())"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, timeout=120, check=True
    )
    return float(ran.stdout)
