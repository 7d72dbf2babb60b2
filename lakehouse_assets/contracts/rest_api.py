"""Where a feed's objects come from when a REST API gives them: `Feed(extract=RestApi(...))`.

Here: the declaration, and which ones make no sense. Not here: asking the API, and what else the feed declares.
"""

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from lakehouse_assets.contracts.source import ContractError

_URL = re.compile(r"(https?://[^/\s?#]+)?/[^\s?#]*")


@dataclass(frozen=True)
class Bearer:
    """A token in the header `Authorization`.

    Attributes:
        secret: The name of the secret that holds it.
    """

    secret: str


@dataclass(frozen=True)
class ApiKey:
    """A key in a header of its own.

    Attributes:
        secret: The name of the secret that holds it.
    """

    secret: str
    header: str = "X-Api-Key"


@dataclass(frozen=True)
class Pages:
    """Pages by number. The last one is empty.

    Records that are added or deleted meanwhile move others to another page. So each page is asked for once more after
    the next one: when it has changed, all of them are read again.

    Attributes:
        page: Parameter for the number.
        size: Parameter for the records of a page; None where the API has none.
        records: How many to ask for.
        first: The number of the first page.
    """

    page: str = "page"
    size: str | None = "per_page"
    records: int = 100
    first: int = 1


@dataclass(frozen=True)
class Offset:
    """Pages by the number of records before them. The last one is empty.

    Each page begins with the last record of the one before: when it does not, records have moved, and all pages are
    read again.

    Attributes:
        offset: Parameter for the records before the page.
        limit: Parameter for the records of a page.
        records: How many to ask for.
    """

    offset: str = "offset"
    limit: str = "limit"
    records: int = 100

    def __post_init__(self) -> None:
        if self.records < 2:  # noqa: PLR2004 - one of them is that of the page before
            msg = f"Offset(records={self.records}): it is a number from 2; correct it."
            raise ContractError(msg)


@dataclass(frozen=True)
class Cursor:
    """Each page names a cursor, with which the next one is asked for. The API keeps the place.

    Attributes:
        at: The path to the cursor in a page, names joined by dots; null or missing in the last page.
        param: Parameter for the cursor.
    """

    at: str
    param: str = "cursor"


@dataclass(frozen=True)
class NextUrl:
    """Each page has the address of the next one.

    Attributes:
        at: The path to the address in a page, names joined by dots; None for the header `Link` with `rel="next"`.
    """

    at: str | None = None


@dataclass(frozen=True)
class UpdatedSince:
    """What changed since the extraction before.

    Attributes:
        param: Parameter for the time from which on changes are wanted.
        overlap: How much earlier than the beginning of the extraction before, by the API's clock, that time is. At
            least as long as a change may take from its time stamp until the API shows it.
        format: How the time, UTC, is written.
    """

    param: str = "updated_since"
    overlap: dt.timedelta = dt.timedelta(minutes=10)
    format: str = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class RestApi:
    """An API whose pages land as they come, byte for byte.

    Attributes:
        url: Address of the records; one that begins with `/` is below that of the setting `LAKEHOUSE_API_URL`.
        pages: How the next page is asked for.
        auth: What to show the API; None where it asks for nothing.
        since: How to ask for changes only; None where each extraction reads everything.
        params: Parameters of every request.
        total: The path to the number of all records in a page: what was read is compared with it. None: it says none.
        cron: When to extract, UTC; None: when somebody asks for it.
        per_second: Requests a second, at most.
        timeout_s: Seconds without an answer after which a request is made again.
        patience_s: Seconds for which one page is tried.
    """

    url: str
    pages: Pages | Offset | Cursor | NextUrl
    auth: Bearer | ApiKey | None = None
    since: UpdatedSince | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    total: str | None = None
    cron: str | None = None
    per_second: float = 5
    timeout_s: float = 30
    patience_s: float = 300

    def __post_init__(self) -> None:
        if not _URL.fullmatch(self.url):
            msg = f"RestApi(url={self.url!r}): it is https://host/path, or /path below LAKEHOUSE_API_URL; correct it."
            raise ContractError(msg)
        for name in ("per_second", "timeout_s", "patience_s"):
            if not getattr(self, name) > 0:
                msg = f"RestApi({name}={getattr(self, name)!r}): it is a number above 0; correct it."
                raise ContractError(msg)
