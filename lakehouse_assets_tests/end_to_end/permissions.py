"""What each statement of deploy/policies is for: the least that the lake, or Athena in its name, does with it.

Not here: the tests, and the work of a whole role.
"""

import datetime as dt
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import boto3

from deploy.demo_aws.account import Account, stream_of
from lakehouse_assets.alerts.cloudwatch import Metrics
from lakehouse_assets.alerts.dynamodb import DynamoProblems
from lakehouse_assets.alerts.eventbridge import Bus
from lakehouse_assets.alerts.figures import Figure
from lakehouse_assets.alerts.sns import Topic
from lakehouse_assets.catalog.athena_calls import AthenaCalls
from lakehouse_assets.catalog.glue_calls import GlueCalls, MissingError, RaceError
from lakehouse_assets.contracts.declare import KinesisStream
from lakehouse_assets.credentials import SecretsManager
from lakehouse_assets.extraction.stream import read_stream
from lakehouse_assets.serving import items
from lakehouse_assets.serving.dynamodb_calls import DynamoDbCalls
from lakehouse_assets.sources.sqs import SqsQueue
from lakehouse_assets.storage.s3 import S3Store
from lakehouse_assets_tests.alerts.test_wording import FACT
from lakehouse_assets_tests.aws_emulator import AwsEmulator
from lakehouse_assets_tests.local_server import REGION
from lakehouse_assets_tests.pipeline.declared import lake_of
from lakehouse_assets_tests.posted_tables import FEED


@dataclass(frozen=True)
class Cloud:
    """An account that enforces policies."""

    emulator: AwsEmulator
    account: Account

    @property
    def root(self) -> str:
        return self.account.settings["LAKEHOUSE_ROOT"]

    @property
    def database(self) -> str:
        return f"{self.account.settings['LAKEHOUSE_GLUE_PREFIX']}_gold"

    def client(self, service: str) -> Any:
        """Return a client of whoever the environment names now."""
        return boto3.client(service, region_name=REGION)


Step = Callable[[Cloud], object]


def _store(cloud: Cloud) -> S3Store:
    return S3Store(cloud.root)


def _receive(cloud: Cloud) -> None:
    queue = SqsQueue(cloud.account.queue)
    queue.hide([message.receipt for message in queue.receive(0)], 0)


def _glue() -> GlueCalls:
    return GlueCalls(REGION)


def _tables(cloud: Cloud) -> None:
    _glue().tables(cloud.database)


def _crawler(cloud: Cloud) -> None:
    with suppress(MissingError, RaceError):
        _glue().start_crawler(f"{cloud.account.name}-crawler")


def _athena(cloud: Cloud) -> AthenaCalls:
    return AthenaCalls(REGION, cloud.account.name)


def _list(folder: str) -> Step:
    return lambda cloud: list(_store(cloud).list(folder))


def _read(path: str) -> Step:
    def read(cloud: Cloud) -> None:
        if _store(cloud).stat(path):
            _store(cloud).read(path)

    return read


def _write(*paths: str) -> Step:
    return lambda cloud: [_store(cloud).replace(path, b"") for path in paths]


def _extract(cloud: Cloud) -> None:
    for folder in ("api", "kinesis/clicks", "forecast"):  # of no feed: later tests run in this bucket
        _store(cloud).create(f"landing/none/{folder}/one.json", b"[]")


def _read_stream(cloud: Cloud) -> None:
    read_stream(lake_of(cloud.root, FEED), FEED, KinesisStream(stream_of(cloud.account.name)))


def _metrics(cloud: Cloud) -> None:
    namespace = cloud.account.settings["LAKEHOUSE_METRICS_NAMESPACE"]
    Metrics(namespace, cloud.root).deliver([Figure(1, dt.datetime.now(dt.UTC), "silver.sales", "rows", 1.0, "Count")])


