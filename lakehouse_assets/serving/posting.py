"""The route by which records of a feed are posted: which requests are taken, and what is answered.

An API Gateway in front of Firehose has the same route and bound, as one post is one of its records; it takes no arrays.
Not here: how what was posted becomes durable and lands.
"""

from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.contracts.drift import Drift
from lakehouse_assets.parsing.archives import Rejection
from lakehouse_assets.parsing.json_records import array, objects
from lakehouse_assets.parsing.json_text import text_of
from lakehouse_assets.parsing.schema_drift import refusal
from lakehouse_assets.serving.posts import NotAcceptedError, Posts
from lakehouse_assets.serving.questions import QuestionError

MOST_BYTES = 1_000 * 2**10
RETRY_AFTER_S = 10


def path_of(feed: Feed) -> str:
    """Return the address to which records of a feed are posted."""
    return f"/{feed.name}"


def route(feed: Feed, posts: Posts) -> Route:
    """Return the route of a feed."""
    return Route(path_of(feed), _posted(feed, posts), methods=["POST"])


def _posted(feed: Feed, posts: Posts) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    async def answer(request: Request) -> Response:
        body = await _body(request)
        try:
            return JSONResponse({"accepted": await run_in_threadpool(_accept, feed, posts, body)})
        except NotAcceptedError as error:
            return JSONResponse({"error": str(error)}, 503, {"Retry-After": str(RETRY_AFTER_S)})

    return answer


def _accept(feed: Feed, posts: Posts, body: bytes) -> int:
    found = list(records_of(body))
    _check_fields(feed, list(dict.fromkeys(name for fields, _ in found for name in fields)))
    posts.accept(feed, b"".join(record for _, record in found))
    return len(found)


def _check_fields(feed: Feed, names: list[str]) -> None:
    """Refuse a post whose fields would have its object rejected: the records of other posts are in the same one.

    The rest of the contract is about single records, and is looked at by the pipeline.

    Args:
        names: The fields of its records.
    """
    for name in names:
        if name != name.strip() or text_of(name)[1]:
            msg = f"the field {name!a} has space around its name, or is no Unicode text; nothing was taken"
            raise QuestionError(msg)
    sources = feed.sources.items()
    headers = {header for _, origin in sources for header in origin.headers}
    missing = [
        name
        for name, origin in sources
        if feed.missing_policy(name) and not any(_holds(field, header) for field in names for header in origin.headers)
    ]
    new = [field for field in names if not any(_holds(field, header) for header in headers)]
    if reason := refusal(feed, Drift(dict.fromkeys(new), dict.fromkeys(missing)), names):
        msg = f"{reason} Nothing was taken"
        raise QuestionError(msg)


def _holds(field: str, header: str) -> bool:
    return f"{header}.".startswith(f"{field}.")  # a header may be a path into a field


async def _body(request: Request) -> bytes:
    if (encoding := request.headers.get("Content-Encoding", "identity").lower()) != "identity":
        msg = f"the body is encoded as {encoding}; post it as it is, without Content-Encoding; nothing was taken"
        raise QuestionError(msg, 415)
    parts, size = list[bytes](), 0
    async for part in request.stream():
        size += len(part)
        if size > MOST_BYTES:
            msg = f"the body has more than {MOST_BYTES:,} bytes; post it in parts"
            raise QuestionError(msg, 413)
        parts.append(part)
    return b"".join(parts)


def records_of(body: bytes) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Yield the records of a body with their text and a line end: one object, several after each other, or an array.

    They keep the text that they were posted with.

    Raises:
        QuestionError: It is something else.
    """
    try:
        text = body.decode()
        at = count = 0
        for value, problem, end in _found(text):
            count += 1
            if problem is not None or not isinstance(value, dict):
                msg = f"record {count:,} is no JSON object{f' ({problem})' if problem else ''}; nothing was taken"
                raise QuestionError(msg)
            # Within a record, a line end can only be space between its parts.
            record = text[at:end].lstrip("[, \t\n\r").rstrip().replace("\n", " ").replace("\r", " ").encode() + b"\n"
            yield value, record
            at = end
    except (UnicodeDecodeError, Rejection):
        msg = "the body is no JSON in UTF-8: an object, objects one after the other, or an array; nothing was taken"
        raise QuestionError(msg) from None
    if not count:
        msg = "the body has no record"
        raise QuestionError(msg)


def _found(text: str) -> Iterator[tuple[Any, str | None, int]]:
    begin = len(text) - len(text.lstrip())
    if text[begin:].startswith("["):
        return ((value, None, begin + end) for value, end in array(text[begin:]))
    return iter(objects(text))
