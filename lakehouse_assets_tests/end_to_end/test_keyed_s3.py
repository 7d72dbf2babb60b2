"""A keyed feed on S3: a run that dies between history and state, and a person who is forgotten right after."""

import os
import signal
from pathlib import Path
from typing import Any

import deltalake
import pytest

from lakehouse_assets.cli.main import main
from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.registry import registry_of
from lakehouse_assets.settings import settings
from lakehouse_assets_tests import customers
from lakehouse_assets_tests.conftest import Cli
from lakehouse_assets_tests.customers import Change
from lakehouse_assets_tests.erasure.traces import traces
from lakehouse_assets_tests.faults import scenario
from lakehouse_assets_tests.forked import Forked

pytestmark = pytest.mark.slow
MODULE = "from lakehouse_assets_tests import customers\n\nFEED = customers.feed()\n"
PERSON = 987654321
FIRST = [Change(at, "A", f"Name{at}", "Bern", 1) for at in range(1, 10)]
LATER = [Change(1, "A", "Name1", "Basel", 5), Change(2, "A", None, None, 6, "D")]
THEIRS = [Change(PERSON, "A", "P", "Bern", 1), Change(PERSON, "A", "P", "Basel", 5)]


def dying_after_history() -> None:
    """Be `lakehouse`, and die when the history is written and the state is not."""
    write = deltalake.write_deltalake

    def deadly(table: Any, *arguments: Any, **options: Any) -> None:
        write(table, *arguments, **options)
        if table.table_uri.rstrip("/").endswith("silver/customers_history"):
            os.kill(os.getpid(), signal.SIGKILL)

    setattr(deltalake, "write_deltalake", deadly)  # noqa: B010 - its type has overloads
    main()


@pytest.fixture
def lake(s3_lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A lake on S3 whose only feed has a key."""
    name = f"keyed_{s3_lake.settings.root[-32:]}"
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("LAKEHOUSE_DEFINITIONS", name)
    registry_of.cache_clear()
    settings.cache_clear()
    return Lake(s3_lake.store, s3_lake.settings, registry_of(name))


def test_after_a_kill_between_history_and_state_forget_leaves_no_byte_and_the_next_run_mends_the_rest(
    lake: Lake, cli: Cli, tmp_path: Path
) -> None:
    customers.land(lake, "a.csv", [*FIRST, THEIRS[0]])
    assert cli(lake, "run").returncode == 0
    customers.land(lake, "b.csv", [*LATER, THEIRS[1]])
    package = os.environ["LAKEHOUSE_DEFINITIONS"]
    home = tmp_path / f"dagster-{lake.settings.root.rsplit('/', 1)[-1]}"
    env = scenario.environment(lake, home, LAKEHOUSE_DEFINITIONS=package, PYTHONPATH=str(tmp_path))
    dead = Forked("run", env=env, program=dying_after_history).finish()
    assert dead.returncode == -signal.SIGKILL, dead.stdout + dead.stderr
    assert customers.current(lake) == customers.expected([*FIRST, THEIRS[0]])[0]
    assert customers.history(lake) != customers.expected([*FIRST, THEIRS[0]])[1]
    assert len(traces(lake, str(PERSON))) > 6

    forgotten = cli(lake, "forget", "customers", f"customer_id={PERSON}", "--why", "asked")

    assert forgotten.returncode == 0, forgotten.stdout + forgotten.stderr
    assert traces(lake, str(PERSON)) == []
    again = cli(lake, "run")
    assert again.returncode == 0, again.stdout + again.stderr
    assert (customers.current(lake), customers.history(lake)) == customers.expected([*FIRST, *LATER])
    verified = cli(lake, "verify")
    assert verified.returncode == 0, verified.stdout
