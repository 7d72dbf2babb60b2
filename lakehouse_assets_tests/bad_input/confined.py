"""Process a lake in a process of its own: `python -m ...confined ROOT MAX_SOURCE_BYTES`; prints what it cost.

The limit on address space only keeps a runaway from taking the machine; what is asserted is the peak that was used.
"""

import json
import os
import resource
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from lakehouse_assets.context import Lake
from lakehouse_assets_tests.bad_input.outcome import process
from lakehouse_assets_tests.conftest import lake_at

_PROJECT = Path(__file__).resolve().parents[2]
_RUNAWAY_BYTES = 6 * 2**30


@dataclass(frozen=True)
class Cost:
    """What processing took: processor time, which a busy machine does not change, and memory."""

    cpu_seconds: float
    peak_bytes: int

    @classmethod
    def read(cls, text: str) -> "Cost":
        """Read what the process printed."""
        return cls(**json.loads(text))


def run(lake: Lake, timeout_s: float) -> "subprocess.CompletedProcess[str]":
    """Process a lake in a process of its own."""
    command = [sys.executable, "-m", __name__, lake.settings.root, str(lake.settings.max_source_bytes)]
    quiet = os.environ | {"RUST_BACKTRACE": "0"}
    return subprocess.run(
        command, env=quiet, cwd=_PROJECT, capture_output=True, text=True, timeout=timeout_s, check=False
    )


def main() -> None:
    """Process the lake."""
    root, limit = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_AS, (_RUNAWAY_BYTES, _RUNAWAY_BYTES))
    process(lake_at(root, max_source_bytes=int(limit)))
    used = resource.getrusage(resource.RUSAGE_SELF)
    sys.stdout.write(json.dumps(asdict(Cost(used.ru_utime + used.ru_stime, used.ru_maxrss * 1024))))


if __name__ == "__main__":
    main()
