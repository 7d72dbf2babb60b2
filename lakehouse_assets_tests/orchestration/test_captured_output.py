"""What the steps of a run print is kept and shown, all of it, without processes that do so."""

import subprocess
import sys
from pathlib import Path

import dagster as dg
import psutil
import pytest

from lakehouse_assets.orchestration.captured_output import CapturedOutput
from lakehouse_assets.orchestration.instance import opened
from lakehouse_assets.settings import Settings

_LONG = "x" * 300_000


def test_output_is_kept_and_shown_also_of_processes_that_a_step_starts(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before, during = set(psutil.Process().children()), set[psutil.Process]()
    for number, name in ((1, "stdout"), (2, "stderr")):  # those of the process, in the place of pytest's
        monkeypatch.setattr(sys, name, open(number, "w", buffering=1, closefd=False))  # noqa: SIM115

    @dg.asset
    def talks() -> None:
        print("printed", _LONG)  # noqa: T201
        print("to errors", file=sys.stderr)  # noqa: T201
        subprocess.run(["echo", "of a process"], check=True)
        during.update(psutil.Process().children())

    with opened(Settings(root=str(tmp_path))) as instance:
        run = dg.materialize([talks], instance=instance)
        shown = capfd.readouterr()
        [said] = [e for e in run.all_events if e.event_type is dg.DagsterEventType.LOGS_CAPTURED]
        manager = instance.compute_log_manager
        assert isinstance(manager, CapturedOutput)
        key = manager.build_log_key_for_run(run.run_id, said.logs_captured_data.file_key)
        kept = manager.get_log_data(key)
        assert manager.is_capture_complete(key)
    assert kept.stdout is not None
    assert kept.stderr is not None
    for text, told in ((kept.stdout.decode(), kept.stderr.decode()), (shown.out, shown.err)):
        assert f"printed {_LONG}" in text
        assert "of a process" in text
        assert "to errors" in told
    assert during <= before
    print("afterwards")  # noqa: T201
    assert capfd.readouterr().out == "afterwards\n"
