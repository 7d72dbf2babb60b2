"""The pages of an API: what to ask for after a page, and whether records moved between two pages.

Not here: asking, retrying, landing.
"""

import datetime as dt
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit

from lakehouse_assets.contracts.rest_api import Cursor, NextUrl, Offset, Pages, RestApi

Identity = Callable[[object], object]
"""By what a record is known, wherever it stands."""


class ExtractionError(Exception):
    """An API did not give what was asked for; the message names the request, the consequence and the fix."""


class RefusedError(ExtractionError):
    """An API answered that it will not give a page."""


class CutError(Exception):
    """An answer is no JSON."""


class MovedError(Exception):
    """Records moved from page to page while they were read: a page may lack some."""


@dataclass(frozen=True)
class Question:
    """A request for one page.

    Attributes:
        number: How many pages were read before it.
        before: How many records were.
        repeats: Whether it begins with the last record of the page before.
    """

    url: str
    params: Mapping[str, str] = field(default_factory=dict)
    number: int = 0
    before: int = 0
    repeats: bool = False

    @property
    def shown(self) -> str:
        """The address for messages: without its query, which may hold a credential."""
        return self.url.partition("?")[0]


class Answer(NamedTuple):
    """A page: its bytes, and what they say.

    Attributes:
        link: The address of the next page, from the header `Link`.
        at: The API's own time.
    """

    question: Question
    body: bytes
    document: Any
    records: list[Any]
    link: str | None
    at: dt.datetime


def first(api: RestApi, url: str, since: dt.datetime | None) -> Question:
    """Return the request for the first page of what changed since some time; of everything, where none is given."""
    params = dict(api.params)
    if api.since is not None and since is not None:
        params[api.since.param] = since.strftime(api.since.format)
    return _placed(api, Question(url, params))


def following(api: RestApi, answer: Answer) -> Question | None:
    """Return the request for the page after one; None after the last.

    Raises:
        ExtractionError: The API names another host for the next page.
    """
    asked, records = answer.question, len(answer.records)
    number = asked.number + 1
    match api.pages:
        case Pages():
            return _placed(api, Question(asked.url, asked.params, number, asked.before + records)) if records else None
        case Offset():
            if not records:
                return None
            repeats = records > 1
            before = asked.before + records - repeats
            return _placed(api, Question(asked.url, asked.params, number, before, repeats))
        case Cursor(at, param):
            cursor = value_at(answer.document, at)
            if cursor in (None, ""):
                return None
            found = Question(asked.url, {**asked.params, param: str(cursor)}, number, asked.before + records)
        case NextUrl(at):
            link = answer.link if at is None else value_at(answer.document, at)
            if not link:
                return None
            found = Question(_below(asked.url, str(link)), {}, number, asked.before + records)
    return found


def can_resume(api: RestApi) -> bool:
    """Return whether what landed says how to go on: the header `Link` does not land."""
    return api.pages != NextUrl()


def answered(asked: Question, body: bytes, path: str | None, at: dt.datetime, link: str | None = None) -> Answer:
    """Return a page as what it says.

    Args:
        path: Where its records are; None for a page that is an array of records.

    Raises:
        CutError: It is no JSON: it was cut on its way, or is a page of errors.
        ExtractionError: It has no array of records there.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise CutError from None
    records = document if path is None else value_at(document, path)
    if not isinstance(records, list):
        where = "it is no array of records" if path is None else f"it has no array of records at {path!r}"
        msg = (
            f"{asked.shown}: the answer is JSON, but {where}. It did not land; "
            "correct format=Json(records=...) of the feed."
        )
        raise ExtractionError(msg)
    return Answer(asked, body, document, records, link, at)


def landed(api: RestApi, first: Question, number: int, before: int, body: bytes, path: str | None) -> Answer:
    """Return a page that has landed as the answer that it was, as far as it is needed to go on after it.

    Raises:
        CutError: It is no longer what landed.
    """
    asked = _placed(api, replace(first, number=number, before=before))
    answer = answered(asked, body, path, dt.datetime.min.replace(tzinfo=dt.UTC))
    is_repeating = isinstance(api.pages, Offset) and number > 0 and len(answer.records) > 1
    return answer._replace(question=replace(asked, repeats=is_repeating))


def check_place(previous: Answer, answer: Answer, identity: Identity) -> None:
    """Check that a page goes on where the one before ended. Raises `MovedError`."""
    before, now = [identity(record) for record in previous.records], [identity(record) for record in answer.records]
    if answer.question.repeats:
        if now[:1] != before[-1:]:
            raise MovedError
    elif now and now == before:
        raise MovedError


def check_still(previous: Answer, again: Answer, identity: Identity) -> None:
    """Check that a page that was asked for twice still has its records. Raises `MovedError`."""
    if [identity(record) for record in previous.records] != [identity(record) for record in again.records]:
        raise MovedError


def check_total(api: RestApi, last: Answer) -> None:
    """Check that as many records were read as the API says there are. Raises `MovedError`."""
    if api.total is not None and str(value_at(last.document, api.total)) != str(
        last.question.before + len(last.records)
    ):
        raise MovedError


def value_at(document: Any, path: str) -> Any:  # noqa: ANN401 - JSON
    """Return the value at a path of a JSON document; None where there is none."""
    for name in path.split("."):
        if not isinstance(document, dict) or name not in document:
            return None
        document = document[name]
    return document


def _placed(api: RestApi, asked: Question) -> Question:
    """Return a request with the parameters of its place."""
    match api.pages:
        case Pages(page, size, records, number):
            place = {page: str(number + asked.number)} | ({size: str(records)} if size else {})
        case Offset(offset, limit, records):
            place = {offset: str(asked.before), limit: str(records)}
        case _:
            place = {}
    return replace(asked, params={**asked.params, **place})


def _below(url: str, link: str) -> str:
    """Return the address of a link. Raises `ExtractionError` for another host: it would be shown the credential."""
    target = urljoin(url, link)
    if urlsplit(target)[:2] != urlsplit(url)[:2]:
        msg = (
            f"{url}: the next page is at {urlsplit(target).netloc or target!r}, another host, which is not asked: it "
            "would be shown the credential. What came before has landed; correct url, or ask the API's owner."
        )
        raise ExtractionError(msg)
    return target
