"""The examples of docs/alerts.md: a rejected object, a held date, a failing run, and what is told when they are over.

Each is made by a run and read where it arrives. Run ids, times, event ids and folders are as in the page.
"""

import datetime as dt
import io
import json
import re
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from rich.console import Console

from lakehouse_assets.alerts.channels import configured
from lakehouse_assets.alerts.error_log import error_log_of
from lakehouse_assets.alerts.telling import tell
from lakehouse_assets.cli import render
from lakehouse_assets.lake_settings import PROJECT
from lakehouse_assets_tests.alerts.conftest import Shop, Told
from lakehouse_assets_tests.aws_emulator import AwsEmulator
from lakehouse_assets_tests.retail import land

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::dagster.BetaWarning")]
_EXAMPLE = re.compile(r"<!-- example: ([a-z0-9 ,-]+) -->\n```[a-z]*\n(.*?)```", re.DOTALL)
_SAME = {
    r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b": "RUN",
    r"\b\d+-[0-9a-f]{8}\b": "ID",
    r"\b20(?!11)\d\d-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?(\.\d+)?(\+00:00)?": "TIME",
    r"\b[0-9a-f]{12}\b|\b[0-9a-f]{10}\b": "FINGERPRINT",
}


def comparable(text: str, lake: str = "/srv/lake") -> str:
    text = text.replace(lake, "/srv/lake").replace(json.dumps(lake)[1:-1], "/srv/lake")
    for pattern, name in _SAME.items():
        text = re.sub(pattern, name, text)
    return text.strip()


def _metrics(cloud: AwsEmulator, namespace: str) -> Iterator[str]:
    """Yield what CloudWatch has of one day, a line per metric; of seconds, which nobody can foresee, only the count."""
    cloudwatch, now = cloud.client("cloudwatch"), dt.datetime.now(dt.UTC)
    for metric in cloudwatch.list_metrics(Namespace=namespace)["Metrics"]:
        [point] = cloudwatch.get_metric_statistics(
            **metric, Period=86_400, Statistics=["SampleCount", "Sum", "Minimum", "Maximum"],
            StartTime=now - dt.timedelta(hours=12), EndTime=now + dt.timedelta(hours=12),
        )["Datapoints"]  # fmt: skip
        [asset] = [dimension["Value"] for dimension in metric["Dimensions"] if dimension["Name"] == "asset"]
        shown = ("SampleCount",) if metric["MetricName"] == "seconds" else ("SampleCount", "Sum", "Minimum", "Maximum")
        figures = "  ".join(f"{name} {point[name]:g}" for name in shown)
        yield f"{asset:25} {metric['MetricName']:13} {figures}  {point['Unit']}"


def _failure_of(asset: str, log: str) -> str:
    return next(line for line in log.splitlines() if f'"{asset}", "event": "STEP_FAILURE"' in line)


def test_the_examples_of_the_page_are_what_arrives(
    shop: Shop,
    cloud: AwsEmulator,
    topic: Callable[..., Told],
    bus: tuple[str, Callable[[], list[dict[str, Any]]]],
    errors_table: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    told = topic()
    name, read_bus = bus
    namespace = uuid.uuid4().hex
    shop.lake = shop.lake_with(
        alerts_topic=told.arn,
        event_bus=name,
        errors_table=errors_table,
        metrics_namespace=namespace,
        log_format="json",
    )
    log, root = error_log_of(shop.lake), shop.lake.settings.root
    found: dict[str, str] = {}

    def tick(**named: str) -> None:
        """Tell, and keep the messages whose subject holds a text, by the name of their example."""
        _, failed = tell(shop.lake, shop.instance, configured(shop.lake), 0)
        assert failed == []
        mails = told.read()
        for example, words in named.items():
            [mail] = [mail for mail in mails if words in mail["Subject"]]
            found[f"sns {example}"] = f"Subject: {mail['Subject']}\n\n{mail['Message']}"

    def list_errors(example: str) -> None:
        console = Console(file=io.StringIO(), width=200)
        known = sorted(log.table.problems(), key=lambda problem: problem.position)
        render.problems(console, [problem for problem in known if problem.is_open])
        found[f"errors {example}"] = console.file.getvalue()  # type: ignore[attr-defined]

    tick()
    shop.land("march.csv", "1,a,2,01/03/2011,1.50", "2,a,x,02/03/2011,1.50")
    land(shop.lake, "april.csv", b"", "orders")
    shop.run("count(no_such_column)")
    found["log line failed"] = _failure_of("gold.totals", capfd.readouterr().err)
    tick(rejected="rejected", held="held by the gate", failed="gold.totals 2011-03-01: run failed")
    events = [event for event in read_bus() if event["detail-type"] == "gate_held"]
    found["eventbridge held"] = json.dumps(
        {key: events[0][key] for key in ("source", "detail-type", "detail")}, indent=2
    )
    list_errors("after the run")

    shop.land("march.csv", "1,a,2,01/03/2011,1.50", "2,a,5,02/03/2011,1.50")
    shop.run()
    tick(open="no longer held")
    list_errors("after it was sent again")

    shop.land("march.csv", "1,a,2,01/03/2011,1.50", "2,a,y,02/03/2011,1.50")
    shop.run()
    tick(returned="held by the gate")
    list_errors("after it came back")
    found["cloudwatch metrics"] = "\n".join(sorted(_metrics(cloud, namespace)))

    page = (PROJECT / "docs" / "alerts.md").read_text(encoding="utf-8")
    examples = {name: comparable(text) for name, text in _EXAMPLE.findall(page)}
    assert {name: comparable(text, root) for name, text in found.items()} == examples
