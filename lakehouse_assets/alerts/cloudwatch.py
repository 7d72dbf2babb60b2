"""CloudWatch metrics: the figures of each asset, by minute. Not here: what the figures are."""

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from lakehouse_assets.alerts.aws import client
from lakehouse_assets.alerts.figures import Figure

_VALUES, _DATA = 150, 100
"""Distinct values of one datum, as CloudWatch allows, and data of one request, which stay far below its megabyte."""
_TAKEN_FOR = dt.timedelta(days=13)
"""CloudWatch refuses what is older than two weeks."""


class Metrics:
    """A namespace. Its metrics have the dimensions `lake` and `asset`, and no date: each date more would cost more."""

    name, at_once, looks_back, takes = "cloudwatch", 1_000, 0, Figure

    def __init__(self, namespace: str, lake: str) -> None:
        self.namespace, self.lake = namespace, lake

    def deliver(self, news: Sequence[Figure]) -> None:
        data = list(self._data(news))
        for first in range(0, len(data), _DATA):
            client("cloudwatch").put_metric_data(Namespace=self.namespace, MetricData=data[first : first + _DATA])

    def _data(self, figures: Sequence[Figure]) -> Iterator[dict[str, Any]]:
        """Yield the figures of each metric and minute with their frequencies; those that are too old are left out."""
        oldest = dt.datetime.now(dt.UTC) - _TAKEN_FOR
        groups: dict[tuple[dt.datetime, str, str, str], Counter[float]] = {}
        for figure in figures:
            minute = figure.at.replace(second=0, microsecond=0)
            if minute > oldest:
                groups.setdefault((minute, figure.asset, figure.name, figure.unit), Counter())[figure.value] += 1
        for (minute, asset, name, unit), counts in groups.items():
            values = list(counts)
            for first in range(0, len(values), _VALUES):
                some = values[first : first + _VALUES]
                yield {
                    "MetricName": name,
                    "Dimensions": [{"Name": "lake", "Value": self.lake[:1024]}, {"Name": "asset", "Value": asset}],
                    "Timestamp": minute,
                    "Values": some,
                    "Counts": [float(counts[value]) for value in some],
                    "Unit": unit,
                }
