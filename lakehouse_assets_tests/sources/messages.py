"""Messages about a bucket as S3, SNS and EventBridge send them; keys encoded as each of them does."""

import json
from typing import Any
from urllib.parse import quote_plus

FORMS = ("notification", "sns", "eventbridge", "eventbridge over sns")
_DETAIL_TYPES = {"ObjectCreated:Put": "Object Created", "ObjectRemoved:Delete": "Object Deleted"}


def notification(*records: dict[str, Any]) -> str:
    return json.dumps({"Records": list(records)})


def record(bucket: str, key: str, event: str = "ObjectCreated:Put", **more: Any) -> dict[str, Any]:
    """Return one record of a notification; `size`, `eTag` and `sequencer` are of the object."""
    told = {"key": quote_plus(key), **more}
    return {"eventSource": "aws:s3", "eventName": event, "s3": {"bucket": {"name": bucket}, "object": told}}


def over_sns(message: str) -> str:
    return json.dumps({"Type": "Notification", "TopicArn": "arn:aws:sns:us-east-1:123456789012:t", "Message": message})


def event_bridge(bucket: str, key: str, event: str = "ObjectCreated:Put", **more: Any) -> str:
    told = {"key": key, **{name.lower(): value for name, value in more.items()}}
    detail = {"bucket": {"name": bucket}, "object": told}
    return json.dumps({"source": "aws.s3", "detail-type": _DETAIL_TYPES.get(event, event), "detail": detail})


def message(form: str, bucket: str, key: str, event: str = "ObjectCreated:Put", **more: Any) -> str:
    """Return a message about one object in one of `FORMS`."""
    plain = event_bridge if form.startswith("eventbridge") else lambda *a, **m: notification(record(*a, **m))
    text = plain(bucket, key, event, **more)
    return over_sns(text) if form.endswith("sns") else text
