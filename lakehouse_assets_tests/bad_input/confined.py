"""Process a lake in a process of its own, which says what it cost.

The limit on address space only keeps a runaway from taking the machine; what is asserted is the peak that was used.
"""

import json
import os
import resource
import subprocess
import sys
from dataclasses import asdict, dataclass
from functools import partial

from lakehouse_assets.context import Lake
from lakehouse_assets_tests.bad_input.outcome import process
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.forked import Forked

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
    program = partial(_process, lake.settings.root, lake.settings.max_source_bytes)
    return Forked(env=os.environ | {"RUST_BACKTRACE": "0"}, program=program).finish(timeout_s)


def _process(root: str, limit: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_RUNAWAY_BYTES, _RUNAWAY_BYTES))
    process(lake_at(root, max_source_bytes=limit))
    used = resource.getrusage(resource.RUSAGE_SELF)
    sys.stdout.write(json.dumps(asdict(Cost(used.ru_utime + used.ru_stime, used.ru_maxrss * 1024))))
