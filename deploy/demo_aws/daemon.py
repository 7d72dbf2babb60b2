"""The lake's process: Dagster's sensors and runs until what landed is in gold and told.

`python -m deploy.demo_aws.daemon` knows its environment and nothing else, as a task on AWS does. The sensors and the
runs are the real ones; only Dagster's daemon, which would go on for ever, is played by one process.
"""

import time
from collections.abc import Iterator

from rich.console import Console

from lakehouse_assets.alerts.stream import SETTLED_S
from lakehouse_assets.context import current
from lakehouse_assets.orchestration.arrivals import queue_of
from lakehouse_assets.orchestration.instance import opened
from lakehouse_assets_tests.orchestration.daemon import Daemon

_ROUNDS = 40
_TELLING = 5


def work(daemon: Daemon) -> Iterator[str]:
    """Tick the sensors and execute the runs that they ask for; yield a line for each run, and for what is told.

    Raises:
        TimeoutError: Messages are left that no tick can handle.
    """
    queue = queue_of(daemon.lake)
    daemon.tick("alerts_sensor")  # so that it tells what happens from now on
    for _ in range(_ROUNDS):
        asked = [(name, one) for name in ("queue_sensor", "tables_sensor") for one in daemon.requests(name)]
        for sensor, request in asked:
            begun, result = time.monotonic(), daemon.launch(request)
            tables = ", ".join(".".join(key.path) for key in request.asset_selection or ())
            checks = {check.check_name for check in result.get_asset_check_evaluations() if not check.passed}
            outcome = "succeeded" if result.success else "failed"
            failed = f"; checks that failed: {', '.join(sorted(checks))}" if checks else ""
            yield f"{sensor}: a run of {tables} {outcome} after {time.monotonic() - begun:.1f} s{failed}"
        if not asked and not (queue and queue.depth().backlog):
            break
    else:
        msg = "the sensors still ask for runs, or messages still wait; look at the lines above"
        raise TimeoutError(msg)
    yield f"landing_sensor: {daemon.tick('landing_sensor').skip_message}"
    time.sleep(SETTLED_S)
    for _ in range(_TELLING):
        said = str(daemon.tick("alerts_sensor").skip_message)
        yield f"alerts_sensor: {said}"
        if said.startswith("nothing happened"):
            return


def main() -> None:
    """Work on the lake of the environment, and say what is done."""
    out, lake = Console(soft_wrap=True, highlight=False), current()
    with opened(lake.settings) as instance:
        for line in work(Daemon(lake, instance)):
            out.print(line, markup=False)


if __name__ == "__main__":
    main()
