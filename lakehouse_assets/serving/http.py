"""The answers over HTTP: a list of keys and the rows of a name for each served table, posts, and what they are.

An API Gateway in front of DynamoDB can answer the same routes. Not here: where rows come from, what can be asked,
what becomes of what is posted.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from itertools import islice

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lakehouse_assets.context import Lake
from lakehouse_assets.serving.api_key import ApiKey
from lakehouse_assets.serving.attributes import Attribute, object_of
from lakehouse_assets.serving.openapi import document
from lakehouse_assets.serving.posting import route
from lakehouse_assets.serving.posts import Posts, posted_feeds
from lakehouse_assets.serving.questions import QuestionError, about_keys, about_rows, parameters
from lakehouse_assets.serving.rows import Served, served
from lakehouse_assets.serving.source import Source
from lakehouse_assets.storage.stores import StorageError


def application(lake: Lake, source: Source, posts: Posts | None = None) -> Starlette:
    """Return the application of a lake's served tables, and of its posted feeds if there are posts. Does no I/O."""
    tables, key = served(lake), lake.settings.serve_key_name
    feeds = [] if posts is None else posted_feeds(lake)
    described = document(tables, feeds, is_keyed=bool(key))
    routes = [Route("/openapi.json", lambda _: JSONResponse(described), methods=["GET"])]
    for table in tables:
        # A name may have a slash in it.
        routes.append(Route(f"/{table.path}", _keys(table, source), methods=["GET"]))
        routes.append(Route(f"/{table.path}/{{name:path}}", _rows(table, source), methods=["GET"]))
    routes += [] if posts is None else [route(feed, posts) for feed in feeds]
    known = ", ".join(described["paths"])

    def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - for the type checker
        what = f"there are {known} and /openapi.json" if error.status_code == 404 else error.detail  # noqa: PLR2004
        return _error(what, error.status_code, error.headers)

    app = Starlette(
        routes=routes,
        middleware=[Middleware(ApiKey, name=key)] if key else [],
        exception_handlers={
            HTTPException: refused,
            QuestionError: lambda _, error: _error(str(error), getattr(error, "status", 400)),
            StorageError: lambda _, error: _error(str(error), 503),
            Exception: lambda *_: _error("this is a mistake of the server; its log says more", 500),
        },
    )
    app.router.redirect_slashes = False  # a client that posts does not follow, and is told nothing
    return app


def _keys(table: Served, source: Source) -> Callable[[Request], Response]:
    def answer(request: Request) -> Response:
        after, limit = about_keys(parameters(request.query_params.multi_items()))
        found = [key for key in source.keys(table) if key.text > after]
        page = found[:limit]
        return _answer((key.values for key in page), page[-1].text if len(found) > limit else None)

    return answer


def _rows(table: Served, source: Source) -> Callable[[Request], Response]:
    def answer(request: Request) -> Response:
        given = parameters(request.query_params.multi_items())
        asked, keys = about_rows(source, table, request.path_params["name"], given)
        found = source.rows(table, asked, keys) if keys else []
        page = list(islice(found, asked.limit))
        return _answer((row.values for row in page), page[-1].place if len(found) > asked.limit else None)

    return answer


def _answer(rows: Iterable[Mapping[str, Attribute]], after: str | None) -> Response:
    text = ",\n ".join(map(object_of, rows))
    return Response(f'{{"rows": [{text}],\n "next": {json.dumps(after)}}}\n', media_type="application/json")


def _error(what: str, status: int, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"error": what}, status, headers)
