"""The SNS topic: a message per fact for people, with attributes for subscription filters. Not here: its words."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from lakehouse_assets.alerts.aws import client
from lakehouse_assets.alerts.facts import Fact
from lakehouse_assets.alerts.wording import Message, messages

_SHOWN = 50


class Topic:
    """A topic by its ARN. Of a FIFO topic, subscribers see each message once."""

    name, at_once, looks_back, takes = "sns", 500, 0, Fact

    def __init__(self, arn: str) -> None:
        self.arn = arn

    def deliver(self, news: Sequence[Fact]) -> None:
        for message in messages(news):
            client("sns").publish(
                TopicArn=self.arn,
                Subject=message.subject,
                Message=message.body,
                MessageAttributes=_attributes(message),
                **(self._in_order(message) if self.arn.endswith(".fifo") else {}),
            )

    def _in_order(self, message: Message) -> dict[str, str]:
        last = message.facts[-1]
        return {"MessageGroupId": last.severity, "MessageDeduplicationId": f"{message.facts[0].id}_{last.id}"}


def _attributes(message: Message) -> dict[str, Any]:
    """Return lists: a filter policy matches a digest if it matches any fact in it."""
    last = message.facts[-1]
    found = {
        "kind": _list(fact.kind for fact in message.facts),
        "severity": _list([last.severity]),
        "asset": _list(asset for fact in message.facts for asset in fact.assets),
        "date": _list(date for fact in message.facts for date in fact.dates),
    }
    return {
        **{name: {"DataType": "String.Array", "StringValue": text} for name, text in found.items() if text != "[]"},
        "id": {"DataType": "String", "StringValue": last.id},
        "lake": {"DataType": "String", "StringValue": last.lake},
    }


def _list(values: Iterable[str]) -> str:
    return json.dumps(list(dict.fromkeys(values))[:_SHOWN])
