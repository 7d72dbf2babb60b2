"""One request to an API, until it is answered or hopeless: rate, credential, retries. Not here: which requests.

Retries are tenacity's, the connection is that of requests. Redirects are not followed: the credential is for one host.
"""

import datetime as dt
import email.utils
import logging
import time
from types import TracebackType
from typing import Self

import requests
import tenacity

from lakehouse_assets import credentials
from lakehouse_assets.contracts.rest_api import ApiKey, Bearer, RestApi
from lakehouse_assets.extraction.paging import Answer, CutError, ExtractionError, Question, RefusedError, answered

_PIECE = 2**16
_TOO_MANY, _UNAUTHORIZED = 429, 401
_AGAIN = frozenset({408, 425, _TOO_MANY, 500, 502, 503, 504})
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.25, 60
_KEPT = "What came before has landed, and the next extraction goes on from there"


class _AgainError(Exception):
    """A request failed in a way that passes.

    Attributes:
        after_s: Seconds for which the API wants to be left alone.
    """

    def __init__(self, why: str, after_s: float = 0) -> None:
        super().__init__(why)
        self.after_s = after_s


class Client:
    """A connection to one API. Used as a context.

    Attributes:
        requests: How many were made.
    """

    def __init__(self, api: RestApi, records: str | None, largest: int) -> None:
        """Prepare the connection; it is opened by the first request.

        Args:
            records: The path to the records in a page.
            largest: Bytes of the largest page.
        """
        self.requests = 0
        self._api, self._records, self._largest = api, records, largest
        self._shown, self._asked_at = "", 0.0
        self._session = requests.Session()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._session.close()

    def ask(self, asked: Question) -> Answer:
        """Return the page that was asked for.

        Raises:
            ExtractionError: The API refuses it, or failed for as long as the declaration has patience.
        """
        wait = tenacity.wait_exponential_jitter(multiplier=_FIRST_WAIT_S, jitter=_FIRST_WAIT_S, max=_LONGEST_WAIT_S)
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_AgainError),
            wait=lambda state: max(wait(state), _after_s(state)),
            stop=tenacity.stop_before_delay(self._api.patience_s),
            before_sleep=self._tell,
            reraise=True,
        )
        try:
            return retrying(self._try, asked)
        except _AgainError as error:
            times = retrying.statistics["attempt_number"]
            msg = (
                f"{asked.shown}: page {asked.number + 1:,} failed {times:,} times, last because {error}. {_KEPT}; "
                "ask the API's owner, or raise patience_s of the declaration."
            )
            raise ExtractionError(msg) from None

    def _try(self, asked: Question) -> Answer:
        response, body = self._get(asked)
        if (
            response.status_code == _UNAUTHORIZED
            and self._api.auth
            and credentials.renewed(self._api.auth.secret, self._shown)
        ):
            response, body = self._get(asked)
        status = response.status_code
        if status in _AGAIN:
            why = f"it answered {status}"
            raise _AgainError(why, _asked_to_wait_s(response))
        if status != requests.codes.ok:
            shown = f"the secret {self._api.auth.secret!r}" if self._api.auth else "auth"
            fix = (
                f"look at {shown}"
                if status in {401, 403}
                else "correct url or params of the declaration, or LAKEHOUSE_API_URL"
            )
            msg = f"{asked.shown}: page {asked.number + 1:,} was answered {status} {response.reason}. {_KEPT}; {fix}."
            raise RefusedError(msg)
        link = response.links.get("next", {}).get("url")
        try:
            return answered(asked, body, self._records, _time_of(response), link)
        except CutError:
            if response.headers.get("Content-Type", "").lower().startswith("text/html"):
                msg = (
                    f"{asked.shown}: page {asked.number + 1:,} was answered with a web page (Content-Type text/html), "
                    f"not with JSON. {_KEPT}; correct url or params of the declaration, or LAKEHOUSE_API_URL."
                )
                raise ExtractionError(msg) from None
            raise _AgainError("the answer was cut, or is no JSON") from None

    def _tell(self, state: tenacity.RetryCallState) -> None:
        """Log that a request is made again: an API that fails for minutes looks like a process that hangs."""
        asked, error = state.args[0], state.outcome.exception() if state.outcome else None
        left = self._api.patience_s - (state.seconds_since_start or 0)
        logging.getLogger(__name__).warning(
            "%s: page %s failed, because %s. It is asked for again in %.1f s; without an answer, the extraction "
            "fails in %.0f s at the latest (patience_s).",
            asked.shown, f"{asked.number + 1:,}", error, state.upcoming_sleep, left,
        )  # fmt: skip

    def _get(self, asked: Question) -> tuple[requests.Response, bytes]:
        time.sleep(max(0.0, self._asked_at + 1 / self._api.per_second - time.monotonic()))
        self._asked_at = time.monotonic()
        self.requests += 1
        try:
            with self._session.get(
                asked.url,
                params=dict(asked.params),
                auth=self._show,
                timeout=self._api.timeout_s,
                allow_redirects=False,
                stream=True,
            ) as response:
                return response, self._body(asked, response)
        except requests.RequestException as error:
            # The text of these errors may quote what is sent.
            why = f"of a {type(error).__name__}"
            raise _AgainError(why) from None

    def _body(self, asked: Question, response: requests.Response) -> bytes:
        body, started = bytearray(), time.monotonic()
        for piece in response.iter_content(_PIECE):
            body += piece
            if len(body) > self._largest:
                msg = (
                    f"{asked.shown}: page {asked.number + 1:,} is larger than {self._largest:,} bytes. {_KEPT}; ask "
                    "for fewer records a page, or raise LAKEHOUSE_MAX_SOURCE_BYTES."
                )
                raise ExtractionError(msg)
            if time.monotonic() - started > self._api.patience_s:
                why = f"it took longer than {self._api.patience_s:g} s"
                raise _AgainError(why)
        return bytes(body)

    def _show(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the credential. As a callable it also keeps requests from taking another one out of a `.netrc`."""
        match self._api.auth:
            case Bearer(secret):
                self._shown = credentials.secret(secret)
                request.headers["Authorization"] = f"Bearer {self._shown}"
            case ApiKey(secret, header):
                self._shown = credentials.secret(secret)
                request.headers[header] = self._shown
        return request


def _after_s(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    return error.after_s if isinstance(error, _AgainError) else 0


def _asked_to_wait_s(response: requests.Response) -> float:
    """Return for how long the API wants to be left alone: its header has seconds, or a time by its own clock."""
    wanted = response.headers.get("Retry-After", "").strip()
    if wanted.isdigit():
        return float(wanted)
    try:
        return max(0.0, (email.utils.parsedate_to_datetime(wanted) - _time_of(response)).total_seconds())
    except (ValueError, TypeError):  # it has none, or a time without a zone
        return 0


def _time_of(response: requests.Response) -> dt.datetime:
    """Return the API's own time: what changes after it has a later time stamp. Ours, where it tells none."""
    try:
        return email.utils.parsedate_to_datetime(response.headers["Date"]).astimezone(dt.UTC)
    except (KeyError, ValueError):
        return dt.datetime.now(dt.UTC)