def _problems(cloud: Cloud) -> DynamoProblems:
    return DynamoProblems(cloud.account.settings["LAKEHOUSE_ERRORS_TABLE"], cloud.root)


def _credential(cloud: Cloud) -> None:
    SecretsManager().look_up(cloud.account.settings["LAKEHOUSE_SERVE_KEY_NAME"])


def _served_rows(cloud: Cloud) -> DynamoDbCalls:
    return DynamoDbCalls(cloud.account.settings["LAKEHOUSE_SERVING_TABLE"])


_LIST_LANDING, _READ_LANDED = _list("landing/sales"), _read("landing/sales/march.csv")
_RESULTS = {
    "AthenaFindsTheBucket": lambda cloud: cloud.client("s3").get_bucket_location(Bucket=cloud.account.bucket),
    "AthenaWritesResults": _write("athena-results/one.csv"),
}
STEPS: dict[str, dict[str, Step]] = {
    "run": {
        "ListTheLake": _LIST_LANDING,
        "ReadTheLake": _READ_LANDED,
        "WriteTheTables": _write(
            "gold/daily_sales/one.parquet", "pages/report.html", "forecast/sales/1/model.json", "staging/t/1/job.json"
        ),
        "LandWhatIsExtracted": _extract,
        "ReadTheStream": _read_stream,
        "DescribeTablesInGlue": _tables,
        "MakeDatabasesInGlue": lambda cloud: _glue().create_database(cloud.database, ""),
        "QueryInTheWorkgroup": lambda cloud: _athena(cloud).named_queries(),
        "MakeTheWorkgroup": lambda cloud: _athena(cloud).create_workgroup({}, ""),
        "AthenaReadsGlue": lambda cloud: cloud.client("glue").get_partitions(
            DatabaseName=cloud.database, TableName="daily_sales"
        ),
        **_RESULTS,
        "RunTheCrawler": _crawler,
        "ReadWhatItFound": lambda cloud: _glue().tables(cloud.database.replace("_gold", "_landing")),
        "WriteServedRows": lambda cloud: _served_rows(cloud).description(),
        "MakeTheServingTable": lambda cloud: _served_rows(cloud).create(**items.DESCRIBED),
        "ReadCredentials": _credential,
    },
    "api": {
        "ReadServedRows": lambda cloud: list(_served_rows(cloud).query(**items.of_series("metrics"))),
        "ReadTheKeyOfCallers": _credential,
    },
    "sensors": {
        "ListTheLake": _LIST_LANDING,
        "ReadTheLake": _READ_LANDED,
        "KeepWhatWasAnnounced": _write("announced/batch.json"),
        "HandleMessages": _receive,
        "CountMessages": lambda cloud: SqsQueue(cloud.account.queue).depth(),
        "TellPeople": lambda cloud: Topic(cloud.account.topic).deliver([FACT]),
        "TellSystems": lambda cloud: Bus(cloud.account.name).deliver([FACT]),
        "KeepTheErrorLog": lambda cloud: list(_problems(cloud).problems("silver.sales")),
        "KeepTheErrorLogInTheLake": _write("ops/errors/silver.sales/one.json"),
        "WriteMetrics": _metrics,
    },
    "analyst": {
        "ListTables": _list("gold/daily_sales"),
        "ReadTables": _read("gold/daily_sales/one.parquet"),
        "QueryInTheWorkgroup": lambda cloud: _athena(cloud).named_queries(),
        "FindTablesInGlue": _tables,
        "SayWhatAQueryCost": _write("query_costs/2026-11-22/one.json"),
        **_RESULTS,
    },
    "operator": {
        "ChangeLanding": _write("landing/sales/.hidden"),
        "RemoveTablesFromGlue": lambda cloud: _glue().delete(cloud.database, "gone"),
        "ResolveErrors": lambda cloud: list(_problems(cloud).problems()),
    },
    "sender": {"PutFilesOfAFeed": _write("landing/sales/.hidden")},
}
