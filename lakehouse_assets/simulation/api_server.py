"""A REST API as others run them, on this machine: a real HTTP server, every kind of pages, and faults on demand.

The simulated retailer is one; tests have one of their own. Not here: its records.
"""

import datetime as dt
import email.utils
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

_MOST_FAULTS = 1_000
Fault = Callable[["Handler", bytes], bytes | None]
"""What is wrong with an answer: gets the right body; returns the body to send, or None where it has answered itself."""


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are sent one after the other, which would else take 40 ms
    server: "_Server"

    def do_GET(self) -> None:
        """Answer with a page."""
        api = self.server.api
        with api.lock:
            number = len(api.asked)
            api.asked.append(self.path)
            if api.before_answer is not None:
                api.before_answer(number)
            expected = api.wanted
            if expected is not None and self.headers.get(api.header) != expected:
                self.send(b'{"error": "who are you?"}', 401)
                return
            body, link = api.page(self.path)
            fault = api.faults.pop(number, None)
        whole = body if fault is None else fault(self, body)
        if whole is not None:
            self.send(whole, 200, {"Link": link} if link else {})

    def do_POST(self) -> None:
        """Have a fault in the next answers: `/faults/429?count=3`."""
        api, parts = self.server.api, urlsplit(self.path)
        name = parts.path.removeprefix("/faults/")
        if name not in FAULTS:
            self.send(f"POST /faults/NAME?count=1; the names are {', '.join(FAULTS)}.\n".encode(), 404)
            return
        given = dict(parse_qs(parts.query)).get("count", ["1"])[0]
        if given not in map(str, range(1, _MOST_FAULTS + 1)):
            self.send(f"count is a number from 1 to {_MOST_FAULTS:,}; no fault was set.\n".encode(), 400)
            return
        count = int(given)
        with api.lock:
            first = len(api.asked)
            api.faults |= dict.fromkeys(range(first, first + count), FAULTS[name])
        self.send(f"{name} in the next {count} answers.\n".encode(), 200)

    def send(
        self, body: bytes, status: int, headers: Mapping[str, str] | None = None, length: int | None = None
    ) -> None:
        """Send an answer; with a length other than its own it is cut."""
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)
        if length is not None:
            self.close_connection = True

    def date_time_string(self, timestamp: float | None = None) -> str:  # noqa: ARG002 - as the base class has it
        return email.utils.format_datetime(self.server.api.now(), usegmt=True)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    api: "Api"


@dataclass
class Api:
    """The API: its records, in the order in which pages show them.

    Attributes:
        records: All that it has, whatever the path; `records_at` may tell paths apart.
        changed: The field that says when a record was changed.
        largest: Records of a page, whatever is asked for.
        wanted: What the header has to say.
        faults: By the number of the request, from 0; each happens once.
        before_answer: Called with the number of each request, before it is answered.
        ahead: How far its clock is ahead of ours.
        slow_s: Seconds that a slow answer takes.
    """

    records: list[dict[str, Any]] = field(default_factory=list)
    changed: str = "at"
    largest: int = 1_000
    wanted: str | None = None
    header: str = "Authorization"
    faults: dict[int, Fault] = field(default_factory=dict)
    before_answer: Callable[[int], None] | None = None
    ahead: dt.timedelta = dt.timedelta()
    slow_s: float = 0.7
    asked: list[str] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def now(self) -> dt.datetime:
        """Return the time by its clock."""
        return dt.datetime.now(dt.UTC) + self.ahead

    def records_at(self, path: str) -> list[dict[str, Any]]:  # noqa: ARG002 - one that tells paths apart looks at it
        """Return the records of a path."""
        return self.records

    def page(self, path: str, shifted: int = 0) -> tuple[bytes, str | None]:
        """Return the body of a page, and the header `Link`.

        Args:
            shifted: By how many places records have moved towards the end since the page before; a cursor moves along.
        """
        parts = urlsplit(path)
        given = {name: values[0] for name, values in parse_qs(parts.query).items()}
        since = given.get("updated_since", "")
        found = [record for record in self.records_at(parts.path) if record[self.changed] >= since]
        size = min(int(given.get("per_page", given.get("limit", 3))), self.largest)
        start = int(given.get("offset", given.get("cursor", (int(given.get("page", 1)) - 1) * size)))
        end = start + size
        shift = shifted if given.keys() & {"page", "offset"} else 0
        next_url = None
        if end < len(found):
            next_url = f"{self.address}{parts.path}?limit={size}&cursor={end}&updated_since={since}"
        document = {
            "data": found[max(0, start - shift) : max(0, end - shift)],
            "total": len(found),
            "next": str(end) if next_url else None,
            "links": {"next": next_url},
        }
        return json.dumps(document).encode(), f'<{next_url}>; rel="next"' if next_url else None

    def __enter__(self) -> Self:
        self._server = _Server(("127.0.0.1", 0), Handler)
        self._server.api = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"


def answer(status: int, **headers: str) -> Fault:
    """The right page comes with an error's status."""

    def fault(handler: Handler, body: bytes) -> None:
        handler.send(body, status, {name.replace("_", "-"): value for name, value in headers.items()})

    return fault


def cut(handler: Handler, body: bytes) -> None:
    """The connection ends in the middle of a page."""
    handler.send(body[: len(body) // 2], 200, length=len(body))


def half(_: Handler, body: bytes) -> bytes:
    """Half of a page comes as if it were all of it."""
    return body[: len(body) // 2]


def dropped(handler: Handler, _: bytes) -> None:
    """The connection ends without an answer."""
    handler.close_connection = True


def slow(handler: Handler, body: bytes) -> bytes:
    """A page takes a while."""
    time.sleep(handler.server.api.slow_s)
    return body


def shifted(handler: Handler, _: bytes) -> bytes:
    """A page comes as if a record had been added before it."""
    return handler.server.api.page(handler.path, shifted=1)[0]


FAULTS: Mapping[str, Fault] = {
    "429": answer(429, Retry_After="1"),
    "500": answer(500),
    "cut": cut,
    "half": half,
    "dropped": dropped,
    "slow": slow,
    "shifted": shifted,
}
"""What can be asked of a running one by name."""
