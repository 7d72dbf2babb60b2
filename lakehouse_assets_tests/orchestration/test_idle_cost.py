"""What an idle lake on S3 costs: requests counted by a proxy before a real S3 server, at list prices."""

from collections.abc import Callable

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.settings import Settings
from lakehouse_assets_tests import retail
from lakehouse_assets_tests.faults.proxy import FaultyProxy, no_faults
from lakehouse_assets_tests.orchestration.daemon import Daemon
from lakehouse_assets_tests.orchestration.watched import rows
from lakehouse_assets_tests.retail import sales_csv
from lakehouse_assets_tests.s3_server import S3Server

pytestmark = pytest.mark.slow

_SENSORS = ("landing_sensor", "tables_sensor")
_SECONDS_A_MONTH = 30.5 * 24 * 3600
_USD_LIST, _USD_GET = 0.005 / 1_000, 0.0004 / 1_000


def _usd(proxy: FaultyProxy) -> float:
    """Return the price of the requests since the proxy began to count: a listing is a GET of the bucket."""
    return sum(
        _USD_GET if request.method in {"GET", "HEAD"} and request.key else _USD_LIST for request in proxy.known_versions
    )


def test_an_idle_lake_costs_less_than_two_dollars_a_month_and_a_new_file_is_still_found(
    s3_server: S3Server, s3_lake: Lake, daemon_of: Callable[..., Daemon], monkeypatch: pytest.MonkeyPatch
) -> None:
    interval = Settings().idle_interval_s
    with FaultyProxy(s3_server.port) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{proxy.port}")
        daemon = daemon_of(s3_lake, idle_interval_s=interval)
        now = [1_900_000_000.0]  # in the future: no run was updated since
        monkeypatch.setattr("lakehouse_assets.defs.automation.refresh.time.time", lambda: now[0])
        for day in (1, 2):
            retail.land(s3_lake, f"{day}.csv", sales_csv(2, f"2011-03-0{day}"))
            now[0] += interval
            while requests := [request for sensor in _SENSORS for request in daemon.requests(sensor)]:
                for request in requests:
                    assert daemon.launch(request).success
                now[0] += interval

        proxy.follow(no_faults)
        for sensor in _SENSORS:
            assert not daemon.requests(sensor)
        assert not proxy.known_versions, "a look that comes before the interval is over asks for nothing"

        now[0] += interval
        for sensor in _SENSORS:
            assert not daemon.requests(sensor)
        assert proxy.known_versions
        assert _usd(proxy) * _SECONDS_A_MONTH / interval < 2

        retail.land(s3_lake, "3.csv", sales_csv(2, "2011-03-03"))
        now[0] += interval
        assert daemon.requests("landing_sensor")
        assert rows(s3_lake) == {"2011-03-01": 2, "2011-03-02": 2}
