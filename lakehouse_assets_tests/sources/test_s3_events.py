"""Messages about a bucket: each form is read, whatever the key; every other text is named, and never a traceback."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse_assets.sources.s3_events import Announcement, ObjectEvent, UnknownMessageError, newest, read
from lakehouse_assets_tests.sources.messages import FORMS, message, notification, over_sns, record

KEYS = ["landing/sales/day.csv", "a b+c/100%/ü€/日.csv", "a%2Bb.csv", "+", "a&b=c;d?e#f.csv", "x\ny\t.csv", '"q".csv']
TEST_EVENT = '{"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "lake"}'
NAMES = st.sampled_from(
    ["Records", "eventSource", "eventName", "s3", "bucket", "object", "name", "key", "size", "eTag", "Type", "Message",
     "source", "detail", "detail-type", "Event", "sequencer"]
)  # fmt: skip
WORDS = st.sampled_from(["aws:s3", "aws.s3", "Notification", "ObjectCreated:Put", "%FF", "\ud800", "{}", ""])
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=4), inner, max_size=5),
    max_leaves=15,
)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("key", KEYS)
def test_every_form_names_the_same_object(form: str, key: str) -> None:
    said = read(message(form, "lake", key, size=7, eTag="abc", sequencer="0A"))
    assert said == Announcement((ObjectEvent("lake", key, "created", 7, "abc", "0A"),))


@pytest.mark.slow
@given(st.sampled_from(FORMS), st.text(st.characters(codec="utf-8"), min_size=1, max_size=30))
@settings(max_examples=60)
def test_any_key_is_read_as_it_is(form: str, key: str) -> None:
    assert [event.key for event in read(message(form, "lake", key)).events] == [key]


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ("ObjectCreated:Put", "created"),
        ("s3:ObjectCreated:CompleteMultipartUpload", "created"),
        ("ObjectRestore:Completed", "created"),
        ("ObjectRestore:Post", "other"),
        ("ObjectRemoved:DeleteMarkerCreated", "removed"),
        ("LifecycleExpiration:Delete", "removed"),
        ("ObjectTagging:Put", "other"),
        ("Something:New", "other"),
    ],
)
def test_what_happened_follows_from_the_name_of_the_event(event: str, kind: str) -> None:
    assert [found.kind for found in read(message("notification", "lake", "k", event)).events] == [kind]


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ("Object Created", "created"),
        ("Object Restore Completed", "created"),
        ("Object Deleted", "removed"),
        ("Object Tags Added", "other"),
    ],
)
def test_so_it_does_in_the_form_of_event_bridge(event: str, kind: str) -> None:
    assert [found.kind for found in read(message("eventbridge", "lake", "k", event)).events] == [kind]


def test_a_message_with_several_records_names_each_of_them() -> None:
    body = notification(record("lake", "a"), record("other", "b", "ObjectRemoved:Delete"))
    assert [(event.bucket, event.key, event.kind) for event in read(body).events] == [
        ("lake", "a", "created"),
        ("other", "b", "removed"),
    ]


@pytest.mark.parametrize("body", [TEST_EVENT, over_sns(TEST_EVENT), '{"Records": []}'])
def test_a_message_that_names_no_object_says_why(body: str) -> None:
    said = read(body)
    assert said.events == ()
    assert said.note


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("", "no JSON"),
        ("{", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[]", "no JSON object"),
        ("{}", "it holds nothing"),
        ('{"hello": 1}', "it holds 'hello'"),
        (over_sns("hello"), "no JSON"),
        ('{"Type": "SubscriptionConfirmation", "TopicArn": "t", "Message": "m"}', "'SubscriptionConfirmation'"),
        ('{"source": "aws.ec2", "detail-type": "x"}', "it holds 'source'"),
        ('{"source": "aws.s3", "detail-type": "Object Created", "detail": {}}', "lacks the bucket"),
        ('{"Records": [{}]}', "lacks the bucket"),
        ('{"Records": [1]}', "lacks the bucket"),
        (notification({**record("lake", "k"), "eventSource": "aws:sns"}), "'aws:sns', not from S3"),
        (notification(record("", "k")), "lacks the bucket"),
        (notification(record("lake", "")), "lacks the bucket"),
        (notification(record("lake", "k")).replace('"k"', '"%FF"'), "no UTF-8"),
        (notification(record("lake", "k")).replace('"k"', r'"\ud800"'), "no UTF-8"),
    ],
)
def test_another_text_is_named(body: str, why: str) -> None:
    with pytest.raises(UnknownMessageError, match=why):
        read(body)


@pytest.mark.slow(covered=True)
@given(ANY_JSON)
@settings(max_examples=150)
def test_no_text_is_a_traceback(content: Any) -> None:
    for body in (json.dumps(content), over_sns(json.dumps(content)), str(content)):
        with suppress(UnknownMessageError):
            assert all(event.key and event.bucket for event in read(body).events)


@pytest.mark.parametrize(("earlier", "later"), [("0A", "0B"), ("0A", "0A1"), ("", "00A"), ("0a", "0B")])
def test_the_last_event_of_a_key_counts_in_any_order(earlier: str, later: str) -> None:
    events = [ObjectEvent("lake", "k", "created", sequencer=earlier), ObjectEvent("lake", "k", "removed", 0, "", later)]
    assert newest(events) == newest(reversed(events)) == {"k": events[1]}
