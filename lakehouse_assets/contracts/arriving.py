"""What a feed cannot declare when its records come one by one: out of an API or a stream, or posted.

Not here: the declarations of an API (`rest_api`) and of a stream (`kinesis`).
"""

from typing import Protocol

from lakehouse_assets.contracts.file_format import Format, Json
from lakehouse_assets.contracts.keys import Delivery
from lakehouse_assets.contracts.kinesis import KinesisStream
from lakehouse_assets.contracts.rest_api import RestApi
from lakehouse_assets.contracts.semantics import Duplicates, Snapshot


class Declared(Protocol):
    """What is read here of a feed."""

    @property
    def extract(self) -> RestApi | KinesisStream | None: ...

    @property
    def posted(self) -> bool: ...

    @property
    def format(self) -> Format | None: ...

    @property
    def duplicates(self) -> Duplicates: ...

    @property
    def snapshot(self) -> Snapshot: ...

    @property
    def delivery(self) -> Delivery: ...


def refusal(feed: Declared) -> str | None:
    """Return what a feed cannot declare with its way of arriving, and what to change; None if there is nothing."""
    if feed.extract is None and not feed.posted:
        return None
    way = "posted" if feed.posted else "extract"
    if feed.format is not None and not isinstance(feed.format, Json):
        return f"{way} is for records in JSON; declare format=Json(...), or leave format out."
    is_stream = feed.posted or isinstance(feed.extract, KinesisStream)
    if is_stream and isinstance(feed.format, Json) and (feed.format.records or feed.format.encoding):
        return f"{way}: the records land one after the other, in UTF-8; leave format out."
    if feed.duplicates == "keep":
        return (
            f'{way}: a record may arrive more than once, and duplicates="keep" would count each; declare its id, or a '
            "key."
        )
    if feed.snapshot == "latest" or feed.delivery == "full":
        return (
            f'{way}: each landed object has some of the records, so none is a whole delivery: snapshot="latest" and '
            'delivery="full" are for files. Declare a key, and deleted_when for records that delete.'
        )
    return None
