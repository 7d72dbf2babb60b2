"""What a Glue crawler found in landing that no contract knows. The crawler is started, and waited for.

Its tables are its own: the lake reads them, and writes none. Not here: the tables of the lake in Glue.
"""

import re
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from lakehouse_assets.catalog.glue_calls import GlueCalls, MissingError, RaceError
from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import ContractError, Feed
from lakehouse_assets.contracts.wording import counted
from lakehouse_assets.parsing.header_names import is_header
from lakehouse_assets.storage.stores import StorageError

_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 15.0
_SHOWN, _LONGEST = 20, 40


@dataclass(frozen=True)
class Crawled:
    """What a crawler has below landing after a crawl.

    Attributes:
        tables: How many tables.
        folders: Those in folders of no feed, a line each. Names of columns are not shown: nothing says that the first
            line of these files is a header, and no record.
        columns: Columns in folders of feeds that the contract does not know, a line for each table.
    """

    tables: int
    folders: list[str]
    columns: list[str]

    @property
    def is_known(self) -> bool:
        """Whether contracts know all of it."""
        return not self.folders and not self.columns


def crawl(lake: Lake) -> Crawled:
    """Run the crawler of the settings to its end, and compare what it has with the contracts.

    Raises:
        ContractError: What is declared is not known, so nothing can be compared.
        StorageError: There is no such crawler, it failed, or it took too long.
    """
    if lake.registry.broken:
        msg = f"The crawler was not started: what is declared is not known. {lake.registry.broken[0]}"
        raise ContractError(msg)
    calls = GlueCalls(lake.store.options.get("AWS_REGION"))
    crawler = run_to_its_end(calls, lake.settings.glue_crawler, lake.settings.glue_crawler_wait_s)
    return compared(lake, (calls.tables(crawler["DatabaseName"]) or {}).values())


def run_to_its_end(calls: GlueCalls, name: str, patience_s: float) -> Any:  # noqa: ANN401 - as Glue has it
    """Start a crawler, wait until it is ready again, and return it. A crawl that is under way is waited for.

    Args:
        patience_s: Seconds after which it is left to itself.
    """
    try:
        before = calls.crawler(name)
        with suppress(RaceError):
            calls.start_crawler(name)
    except MissingError as error:
        msg = (
            f"There is no Glue crawler {name!r}. Nothing was looked at; make it (docs/aws.md says how), or unset "
            "LAKEHOUSE_GLUE_CRAWLER."
        )
        raise StorageError(msg) from error
    deadline, pause = time.monotonic() + patience_s, _PAUSE_S
    while not _has_ended(now := calls.crawler(name), before):
        if time.monotonic() + pause > deadline:
            msg = (
                f"The Glue crawler {name!r} took more than {patience_s:,.0f} s, and still runs. Nothing was compared; "
                "materialize the asset again, which waits for the same crawl, or raise LAKEHOUSE_GLUE_CRAWLER_WAIT_S."
            )
            raise StorageError(msg)
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE_S)
    if now["LastCrawl"].get("Status") in {"FAILED", "CANCELLED"}:
        why = now["LastCrawl"].get("ErrorMessage", "Glue says no reason").rstrip(".")
        msg = (
            f"The crawl of the Glue crawler {name!r} is {now['LastCrawl']['Status'].lower()}: {why}. Nothing was "
            "compared; look at its log in Glue, then materialize the asset again."
        )
        raise StorageError(msg)
    return now


def compared(lake: Lake, tables: Iterable[Any]) -> Crawled:
    """Compare tables of a crawler with the contracts, those that are in landing and that it has not given up.

    Args:
        tables: As Glue has them.
    """
    landing, folders, columns, count = f"{lake.settings.root}/landing/", list[str](), list[str](), 0
    feeds = {feed.landing.partition("/")[2]: feed for feed in lake.registry.feeds.values()}
    for table in tables:
        place = f"{table['StorageDescriptor'].get('Location', '').rstrip('/')}/"
        if not place.startswith(landing) or "DEPRECATED_BY_CRAWLER" in table.get("Parameters", {}):
            continue
        count += 1
        folder, names = place.removeprefix(landing), [one["Name"] for one in table["StorageDescriptor"]["Columns"]]
        feed = feeds.get(folder.partition("/")[0])
        if feed is None:
            folders.append(f"`landing/{folder}`: {counted(len(names), 'column')}, and no feed of this name")
        elif unknown := list(_unknown(feed, names)):
            columns.append(f"`{feed.landing}`: {_in_words(feed, names, unknown)}")
    return Crawled(count, folders, columns)


def _has_ended(now: Any, before: Any) -> bool:  # noqa: ANN401
    """Return whether a crawl ended since: a crawler may be said to be ready for a moment after its start."""
    is_another = bool(now.get("LastCrawl")) and now["LastCrawl"] != before.get("LastCrawl")
    return bool(now["State"] == "READY") and is_another


def _unknown(feed: Feed, names: Iterable[str]) -> Iterator[str]:
    """Yield the columns that no column of the contract is read from; of a path, its first field is one."""
    headers = [header for source in feed.sources.values() for header in source.headers]
    known = {_plain(name) for header in headers for name in (header, header.partition(".")[0])}
    return (name for name in names if _plain(name) not in known)


def _plain(name: str) -> str:
    """Return a name as it is the same in Glue, which writes names in its own way."""
    return re.sub(r"\W", "_", name.strip().casefold())


def _in_words(feed: Feed, names: list[str], unknown: list[str]) -> str:
    if not is_header(names, (header for source in feed.sources.values() for header in source.headers)):
        return f"{counted(len(unknown), 'column')}, none of them of the contract: perhaps the header is missing"
    more = f" and {len(unknown) - _SHOWN:,} more" if len(unknown) > _SHOWN else ""
    return ", ".join(repr(name[:_LONGEST]) for name in unknown[:_SHOWN]) + more
