"""A lake's process that S3 answers and no other service; then all are back. Said as JSON lines. Not here: the test.

`python -m lakehouse_assets_tests.end_to_end.in_outage ADDRESS`: nobody listens at that address.
"""

import datetime as dt
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import replace

from deploy.demo_aws.daemon import work
from lakehouse_assets import aws
from lakehouse_assets.alerts import aws as alerts_aws
from lakehouse_assets.alerts.stream import SETTLED_S
from lakehouse_assets.context import current
from lakehouse_assets.orchestration.instance import opened
from lakehouse_assets.query.overview import status
from lakehouse_assets_tests.orchestration.daemon import Daemon
from lakehouse_assets_tests.orchestration.watched import ask, sweep

SERVICES = ("SQS", "SNS", "EVENTBRIDGE", "DYNAMODB", "CLOUDWATCH", "GLUE")
_SENSORS = ("queue_sensor", "landing_sensor", "tables_sensor")


def _cut_off(daemon: Daemon) -> Iterator[dict[str, object]]:
    """Work while nothing but S3 answers, until the sensors ask for nothing more."""
    daemon.tick("alerts_sensor")
    asked = [request for name in _SENSORS for request in daemon.requests(name)]
    while asked:
        for request in asked:
            tables = [".".join(key.path) for key in request.asset_selection or ()]
            yield {"run": tables, "success": daemon.launch(request).success}
        asked = [request for name in _SENSORS for request in daemon.requests(name)]
    yield {"queue": str(daemon.tick("queue_sensor").skip_message)}
    time.sleep(SETTLED_S)
    yield {"alerts": str(daemon.tick("alerts_sensor").skip_message)}
    lines = ask(daemon.lake, "SELECT dt::VARCHAR, sum(lines)::BIGINT FROM gold.daily_sales GROUP BY dt ORDER BY dt")
    yield {"gold": lines, "pending": status(daemon.lake).pending}


def _say(line: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(line, default=str) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Work without, then with the other services."""
    names = [f"AWS_ENDPOINT_URL_{service}" for service in SERVICES]
    os.environ |= dict.fromkeys(names, sys.argv[1])
    steady = aws.STEADY
    aws.STEADY = replace(steady, attempts=2)  # the pauses between ten attempts take a minute
    lake = current()
    with opened(lake.settings) as instance:
        daemon = Daemon(lake, instance)
        for line in _cut_off(daemon):
            _say(line)
        for name in names:
            del os.environ[name]
        alerts_aws.client.cache_clear()
        aws.STEADY = steady
        for request in sweep(
            daemon, f"{dt.datetime.now(dt.UTC):%Y-%m-%d}"
        ):  # what is refreshed outside has failed too often for the sensor
            daemon.launch(request)
        for text in work(daemon):
            _say({"after": text})


if __name__ == "__main__":
    main()
