"""A daemon of sensors and runs in one process, killed at a counted point.

Its points are those of `killed`, and before and after every call of the queue and every write to S3. It keeps cursors
as Dagster does: of ticks that ended. It ends by itself when the file `finished` is there and no message is left.
"""

import json
import time
from pathlib import Path

import dagster as dg

from lakehouse_assets.context import current
from lakehouse_assets.orchestration.instance import prepare_home
from lakehouse_assets.orchestration.location import definitions
from lakehouse_assets.sources.sqs import SqsQueue
from lakehouse_assets.storage.s3 import S3Store
from lakehouse_assets_tests.faults.killed import Boundary, watch

SENSORS = ("tables_sensor", "queue_sensor")
_ROUNDS_AT_REST = 2


def listen(point: int, folder: Path) -> None:
    """Be that process, which writes its points and cursors to a folder."""
    # It imports the definitions, which follow the environment of the process.
    from lakehouse_assets_tests.orchestration.daemon import Daemon

    lake = current()
    queue = SqsQueue(lake.settings.queue_url)
    home = prepare_home(lake.settings)
    boundary = Boundary(point, folder / "points")
    watch(boundary)
    boundary.watch(S3Store, "_put", lambda _, path, *__: f"put {path}")
    boundary.watch(S3Store, "delete", lambda _, path, *__: f"delete {path}")
    for name in ("receive", "delete", "hide"):
        boundary.watch(SqsQueue, name, lambda *_, name=name: f"queue {name}")
    with dg.DagsterInstance.from_config(str(home)) as instance:
        daemon = Daemon(lake, instance, definitions(lake))
        kept = folder / "cursors.json"
        daemon.cursors = json.loads(kept.read_text()) if kept.exists() else {}
        at_rest = 0
        while at_rest < _ROUNDS_AT_REST:
            at_rest += 1
            for sensor in SENSORS:
                requests = daemon.requests(sensor)
                (folder / "cursors.new").write_text(json.dumps(daemon.cursors))
                (folder / "cursors.new").replace(kept)
                for request in requests:
                    at_rest = 0
                    daemon.launch(request)
            if not (folder / "finished").exists() or queue.depth().backlog:
                at_rest = 0
                time.sleep(0.2)
