"""Process a lake in a process of its own: `python -m ...confined ROOT MAX_SOURCE_BYTES`; prints what it cost.

The limit on address space only keeps a runaway from taking the machine; what is asserted is the peak that was used.
"""

import json
import resource
import sys
import time
from dataclasses import asdict, dataclass

from lakehouse_assets_tests.bad_input.outcome import process
from lakehouse_assets_tests.conftest import lake_at

_RUNAWAY_BYTES = 6 * 2**30


@dataclass(frozen=True)
class Cost:
    """What processing took."""

    seconds: float
    peak_bytes: int

    @classmethod
    def read(cls, text: str) -> "Cost":
        """Read what the process printed."""
        return cls(**json.loads(text))


def main() -> None:
    """Process the lake."""
    root, limit = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_AS, (_RUNAWAY_BYTES, _RUNAWAY_BYTES))
    start = time.monotonic()
    process(lake_at(root, max_source_bytes=int(limit)))
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sys.stdout.write(json.dumps(asdict(Cost(time.monotonic() - start, peak_kb * 1024))))


if __name__ == "__main__":
    main()
