"""A REST API with customers for tests: a real HTTP server, every kind of pages, and faults on demand."""

import datetime as dt
import email.utils
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

Fault = Callable[["Handler", bytes], bytes | None]
"""What is wrong with an answer: gets the right body; returns the body to send, or None where it has answered itself."""


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    protocol_version = "HTTP/1.1"
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
        records: Each with `id` and `at`.
        largest: Records of a page, whatever is asked for.
        wanted: What the header has to say.
        faults: By the number of the request, from 0; each happens once.
        before_answer: Called with the number of each request, before it is answered.
        ahead: How far its clock is ahead of ours.
    """

    records: list[dict[str, Any]]
    largest: int = 1_000
    wanted: str | None = None
    header: str = "Authorization"
    faults: dict[int, Fault] = field(default_factory=dict)
    before_answer: Callable[[int], None] | None = None
    ahead: dt.timedelta = dt.timedelta()
    asked: list[str] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def now(self) -> dt.datetime:
        """Return the time by its clock."""
        return dt.datetime.now(dt.UTC) + self.ahead

    def page(self, path: str) -> tuple[bytes, str | None]:
        """Return the body of a page, and the header `Link`."""
        parts = urlsplit(path)
        given = {name: values[0] for name, values in parse_qs(parts.query).items()}
        since = given.get("updated_since", "")
        found = [record for record in self.records if record["at"] >= since]
        size = min(int(given.get("per_page", given.get("limit", 3))), self.largest)
        start = int(given.get("offset", given.get("cursor", (int(given.get("page", 1)) - 1) * size)))
        end = start + size
        left = end < len(found)
        document: dict[str, Any] = {"data": found[start:end], "total": len(found)}
        next_url = f"{self.address}{parts.path}?cursor={end}&updated_since={since}"
        if parts.path == "/cursor":
            document["next"] = str(end) if left else None
        if parts.path == "/next":
            document["links"] = {"next": next_url if left else None}
        link = f'<{next_url}>; rel="next"' if parts.path == "/link" and left else None
        return json.dumps(document).encode(), link

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


def customer(number: int, minute: int, name: str = "Anna") -> dict[str, Any]:
    """Return a record: a customer who changed some minutes after the beginning of 2026."""
    at = dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + dt.timedelta(minutes=minute)
    return {"id": number, "shop": "A", "name": name, "city": "Bern", "at": f"{at:%Y-%m-%dT%H:%M:%SZ}", "op": "U"}
