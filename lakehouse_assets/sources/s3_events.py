"""What a message about an S3 bucket says: which objects were created or removed. Pure functions of its text.

Four forms are read: S3's own, that form inside an SNS notification, EventBridge's, and the test that S3 sends when a
queue is first connected. Not here: what an event means for a lake, and the queue.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import unquote_plus

Kind = Literal["created", "removed", "other"]
_KINDS: Mapping[str, Kind] = {
    "ObjectCreated": "created",
    "ObjectRestore:Completed": "created",
    "ObjectRemoved": "removed",
    "LifecycleExpiration": "removed",
    "Object Created": "created",
    "Object Restore Completed": "created",
    "Object Deleted": "removed",
}
_SHOWN = 60


class UnknownMessageError(ValueError):
    """A message in none of the forms that are read; the text says why."""


@dataclass(frozen=True)
class ObjectEvent:
    """What happened to one object.

    Attributes:
        kind: `created` (also a version more, or restored from an archive), `removed`, or `other`: its bytes are as they
            were.
        size: Bytes, as far as the message says so.
        token: The ETag without quotes, as far as the message says so; else empty.
        sequencer: Orders the events of one key: see `newest`.
    """

    bucket: str
    key: str
    kind: Kind
    size: int = 0
    token: str = ""
    sequencer: str = ""


@dataclass(frozen=True)
class Announcement:
    """The events that a message names. `note` says why a message that is understood names none."""

    events: tuple[ObjectEvent, ...]
    note: str = ""


def read(body: str) -> Announcement:
    """Return what a message says.

    Raises:
        UnknownMessageError: It has none of the forms that are read.
    """
    content = _json(body)
    if content.get("Type") == "Notification" and isinstance(content.get("Message"), str):
        content = _json(content["Message"])  # SNS without raw delivery
    if "Type" in content and "TopicArn" in content:
        msg = f"it is an SNS message of the type {_short(content['Type'])}, which names no object"
        raise UnknownMessageError(msg)
    if content.get("Event") == "s3:TestEvent":
        return Announcement((), "the test that S3 sends when a queue is connected")
    if isinstance(content.get("Records"), list):
        events = tuple(_read_as(_of_notification, record) for record in content["Records"])
        return Announcement(events, "" if events else "a notification without a record")
    if content.get("source") == "aws.s3" and "detail-type" in content:
        return Announcement((_read_as(_of_event_bridge, content),))
    named = ", ".join(_short(name) for name in list(content)[:5]) or "nothing"
    msg = f"it is no S3 notification, SNS notification or EventBridge event of S3: it holds {named}"
    raise UnknownMessageError(msg)


def newest(events: Iterable[ObjectEvent]) -> dict[str, ObjectEvent]:
    """Return the last event of each key among events of one bucket, in whatever order they came."""
    found: dict[str, ObjectEvent] = {}
    for event in events:
        before = found.get(event.key)
        if before is None or _is_later(event.sequencer, before.sequencer):
            found[event.key] = event
    return found


def _is_later(sequencer: str, other: str) -> bool:
    """Return whether a sequencer is later than another one of the same key: the shorter one ends in zeros."""
    width = max(len(sequencer), len(other))
    return sequencer.upper().ljust(width, "0") > other.upper().ljust(width, "0")


def _json(text: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        msg = "it is no JSON"
        raise UnknownMessageError(msg) from None
    if not isinstance(content, dict):
        msg = "it is no JSON object"
        raise UnknownMessageError(msg)
    return content


def _read_as(form: Callable[[Any], ObjectEvent], record: Any) -> ObjectEvent:  # noqa: ANN401 - JSON
    try:
        return form(record)
    except UnicodeError:
        msg = "a key in it is no UTF-8"
    except (KeyError, TypeError, AttributeError):
        msg = "a record in it lacks the bucket, the key or the name of the event"
    raise UnknownMessageError(msg)


def _of_notification(record: Any) -> ObjectEvent:  # noqa: ANN401 - JSON
    if record["eventSource"] != "aws:s3":
        msg = f"a record in it comes from {_short(record['eventSource'])}, not from S3"
        raise UnknownMessageError(msg)
    found = record["s3"]["object"]
    name = record["eventName"].removeprefix("s3:")
    key = unquote_plus(found["key"], errors="strict")
    kind = _KINDS.get(name) or _KINDS.get(name.partition(":")[0], "other")
    return _event(record["s3"]["bucket"]["name"], key, kind, found, "eTag")


def _of_event_bridge(event: Any) -> ObjectEvent:  # noqa: ANN401 - JSON
    # Here, other than in a notification, the key is as it is.
    found = event["detail"]["object"]
    kind = _KINDS.get(event["detail-type"], "other")
    return _event(event["detail"]["bucket"]["name"], found["key"], kind, found, "etag")


def _event(bucket: str, key: str, kind: Kind, found: Mapping[str, Any], etag: str) -> ObjectEvent:
    if not (isinstance(bucket, str) and isinstance(key, str) and bucket and key):
        raise TypeError
    key.encode()  # a lone surrogate is no key
    size, token, sequencer = found.get("size"), found.get(etag), found.get("sequencer")
    return ObjectEvent(
        bucket,
        key,
        kind,
        size if isinstance(size, int) and size > 0 else 0,
        token.strip('"') if isinstance(token, str) else "",
        sequencer if isinstance(sequencer, str) else "",
    )


def _short(value: object) -> str:
    return repr(str(value)[:_SHOWN])
