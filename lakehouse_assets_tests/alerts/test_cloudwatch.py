"""The figures of each asset, as CloudWatch gets them."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

import pytest

from lakehouse_assets.alerts import cloudwatch
from lakehouse_assets.alerts.cloudwatch import Metrics
from lakehouse_assets.alerts.figures import Figure
from lakehouse_assets.alerts.telling import tell
from lakehouse_assets_tests.alerts.conftest import Shop
from lakehouse_assets_tests.aws_emulator import AwsEmulator

pytestmark = pytest.mark.filterwarnings("ignore::dagster.BetaWarning")
NOW = dt.datetime.now(dt.UTC)
ROWS = Figure(1, NOW, "silver.orders", "rows", 1.0, "Count")


class Client:
    """Keeps what is put, within CloudWatch's limits."""

    def __init__(self) -> None:
        self.calls: list[list[dict[str, object]]] = []

    def put_metric_data(self, Namespace: str, MetricData: list[dict[str, object]]) -> None:  # noqa: N803 - as boto3
        assert Namespace == "Lake"
        assert len(MetricData) <= 1_000
        assert all(len(datum["Values"]) <= 150 for datum in MetricData)  # type: ignore[arg-type]
        self.calls.append(MetricData)


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    made = Client()
    monkeypatch.setattr(cloudwatch, "client", lambda _: made)
    return made


def test_figures_of_one_minute_are_one_datum_with_frequencies(client: Client) -> None:
    figures = [replace(ROWS, position=at, value=float(at % 200)) for at in range(1_000)]
    Metrics("Lake", "/srv/lake").deliver([*figures, replace(ROWS, asset="gold.totals")])
    [data] = client.calls
    assert [(len(datum["Values"]), sum(datum["Counts"])) for datum in data] == [(150, 750.0), (50, 250.0), (1, 1.0)]  # type: ignore[arg-type,call-overload]


def test_many_metrics_are_several_requests(client: Client) -> None:
    Metrics("Lake", "/srv/lake").deliver([replace(ROWS, asset=f"silver.{at}") for at in range(250)])
    assert [len(call) for call in client.calls] == [100, 100, 50]


def test_figures_that_cloudwatch_would_refuse_for_their_age_hold_nothing_up(client: Client) -> None:
    Metrics("Lake", "/srv/lake").deliver([replace(ROWS, at=NOW - dt.timedelta(days=15))])
    assert client.calls == []


class Kept:
    """Keeps figures; fails at a call."""

    name, at_once, looks_back, takes = "kept", 3, 0, Figure

    def __init__(self) -> None:
        self.figures: list[Figure] = []
        self.fails_at = 2

    def deliver(self, news: Sequence[Figure]) -> None:
        self.fails_at -= 1
        if not self.fails_at:
            raise OSError
        self.figures += news


@pytest.mark.slow
def test_a_run_gives_rows_quality_seconds_and_bytes_and_none_is_lost_in_a_failure(shop: Shop) -> None:
    channel = Kept()
    tell(shop.lake, shop.instance, [channel], 0)
    shop.land("march.csv", "1,a,2,01/03/2011,1.50", "2,a,3,02/03/2011,1.50", "3,a,x,03/03/2011,1.50")
    shop.run()
    for _ in range(2):
        tell(shop.lake, shop.instance, [channel], 0)
    found: dict[tuple[str, str], list[float]] = {}
    for figure in dict.fromkeys(channel.figures):
        found.setdefault((figure.asset, figure.name), []).append(figure.value)
    assert found["landing.orders", "objects"] == [1]
    assert found["landing.orders", "bytes"] == [93]
    assert found["bronze.orders", "rows"] == [1, 1, 1]
    assert found["silver.orders", "rows"] == [1, 1]
    assert found["silver.orders", "quality_score"] == [1, 1]
    assert found["silver.orders", "backlog"] == [3]  # the run failed: a date is held
    assert found["quarantine.orders", "rows"] == [1]
    assert found["gold.totals", "rows"] == [1, 1]
    assert found["gold.totals", "backlog"] == [2, 0]
    assert 0 < found["gold.totals", "seconds"][0] < 60


@pytest.mark.slow
def test_cloudwatch_has_the_figures(cloud: AwsEmulator) -> None:
    Metrics("Lake", "/srv/lake").deliver([ROWS, replace(ROWS, value=3.0), replace(ROWS, value=3.0)])
    [metric] = cloud.client("cloudwatch").list_metrics(Namespace="Lake")["Metrics"]
    assert metric["MetricName"] == "rows"
    dimensions = [{"Name": "lake", "Value": "/srv/lake"}, {"Name": "asset", "Value": "silver.orders"}]
    assert sorted(metric["Dimensions"], key=str) == sorted(dimensions, key=str)
    [point] = cloud.client("cloudwatch").get_metric_statistics(
        Namespace="Lake", MetricName="rows", Dimensions=dimensions, Period=86_400, Statistics=["Sum", "Maximum"],
        StartTime=NOW - dt.timedelta(days=1), EndTime=NOW + dt.timedelta(days=1),
    )["Datapoints"]  # fmt: skip
    assert (point["Sum"], point["Maximum"], point["Unit"]) == (7.0, 3.0, "Count")
