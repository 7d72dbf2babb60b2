"""What each asset costs: a record per step of a run, and the table `ops.costs`. Not here: measuring a step."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import polars as pl

from lakehouse_assets.catalog import day_records, query_costs
from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Column, Table
from lakehouse_assets.contracts.partitioning import Partitioning
from lakehouse_assets.settings import Settings
from lakehouse_assets.storage.s3_usage import Usage

_FOLDER, _SEPARATOR = "ops/costs", "!"
_HOUR_S = 3_600
_K = 1_024  # units of a vCPU, and MiB of a GB, in ECS
TABLE = Table(
    layer="ops",
    name="costs",
    columns={
        "dt": Column(pl.Date(), "Day on which it was spent, UTC."),
        "asset": Column(pl.String(), "Asset for which a step of a run worked; catalog.athena for all of Athena."),
        "steps": Column(pl.Int64(), "Steps of runs, failed ones included."),
        "seconds": Column(pl.Float64(), "How long they took."),
        "s3_gets": Column(pl.Int64(), "GET and HEAD requests of the lake's own S3 client."),
        "s3_puts": Column(pl.Int64(), "PUT and LIST requests of the lake's own S3 client."),
        "s3_bytes_read": Column(pl.Int64(), "Bytes that these read."),
        "s3_bytes_written": Column(pl.Int64(), "Bytes that these wrote."),
        "bytes_scanned": Column(pl.Int64(), "Bytes that queries in Athena scanned."),
        "task_usd": Column(pl.Float64(), "Seconds by size and price of the task; 0 where no size is set."),
        "s3_usd": Column(pl.Float64(), "What these requests cost in US dollars."),
        "athena_usd": Column(pl.Float64(), "What these queries cost in US dollars."),
        "usd": Column(pl.Float64(), "The sum, in US dollars."),
    },
    partitioning=Partitioning.SNAPSHOT,
    description=(
        "What each asset cost, by day, at the prices of the settings. Not in it: requests that delta-rs and Polars "
        "make of S3, stored bytes, sensors, the daemon, the web server, other services."
    ),
    owner="team:data-platform",
)
_SCHEMA = TABLE.types


@dataclass(frozen=True)
class StepCost:
    """What one step of a run cost.

    Attributes:
        seconds: How long it took.
        task_usd: US dollars.
        s3_usd: US dollars.
    """

    seconds: float
    s3_gets: int
    s3_puts: int
    s3_bytes_read: int
    s3_bytes_written: int
    task_usd: float
    s3_usd: float

    @classmethod
    def of(cls, chosen: Settings, seconds: float, used: Usage, tags: Mapping[str, str]) -> "StepCost":
        """Return what time and requests cost at the prices of the settings.

        Args:
            tags: Of the run: where the settings name a size, those of ECS name the one that this run asked for.
        """
        vcpus, gb = chosen.task_vcpus, chosen.task_gb
        if vcpus or gb:
            vcpus, gb = int(tags.get("ecs/cpu", vcpus * _K)) / _K, int(tags.get("ecs/memory", gb * _K)) / _K
        hourly = vcpus * chosen.usd_per_vcpu_hour + gb * chosen.usd_per_gb_hour
        s3 = (used.gets * chosen.usd_per_1000_s3_gets + used.puts * chosen.usd_per_1000_s3_puts) / 1_000
        return cls(
            round(seconds, 3),
            used.gets,
            used.puts,
            used.bytes_read,
            used.bytes_written,
            task_usd=round(seconds / _HOUR_S * hourly, 9),
            s3_usd=round(s3, 9),
        )

    @property
    def usd(self) -> float:
        """The sum, in US dollars."""
        return self.task_usd + self.s3_usd


def is_recorded(lake: Lake) -> bool:
    """Return whether steps cost anything that the settings have a price for."""
    chosen = lake.settings
    return chosen.is_s3 or chosen.task_vcpus > 0 or chosen.task_gb > 0


def record(lake: Lake, asset: str, run: str, cost: StepCost) -> None:
    """Record what a step cost.

    Args:
        asset: With a dot, such as `silver.sales`.
        run: Its id.
    """
    day_records.create(lake, _FOLDER, _SEPARATOR.join([run, asset, *map(str, asdict(cost).values())]))


def scan(lake: Lake) -> pl.LazyFrame:
    """Return the rows of `ops.costs` lazily."""
    return day_records.scan(_SCHEMA, lambda days: _by_day(lake, days))


def _by_day(lake: Lake, days: pl.Expr | None) -> pl.DataFrame:
    """Return the rows of the days that fulfil a condition on `dt`; of all days without one."""
    names = list(StepCost.__dataclass_fields__)
    found = []
    for day, stored in day_records.records(lake, _FOLDER, days):
        _, asset, *figures = stored.path.rpartition("/")[2].removesuffix(".json").split(_SEPARATOR)
        found.append({"dt": day, "asset": asset, "steps": 1, **dict(zip(names, map(float, figures), strict=True))})
    queries = query_costs.by_day(lake, days).select(
        "dt", "bytes_scanned", asset=pl.lit("catalog.athena"), athena_usd=pl.col("usd")
    )
    rows = pl.concat([pl.DataFrame(found, schema=_SCHEMA, strict=False), queries], how="diagonal_relaxed")
    figures = [name for name in _SCHEMA if name not in {"dt", "asset", "usd"}]
    summed = rows.group_by("dt", "asset").agg(pl.col(figures).sum())
    return summed.with_columns(usd=pl.sum_horizontal("task_usd", "s3_usd", "athena_usd")).select(
        pl.col(name).cast(dtype) for name, dtype in _SCHEMA.items()
    ).sort("dt", "asset")  # fmt: skip
