"""What the stack costs: `python -m deploy.cost` writes docs/cost.md from the templates and a list of prices.

A test writes it anew and compares. Not here: what a lake of one's own does; docs/cost.md says what is assumed.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.templates import DEFAULT_PARTS, OPTIONAL_PARTS, Template, resources
from deploy.templates import read as read_template

PAGE = Path(__file__).parent.parent / "docs" / "cost.md"
DATE, REGION, HOURS = "2025", "us-east-1", 730
"""Of which year the prices are, and where they hold. AWS's own pages have those of today."""
PRICES = {
    "key, a month": 1.0,
    "secret, a month": 0.40,
    "alarm, a month": 0.10,
    "custom metric, a month": 0.30,
    "interface endpoint in a zone, an hour": 0.01,
    "public IPv4 address, an hour": 0.005,
    "load balancer, an hour": 0.0225,
    "db.t4g.micro, an hour": 0.016,
    "db.t4g.small, an hour": 0.032,
    "GB of a database (gp3), a month": 0.115,
    "ARM64 vCPU of Fargate, an hour": 0.03238,
    "ARM64 GB of Fargate, an hour": 0.00356,
    "X86_64 vCPU of Fargate, an hour": 0.04048,
    "X86_64 GB of Fargate, an hour": 0.004445,
    "DPU of Glue, an hour": 0.44,
    "GB in S3, a month": 0.023,
    "1,000 writes of S3": 0.005,
    "1,000 reads of S3": 0.0004,
    "1,000,000 requests of SQS": 0.40,
    "1,000,000 writes of DynamoDB": 0.625,
    "GB of logs": 0.50,
    "GB in ECR, a month": 0.10,
    "TB scanned by Athena": 5.0,
    "1,000,000 data events of CloudTrail": 1.0,
    "GB of flow logs in S3": 0.25,
}
"""US dollars."""
_CRAWLS, _CRAWL_DPU_H = 52 / 12, 2 / 6
_LOOKS = HOURS * 60
_QUEUE_FIGURES = 6


@dataclass(frozen=True)
class Cost:
    """One line of a bill: `usd` a month, or a TB."""

    what: str
    usd: float


_EACH = {
    "AWS::KMS::Key": Cost("key", PRICES["key, a month"]),
    "AWS::SecretsManager::Secret": Cost("secret", PRICES["secret, a month"]),
    "AWS::CloudWatch::Alarm": Cost("alarms", PRICES["alarm, a month"]),
    "AWS::ElasticLoadBalancingV2::LoadBalancer": Cost("load balancer", HOURS * PRICES["load balancer, an hour"]),
    "AWS::Glue::Crawler": Cost("crawler, once a week", _CRAWLS * _CRAWL_DPU_H * PRICES["DPU of Glue, an hour"]),
}
"""What costs the same whatever its properties say."""


def per_month(part: str, values: Mapping[str, str] | None = None) -> list[Cost]:
    """Return what a part costs in a month in which nothing lands.

    Args:
        values: Of parameters of its template, where they are not the defaults.
    """
    template = read_template(part)
    chosen = {name: str(one.get("Default", "")) for name, one in template["Parameters"].items()} | dict(values or {})
    costs = [cost for one in resources(part).values() for cost in _of(one, chosen) if cost.usd]
    sums: dict[str, float] = {}
    for cost in costs:
        sums[cost.what] = sums.get(cost.what, 0) + cost.usd
    return [Cost(what, usd) for what, usd in sums.items()] + list(_habits(part))


def _of(one: Template | list[Template], chosen: Mapping[str, str]) -> Iterator[Cost]:
    """Yield what a resource costs because it is there."""
    if isinstance(one, list):  # Fn::ForEach: a name, its values, what is made for each
        for made in one[2].values():
            yield from (cost for _ in one[1] for cost in _of(made, chosen))
        return
    said = one.get("Properties", {})
    match one["Type"]:
        case "AWS::EC2::VPCEndpoint" if said["VpcEndpointType"] == "Interface":
            zones = int(chosen["Zones"])
            yield Cost("interface endpoints", zones * HOURS * PRICES["interface endpoint in a zone, an hour"])
        case "AWS::RDS::DBInstance":
            instances = 2 if chosen["DatabaseInTwoZones"] == "true" else 1
            hour = PRICES[f"{chosen['DatabaseSize']}, an hour"]
            yield Cost("database", instances * HOURS * hour)
            gb = int(said["AllocatedStorage"])
            yield Cost("storage of the database", instances * gb * PRICES["GB of a database (gp3), a month"])
        case "AWS::ECS::Service":
            task = resources("service")[said["TaskDefinition"]["Ref"]]["Properties"]
            yield Cost("service", HOURS * _fargate(task, chosen["Architecture"]))
            if chosen["HasEndpoints"] == "false":
                yield Cost("its address", HOURS * PRICES["public IPv4 address, an hour"])
        case kind if kind in _EACH:
            yield _EACH[kind]


