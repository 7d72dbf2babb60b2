"""What the stack costs: `python -m deploy.cost` writes docs/cost.md from the templates and a list of prices.

A test writes it anew and compares. Not here: prices, and what a lake of one's own does; docs/cost.md says what is
assumed.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy import prices
from deploy.prices import HOURS
from deploy.templates import DEFAULT_PARTS, OPTIONAL_PARTS, Template, resources
from deploy.templates import read as read_template

PAGE = Path(__file__).parent.parent / "docs" / "cost.md"
PRICES = {name: price.usd for name, price in prices.PRICES.items()}
_CRAWLS, _CRAWL_DPU_H = 52 / 12, 2 / 6
_LOOKS = HOURS * 60
_QUEUE_FIGURES = 6
_MINUTES = {"Test": 30, "Image": 10, "Deploy": 45}
"""Of the projects of the pipeline, for one commit. The waiting for alarms is in the last."""


_MINUTES_OF_JOBS = 15
"""Of instances, for one forecast: an assumption. The scripts work for some seconds; the rest is starting."""


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
    made = [one for one in resources(part).values() if _is_made(template, one, chosen)]
    costs = [cost for one in made for cost in _of(one, chosen) if cost.usd]
    sums: dict[str, float] = {}
    for cost in costs:
        sums[cost.what] = sums.get(cost.what, 0) + cost.usd
    return [Cost(what, usd) for what, usd in sums.items()] + list(_habits(part))


def _is_made(template: Template, one: Template | list[Template], chosen: Mapping[str, str]) -> bool:
    """Return whether a resource is made; one whose condition is not a comparison of a parameter always is."""
    condition = template.get("Conditions", {}).get(one.get("Condition")) if isinstance(one, dict) else None
    match condition:
        case {"Fn::Equals": [{"Ref": name}, value]}:
            return bool(chosen[name] == value)
    return True


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
        case "AWS::RedshiftServerless::Namespace" if said["ManageAdminPassword"]:
            yield Cost("secret", PRICES["secret, a month"])
        case "AWS::Kinesis::Stream":
            yield Cost("Kinesis stream", int(chosen["EventShards"]) * HOURS * PRICES["shard of Kinesis, an hour"])
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


def _posts(posts: int) -> float:
    """Return what posts of 5 KB at most cost, which Firehose counts as 5 KB."""
    gateway = posts * PRICES["1,000,000 calls of an API Gateway (REST)"] / 1e6
    return gateway + posts * 5 / 2**20 * PRICES["GB into Firehose"]


def _streamed(events: int) -> float:
    """Return what events of 5 KB at most cost in a stream, beside its hours, and in Firehose."""
    units = events * PRICES["1,000,000 units of 25 KB into Kinesis"] / 1e6
    return units + events * 5 / 2**20 * PRICES["GB into Firehose"]


def _forecasts() -> float:
    """Return what a month of forecasts by jobs costs: a training and a transform each day."""
    return 30 * _MINUTES_OF_JOBS / 60 * PRICES["ml.m5.large of SageMaker, an hour"]


def _spark(vcpus: float, gb: float) -> float:
    """Return what an hour of workers of EMR Serverless costs."""
    return vcpus * PRICES["vCPU of EMR Serverless, an hour"] + gb * PRICES["GB of EMR Serverless, an hour"]


def _largest() -> tuple[int, int]:
    """Return the vCPUs and GB that the jobs of Spark have at most."""
    declared = read_template("spark")["Parameters"]
    return declared["SparkVcpus"]["Default"], declared["SparkGigabytes"]["Default"]


def _commit() -> float:
    """Return what a commit costs on its way through the pipeline."""
    made = resources("cicd")
    sizes = {name: made[name]["Properties"]["Environment"]["ComputeType"] for name in _MINUTES}
    minute = {name: PRICES[f"{size} of CodeBuild, a minute"] for name, size in sizes.items()}
    return sum(
        minutes * (minute[name] + PRICES["action of CodePipeline, a minute"]) for name, minutes in _MINUTES.items()
    )


def _table(costs: Iterable[Cost]) -> list[str]:
    rows = list(costs)
    total = Cost("**sum**", sum(cost.usd for cost in rows))
    return ["| what | USD |", "| --- | ---: |", *(f"| {cost.what} | {cost.usd:,.2f} |" for cost in [*rows, total]), ""]


def default_month() -> list[Cost]:
    """Return what each default part costs in an idle month, each line with its part."""
    return [Cost(f"{part}: {cost.what}", cost.usd) for part in DEFAULT_PARTS for cost in per_month(part)]


def _where(price: prices.Price) -> str:
    return f"<https://{price.page}>, {price.of or 'no date'}" if price.page else "**not verified**"


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
        _changed("ingest", "HasEventStream", "true"),
        _changed("database", "DatabaseInTwoZones", "true"),
    ]
    vcpus, gb = _largest()
    uses = [
        Cost("`serving`: a million rows that change, each two writes", 2 * PRICES["1,000,000 writes of DynamoDB"]),
        Cost("`serving-api`: a million questions", PRICES["1,000,000 calls of an API Gateway (REST)"]),
        Cost("`ingest`: a million posts, each of 5 KB at most", _posts(1_000_000)),
        Cost("`ingest`: a million events in a Kinesis stream, each of 5 KB at most", _streamed(1_000_000)),
        Cost(
            "`warehouse`: an RPU hour; 4 RPUs at least, a minute at least",
            PRICES["RPU of Redshift Serverless, an hour"],
        ),
        Cost("`warehouse`: a GB kept for a month", PRICES["GB in Redshift, a month"]),
        Cost("`forecast`: a month with a training and a batch transform each day", _forecasts()),
        Cost("`spark`: a worker of 4 vCPUs and 16 GB for an hour; a minute at least", _spark(4, 16)),
        Cost(f"`spark`: an hour at its largest, {vcpus} vCPUs and {gb} GB", _spark(vcpus, gb)),
        Cost("`cicd`: a commit that is tested, made an image and deployed", _commit()),
        Cost("`audit`: a million reads and writes of objects", PRICES["1,000,000 data events of CloudTrail"]),
        Cost("`audit`: a GB of flow logs", PRICES["GB of flow logs in S3"]),
        Cost("`quicksight`: an author for a month", PRICES["author of QuickSight, a month"]),
        Cost("`quicksight`: a reader for a month", PRICES["reader of QuickSight, a month"]),
        Cost(
            "`quicksight`: a thousand visuals that are opened, 10 MB of Athena each",
            1e3 * 1e7 * PRICES["TB scanned by Athena"] / 1e12,
        ),
        Cost("figures: each asset and name that was told of in a month", PRICES["custom metric, a month"]),
        Cost("Athena: a TB scanned", PRICES["TB scanned by Athena"]),
    ]
    lines = [
        "# What it costs",
        "",
        "Made by `python -m deploy.cost` from the templates of `deploy/stack` and list prices, without",
        f"free tiers, taxes and discounts. They are those of {prices.REGION}.",
        "The last table says where each one was read.",
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
        "## Prices",
        "",
        "Read in November 2026, in stored copies of these pages. AWS's own pages have those of today. **Not verified**",
        "is a price that no page was found for.",
        "",
        "| what | USD | where, of when |",
        "| --- | ---: | --- |",
        *(f"| {name} | {one.usd:g} | {_where(one)} |" for name, one in prices.PRICES.items()),
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
