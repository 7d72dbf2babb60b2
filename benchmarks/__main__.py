"""Measure the cases and report: `python -m benchmarks [--scale 0.01] [--only a,b,c,d,e] [--repeat 3] [--feeds 1]`."""

import argparse
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from benchmarks import long_history, report
from benchmarks.cases import Bench, Result
from benchmarks.compare import DifferentError
from benchmarks.measure import RunFailedError

RESULTS = Path(__file__).resolve().parent.parent / ".bench" / "results.md"


def main() -> int:
    """Run the cases asked for; the exit code is 1 when a run failed or product and floor differ."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the days of each case, 0 < scale <= 1")
    parser.add_argument("--only", default="a,b,c,d,e", help="cases, separated by commas")
    parser.add_argument("--repeat", type=int, default=3, help="times that (a) and (b) are measured")
    parser.add_argument("--feeds", type=int, default=20, help="of how many feeds the histories of (e) are")
    parser.add_argument("--keep", action="store_true", help="keep the lakes, and say where they are")
    given = parser.parse_args()
    wanted = given.only.split(",")
    if not 0 < given.scale <= 1 or given.repeat < 1 or not set(wanted) <= set("abcde"):
        parser.error("--scale is in (0, 1], --repeat at least 1, --only made of a, b, c, d and e")
    load = os.getloadavg()[0]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started ends, and its lakes go
    work = Path(tempfile.mkdtemp(prefix="lakehouse-bench-"))
    bench = Bench(work, given.scale, given.repeat, _say)
    cases = {"a": bench.whole_job, "b": bench.real_days, "c": bench.one_more_day, "d": bench.late_file}
    results: list[Result] = []
    try:
        for name, case in cases.items():
            if name in wanted:
                results += case()
        history = long_history.compare(work, given.scale, given.feeds, _say) if "e" in wanted else []
    except (RunFailedError, DifferentError) as error:
        _say(f"benchmarks: {error}")
        return 1
    finally:
        if given.keep:
            _say(f"the lakes stay in {work}")
        else:
            shutil.rmtree(work)
    text = report.markdown(results, history, given.scale, load)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(text, encoding="utf-8")
    print(text)
    _say(f"written to {RESULTS}")
    return 0


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