def _fargate(task: Template, architecture: str) -> float:
    """Return what a task costs in an hour."""
    cpu, gb = int(task["Cpu"]) / 1024, int(task["Memory"]) / 1024
    return (
        cpu * PRICES[f"{architecture} vCPU of Fargate, an hour"] + gb * PRICES[f"{architecture} GB of Fargate, an hour"]
    )


def _habits(part: str) -> Iterator[Cost]:
    """Yield what a part costs because the lake looks at it while nothing lands."""
    if part == "events":
        yield Cost("the queue is asked every 30 seconds", 2 * _LOOKS * PRICES["1,000,000 requests of SQS"] / 1e6)
    elif part == "storage":
        yield Cost("ten looks into the bucket each minute", 10 * _LOOKS * PRICES["1,000 reads of S3"] / 1e3)
    elif part == "registry":
        yield Cost("an image of 1 GB", PRICES["GB in ECR, a month"])
    elif part == "service":
        run = resources("service")["RunTask"]["Properties"]
        yield Cost("a run of three minutes each day", 30 * 3 / 60 * _fargate(run, "ARM64"))
        yield Cost("1 GB of log lines", PRICES["GB of logs"])
    elif part == "alerts":
        yield Cost("figures of the queue", _QUEUE_FIGURES * PRICES["custom metric, a month"])


def per_tb() -> list[Cost]:
    """Return what 1 TB costs that lands as files of 10 MB, once."""
    files, partitions = 100_000, 5_000
    write, read = PRICES["1,000 writes of S3"] / 1e3, PRICES["1,000 reads of S3"] / 1e3
    message, scanned = PRICES["1,000,000 requests of SQS"] / 1e6, PRICES["TB scanned by Athena"] / 1e12
    run = _fargate(resources("service")["RunTask"]["Properties"], "ARM64")
    return [
        Cost("landing: 100,000 writes", files * write),
        Cost("bronze, silver and gold: three writes for each file", 3 * files * write),
        Cost("each is read three times", 3 * files * read),
        Cost("messages: received and deleted, ten in a request", 2 * files / 10 * message),
        Cost("runs: 56 hours of a task at 5 MB a second", 1e12 / 5e6 / 3600 * run),
        Cost("a look of Athena at each of 5,000 partitions, 10 MB at least", partitions * 1e7 * scanned),
        Cost("kept for a month: landing, and as much again in tables", 2 * 1000 * PRICES["GB in S3, a month"]),
    ]


def _table(costs: Iterable[Cost]) -> list[str]:
    rows = list(costs)
    total = Cost("**sum**", sum(cost.usd for cost in rows))
    return ["| what | USD |", "| --- | ---: |", *(f"| {cost.what} | {cost.usd:,.2f} |" for cost in [*rows, total]), ""]


def default_month() -> list[Cost]:
    """Return what each default part costs in an idle month, each line with its part."""
    return [Cost(f"{part}: {cost.what}", cost.usd) for part in DEFAULT_PARTS for cost in per_month(part)]


def _changed(part: str, name: str, value: str) -> Cost:
    """Return what a month costs more with another value of a parameter."""
    more = sum(cost.usd for cost in per_month(part, {name: value})) - sum(cost.usd for cost in per_month(part))
    return Cost(f"`{name}={value}`", more)


def page() -> str:
    """Return docs/cost.md."""
    optional = [Cost(f"`{part}`: {cost.what}", cost.usd) for part in OPTIONAL_PARTS for cost in per_month(part)]
    optional += [
        _changed("endpoints", "Zones", "2"),
        _changed("service", "HasEndpoints", "true"),
        _changed("service", "Architecture", "X86_64"),
        _changed("database", "DatabaseSize", "db.t4g.small"),
        _changed("database", "DatabaseInTwoZones", "true"),
    ]
    uses = [
        Cost("`serving`: a million rows that change, each two writes", 2 * PRICES["1,000,000 writes of DynamoDB"]),
        Cost("`audit`: a million reads and writes of objects", PRICES["1,000,000 data events of CloudTrail"]),
        Cost("`audit`: a GB of flow logs", PRICES["GB of flow logs in S3"]),
        Cost("figures: each asset and name that was told of in a month", PRICES["custom metric, a month"]),
        Cost("Athena: a TB scanned", PRICES["TB scanned by Athena"]),
    ]
    lines = [
        "# What it costs",
        "",
        "Made by `python -m deploy.cost` from the templates of `deploy/stack` and list prices, without",
        f"free tiers, taxes and discounts. They are those of {REGION} in {DATE} (`deploy/cost.py`); no test asks AWS.",
        "",
        "## An idle month of the default parts",
        "",
        *_table(default_month()),
        "## Other parts and values, a month more",
        "",
        *["| what | USD |", "| --- | ---: |", *(f"| {cost.what} | {cost.usd:+,.2f} |" for cost in optional), ""],
        "## What is paid by use",
        "",
        *["| what | USD |", "| --- | ---: |", *(f"| {cost.what} | {cost.usd:,.2f} |" for cost in uses), ""],
        "## 1 TB that lands",
        "",
        "In files of 10 MB. The speed of a run is an assumption; `benchmarks/` measures yours.",
        "",
        *_table(per_tb()),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
