"""The way in which a feed's objects are fetched, by its declaration. Not here: the ways themselves."""

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.contracts.kinesis import KinesisStream
from lakehouse_assets.extraction.extract import Extracted, extract
from lakehouse_assets.extraction.stream import StreamRead, read_stream


def fetch(lake: Lake, feed: Feed, *, full: bool = False) -> Extracted | StreamRead:
    """Land what a feed's API or stream has that is new, or everything.

    Raises:
        ContractError: There is nothing to ask.
        ExtractionError: It did not give what was asked for.
    """
    if isinstance(feed.extract, KinesisStream):
        return read_stream(lake, feed, feed.extract, full=full)
    return extract(lake, feed, full=full)
