"""What the services of the account hold after the lake's work, as its users ask them. Not here: how it is shown."""

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deploy.demo_aws.account import Account
from deploy.demo_aws.stacks import Clients

_LEVELS = {"quality_score", "backlog", "waiting", "in_flight", "dead_letters", "objects_waiting", "bytes_waiting"}
_COUNTS = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")


@dataclass(frozen=True)
class Held:
    """What each service holds.

    Attributes:
        arrivals: Messages of S3 that wait, and that are in flight.
        dead_letters: Messages that nobody could handle.
        glue: Tables by database.
        on_call: SNS messages that the subscribed queue received, in order.
        events: Events that the listener got from the bus, in order.
        errors: Attributes of each problem in the error log.
        served: Items of served rows, as DynamoDB has them.
        metrics: Sum of the values of each metric by asset and name; the average of a metric that is a level.
    """

    arrivals: tuple[int, int]
    dead_letters: int
    glue: Mapping[str, list[Any]]
    on_call: list[dict[str, Any]]
    events: list[dict[str, Any]]
    errors: list[dict[str, str]]
    served: list[dict[str, Any]]
    metrics: Mapping[tuple[str, str], float]


def look(clients: Clients, account: Account) -> Held:
    """Ask every service. Messages of the subscribed queues are taken out of them."""
    return Held(
        waiting(clients, account.queue),
        sum(waiting(clients, account.dead_letters)),
        _glue(clients, account),
        _received(clients, account.on_call),
        _received(clients, account.listener),
        _errors(clients, account),
        _served(clients, account),
        _metrics(clients, account),
    )


def waiting(clients: Clients, queue: str) -> tuple[int, int]:
    """Return how many messages of a queue wait, and how many are in flight."""
    found = clients("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=list(_COUNTS))["Attributes"]
    return int(found[_COUNTS[0]]), int(found[_COUNTS[1]])


def _glue(clients: Clients, account: Account) -> dict[str, list[Any]]:
    return {name: clients("glue").get_tables(DatabaseName=name)["TableList"] for name in account.databases}


def _received(clients: Clients, queue: str) -> list[dict[str, Any]]:
    sqs, found = clients("sqs"), list[dict[str, Any]]()
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            found.append(json.loads(message["Body"]))
    return found


def _errors(clients: Clients, account: Account) -> list[dict[str, str]]:
    items = clients("dynamodb").scan(TableName=account.settings["LAKEHOUSE_ERRORS_TABLE"])["Items"]
    return [{name: value["S"] for name, value in item.items() if "S" in value} for item in items]


def _served(clients: Clients, account: Account) -> list[dict[str, Any]]:
    pages = clients("dynamodb").get_paginator("scan").paginate(TableName=account.settings["LAKEHOUSE_SERVING_TABLE"])
    return [item for page in pages for item in page["Items"] if "_place" in item]


def _metrics(clients: Clients, account: Account) -> dict[tuple[str, str], float]:
    cloudwatch, now, sums = clients("cloudwatch"), dt.datetime.now(dt.UTC), dict[tuple[str, str], float]()
    for metric in cloudwatch.list_metrics(Namespace=account.name)["Metrics"]:
        dimensions = {one["Name"]: one["Value"] for one in metric["Dimensions"]}
        points = cloudwatch.get_metric_statistics(
            Namespace=account.name,
            MetricName=metric["MetricName"],
            Dimensions=metric["Dimensions"],
            StartTime=now - dt.timedelta(hours=2),
            EndTime=now + dt.timedelta(hours=1),
            Period=3600,
            Statistics=["Sum", "SampleCount"],
        )["Datapoints"]
        name, total = metric["MetricName"], sum(point["Sum"] for point in points)
        looks = sum(point["SampleCount"] for point in points) if name in _LEVELS else 1
        sums[dimensions["asset"], name] = total / (looks or 1)
    return sums
