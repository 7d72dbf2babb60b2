"""AWS cannot be reached for some ticks: nothing fails, and afterwards every channel has been told everything, once."""

from collections.abc import Callable
from typing import Any

import pytest

from lakehouse_assets.alerts import aws
from lakehouse_assets.alerts.channels import configured
from lakehouse_assets.alerts.error_log import error_log_of
from lakehouse_assets.alerts.telling import tell
from lakehouse_assets_tests.alerts.conftest import Shop, Told
from lakehouse_assets_tests.aws_emulator import AwsEmulator
from lakehouse_assets_tests.local_server import free_port

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::dagster.BetaWarning")]
DATES = [f"2011-03-{day:02}" for day in range(1, 7)]


def test_what_could_not_be_told_is_told_once_aws_is_back(
    shop: Shop,
    cloud: AwsEmulator,
    topic: Callable[..., Told],
    bus: tuple[str, Callable[[], list[dict[str, Any]]]],
    errors_table: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mails, (name, read_bus) = topic(kind=["gate_held"]), bus
    shop.lake = shop.lake_with(
        alerts_topic=mails.arn, event_bus=name, errors_table=errors_table, metrics_namespace="Outage"
    )

    def tick(address: str) -> tuple[list[str], list[str]]:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        aws.client.cache_clear()
        return tell(shop.lake, shop.instance, configured(shop.lake), 0)

    assert tick(cloud.url) == ([], [])
    nowhere = f"http://127.0.0.1:{free_port()}"
    shop.land("march.csv", "1,a,2,01/03/2011,1.50")
    shop.run()
    for date in DATES:
        shop.evaluate("gate", date, passed=False, text=f"{date}: quality score 0.5 is below the gate 0.9")
        told, failed = tick(nowhere)
        assert told == []
        assert [line.split(" cannot be told")[0] for line in failed] == ["errors", "sns", "eventbridge", "cloudwatch"]
        assert all("EndpointConnectionError" in line for line in failed)

    told, failed = tick(cloud.url)
    assert (len(told), failed) == (4, [])
    expected = [f"[error] silver.orders {date}: held by the gate" for date in DATES]
    assert sorted(mail["Subject"] for mail in mails.read()) == expected
    events = [event["detail"] for event in read_bus()]
    assert sorted(event["dates"][0] for event in events if event["kind"] == "gate_held") == DATES
    assert len({event["id"] for event in events}) == len(events)
    problems = list(error_log_of(shop.lake).table.problems())
    assert sorted(problem.dates[0] for problem in problems) == DATES
    assert {problem.count for problem in problems} == {1}
    metrics = cloud.client("cloudwatch").list_metrics(Namespace="Outage")["Metrics"]
    assert {"rows", "quality_score", "seconds", "bytes"} <= {metric["MetricName"] for metric in metrics}
    assert tick(cloud.url) == ([], [])
