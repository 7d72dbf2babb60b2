"""The script of a Spark job, as far as it needs no Spark."""

import subprocess
import sys
from contextlib import suppress

import psutil
import pytest

from lakehouse_assets.engines.spark import SCRIPT

_CHILD = f"import os, runpy, time; runpy.run_path({str(SCRIPT)!r})['_end_with'](os.getppid()); time.sleep(60)"
_PARENT = (
    "import os, subprocess, sys; p = subprocess.Popen([sys.executable, '-c', sys.argv[1]]); print(p.pid, flush=True)"
)


@pytest.mark.slow(covered=True)
def test_a_job_ends_with_the_process_that_started_it() -> None:
    dies = f"{_PARENT}; import time; time.sleep(0.3); os.kill(os.getpid(), 9)"
    ran = subprocess.run([sys.executable, "-c", dies, _CHILD], stdout=subprocess.PIPE, check=False)
    child = int(ran.stdout)
    with suppress(psutil.NoSuchProcess):
        psutil.Process(child).wait(20)
    assert not psutil.pid_exists(child)
