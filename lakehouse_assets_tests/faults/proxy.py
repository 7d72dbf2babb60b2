"""An HTTP proxy in front of the S3 server that counts requests and does to them what a bad day does.

The Host header passes untouched, so signatures hold. What happens to a request is decided by a plan: a function of the
request, asked once for each in the order of arrival. Not here: which faults are tried.
"""

import asyncio
import contextlib
import itertools
import os
import signal
import threading
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from types import TracebackType
from typing import Self

_WRITES = frozenset({"PUT", "POST", "DELETE"})
_REFUSAL = "<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>{code}</Message></Error>"
_CODES = {403: "AccessDenied", 500: "InternalError", 503: "SlowDown"}


class Cut(Enum):
    """Where a connection ends."""

    REQUEST = auto()
    """After half of the request's body went to the server; the client hears nothing."""
    ANSWER = auto()
    """The server has done it; the client hears nothing."""
    RESPONSE = auto()
    """After half of the response's body."""


class Kill(Enum):
    """When the process behind the request gets SIGKILL."""

    BEFORE = auto()
    """The server never hears of the request."""
    AFTER = auto()
    """The server has done it; the process never learns."""


@dataclass(frozen=True)
class Refuse:
    """Answer with an HTTP status instead of asking the server."""

    status: int


@dataclass(frozen=True)
class Delay:
    """Wait before asking the server."""

    seconds: float


Fault = Cut | Kill | Refuse | Delay | None


@dataclass(frozen=True)
class Request:
    """What a plan sees of a request: its number among all and, from 1, among those that write (0 if it does not)."""

    number: int
    write: int
    method: str
    key: str


Plan = Callable[[Request], Fault]


def no_faults(_: Request) -> Fault:
    """Let everything pass."""
    return None


@dataclass
class _Message:
    head: bytes
    body: bytes
    first: str
    headers: dict[str, str]


class FaultyProxy:
    """The proxy, on a port of its own in a thread of its own. `seen` lists the requests since the last plan."""

    def __init__(self, port: int) -> None:
        self._upstream = port
        self._plan: Plan = no_faults
        self._numbers, self._writes = itertools.count(1), itertools.count(1)
        self.known_versions: list[Request] = []
        self.victim: int | None = None
        self.port = 0

    def follow(self, plan: Plan) -> None:
        """Begin to count anew, under a plan."""
        self._numbers, self._writes, self.known_versions, self.victim = itertools.count(1), itertools.count(1), [], None
        self._plan = plan

    @property
    def writes(self) -> list[str]:
        """The requests that write, as text."""
        return [f"{request.method} {request.key}" for request in self.known_versions if request.write]

    def __enter__(self) -> Self:
        ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, args=(ready,), daemon=True)
        self._thread.start()
        ready.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _serve(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._main(ready))
        self._loop.close()

    async def _main(self, ready: threading.Event) -> None:
        self._stop = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        server = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await self._stop.wait()
        server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = self._loop.create_task(self._connection(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream: asyncio.StreamWriter | None = None
        try:
            server, upstream = await asyncio.open_connection("127.0.0.1", self._upstream)
            while await self._exchange(reader, writer, server, upstream):
                pass
        except (OSError, asyncio.IncompleteReadError):
            pass  # one of the two is gone, and so is the other
        finally:
            for end in (writer, upstream):
                if end is not None:
                    end.close()
                    with contextlib.suppress(OSError):
                        await end.wait_closed()

    async def _exchange(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        server: asyncio.StreamReader,
        upstream: asyncio.StreamWriter,
    ) -> bool:
        """Pass one request and its response; return whether the connection goes on."""
        request = await _read(reader, writer)
        method, target, _ = request.first.split(" ", 2)
        fault = self._decide(method, target)
        if isinstance(fault, Delay):
            await asyncio.sleep(fault.seconds)
        if isinstance(fault, Refuse):
            writer.write(_refusal(fault.status, method))
            await writer.drain()
            return True
        if fault is Kill.BEFORE:
            self._kill()
            return False
        if fault is Cut.REQUEST:
            upstream.write(request.head + request.body[: len(request.body) // 2])
            await upstream.drain()
            return False
        upstream.write(request.head + request.body)
        await upstream.drain()
        response = await _read(server, None, method)
        if fault is Kill.AFTER:
            self._kill()
        if fault in {Kill.AFTER, Cut.ANSWER}:
            return False
        if fault is Cut.RESPONSE:
            writer.write(response.head + response.body[: len(response.body) // 2])
            await writer.drain()
            return False
        writer.write(response.head + response.body)
        await writer.drain()
        return response.headers.get("connection", "").lower() != "close"

    def _decide(self, method: str, target: str) -> Fault:
        key = urllib.parse.unquote(urllib.parse.urlsplit(target).path).lstrip("/").partition("/")[2]
        write = next(self._writes) if method in _WRITES else 0
        request = Request(next(self._numbers), write, method, key)
        self.known_versions.append(request)
        return self._plan(request)

    def _kill(self) -> None:
        assert self.victim is not None
        os.kill(self.victim, signal.SIGKILL)


async def _read(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter | None, method: str | None = None
) -> _Message:
    """Read a request, or the response to a method, whole."""
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)
    }
    if headers.pop("expect", None) and writer is not None:
        # The client waits for leave to send the body; the server gets head and body in one.
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await writer.drain()
        kept = [line for line in lines if not line.lower().startswith("expect:")]
        head = "\r\n".join([first, *kept]).encode("latin-1")
    has_body = method != "HEAD" and first.split(" ")[1] not in {"204", "304"}
    body = b""
    if has_body and headers.get("transfer-encoding", "").lower() == "chunked":
        body = await _chunks(reader)
    elif has_body and "content-length" in headers:
        body = await reader.readexactly(int(headers["content-length"]))
    return _Message(head, body, first, headers)


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while True:
        line = await reader.readuntil(b"\r\n")
        size = int(line.split(b";")[0], 16)
        body += line + await reader.readexactly(size + 2)
        if size == 0:
            return body


def _refusal(status: int, method: str) -> bytes:
    body = b"" if method == "HEAD" else _REFUSAL.format(code=_CODES[status]).encode()
    head = f"HTTP/1.1 {status} {_CODES[status]}\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body
