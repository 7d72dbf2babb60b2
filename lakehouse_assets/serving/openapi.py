"""The OpenAPI document of the served tables and posted feeds, from their declarations.

It is of version 3.0, which API Gateway imports. Not here: answering.
"""

from collections.abc import Iterable
from importlib.metadata import version
from typing import Any, cast

import polars as pl

from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.serving.api_key import HEADER
from lakehouse_assets.serving.posting import path_of
from lakehouse_assets.serving.questions import DEFAULT_LIMIT, LARGEST_LIMIT
from lakehouse_assets.serving.rows import Served

_NEXT = "What to ask for as after for the next page; null on the last one."


def document(tables: Iterable[Served], feeds: Iterable[Feed] = (), *, is_keyed: bool = False) -> dict[str, Any]:
    """Return the document, as JSON has it.

    Args:
        tables: Those that are served.
        feeds: Those whose records are posted.
        is_keyed: Whether callers have to send a key.
    """
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {"Error": _object({"error": {"type": "string"}}, "What is wrong, and what to ask.")}
    for table in tables:
        schemas[f"{table.path}-row"] = _columns(table, table.columns)
        schemas[f"{table.path}-key"] = _columns(table, table.serving.key)
        name = table.serving.key[0]
        about = table.model.description
        paths[f"/{table.path}"] = {"get": _keys(table, about)}
        paths[f"/{table.path}/{{{name}}}"] = {"get": _rows(table, name, about)}
    for feed in feeds:
        schemas[f"{feed.name}-record"] = _record(feed)
        paths.setdefault(path_of(feed), {})["post"] = _post(feed)
    components: dict[str, Any] = {"schemas": schemas}
    described: dict[str, Any] = {
        "openapi": "3.0.3",
        "info": {
            "title": "lakehouse",
            "description": "Gold tables by key.",
            "version": version("lakehouse-assets"),
        },
        "paths": paths,
        "components": components,
    }
    if is_keyed:
        components["securitySchemes"] = {"key": {"type": "apiKey", "in": "header", "name": HEADER}}
        described["security"] = [{"key": []}]
    return described


def _keys(table: Served, about: str) -> dict[str, Any]:
    return {
        "operationId": f"{table.path}-keys",
        "summary": f"The keys of which there are rows. {about}",
        "parameters": [_limit(), _after()],
        "responses": _responses(f"{table.path}-key", 400),
    }


def _rows(table: Served, name: str, about: str) -> dict[str, Any]:
    columns = table.model.table.columns
    named = {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
    dates = [
        _query("from", {"type": "string", "format": "date"}, "First date."),
        _query("to", {"type": "string", "format": "date"}, "Last date."),
    ]
    filters = []
    for column in table.serving.key[1:]:
        if isinstance(columns[column].dtype, pl.Map):
            # In this style each entry of the map is a parameter of its own: ?country=France.
            free = {"type": "object", "additionalProperties": {"type": "string"}}
            found = _query(column, free, f"{columns[column].description} Each entry is a parameter of its own.")
            filters.append(found | {"style": "form", "explode": True})
        else:
            filters.append(_query(column, {"type": "string"}, columns[column].description))
    return {
        "operationId": f"{table.path}-rows",
        "summary": f"The rows of one {name} by date. {about}",
        "parameters": [named, *dates, *filters, _limit(), _after()],
        "responses": _responses(f"{table.path}-row", 400, 404),
    }


def _responses(row: str, *refused: int) -> dict[str, Any]:
    rows = {"type": "array", "items": {"$ref": f"#/components/schemas/{row}"}}
    page = _object({"rows": rows, "next": {"type": "string", "nullable": True, "description": _NEXT}}, "One page.")
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    found = {"200": {"description": "One page.", "content": {"application/json": {"schema": page}}}}
    return found | {str(code): {"description": "Refused.", "content": error} for code in (*refused, 503)}


def _post(feed: Feed) -> dict[str, Any]:
    record = {"$ref": f"#/components/schemas/{feed.name}-record"}
    several = {"type": "array", "items": record, "minItems": 1}
    lines = {"type": "string", "description": "Objects, one a line."}
    accepted = _object({"accepted": {"type": "integer"}}, "How many records will land.")
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    refused = {str(code): {"description": "Nothing was taken.", "content": error} for code in (400, 413, 415, 503)}
    refused["503"]["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    return {
        "operationId": f"{feed.name}-post",
        "summary": f"Take records. {feed.description}",
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": {"oneOf": [record, several]}},
                "application/x-ndjson": {"schema": lines},
            },
        },
        "responses": {
            "200": {"description": "They are kept.", "content": {"application/json": {"schema": accepted}}},
            **refused,
        },
    }


def _record(feed: Feed) -> dict[str, Any]:
    columns = feed.columns
    fields = {
        origin.headers[0]: {"description": columns[name].description}
        for name, origin in feed.sources.items()
        if "." not in origin.headers[0]
    }
    return {"type": "object", "description": feed.description, "properties": fields}


def _limit() -> dict[str, Any]:
    bounds = {"type": "integer", "minimum": 1, "maximum": LARGEST_LIMIT, "default": DEFAULT_LIMIT}
    return _query("limit", bounds, "Rows of a page.")


def _after() -> dict[str, Any]:
    return _query("after", {"type": "string"}, "What the page before has as next.")


def _query(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}


def _columns(table: Served, names: Iterable[str]) -> dict[str, Any]:
    columns = table.model.table.columns
    described = {
        name: _type(columns[name].dtype) | {"description": columns[name].description}
        | ({"nullable": True} if columns[name].nullable else {})
        for name in names
    }  # fmt: skip
    return _object(described, table.model.description)


def _object(properties: dict[str, Any], description: str) -> dict[str, Any]:
    return {"type": "object", "description": description, "properties": properties, "required": list(properties)}


def _type(dtype: pl.DataType) -> dict[str, Any]:
    match dtype:
        case pl.Boolean():
            return {"type": "boolean"}
        case pl.Date():
            return {"type": "string", "format": "date"}
        case pl.Datetime():
            return {"type": "string", "format": "date-time"}
        case pl.List():
            return {"type": "array", "items": _type(cast("pl.DataType", dtype.inner))}
        case pl.Map():
            return {"type": "object", "additionalProperties": _type(cast("pl.DataType", dtype.value))}
        case pl.Struct():
            return {"type": "object", "properties": {f.name: _type(cast("pl.DataType", f.dtype)) for f in dtype.fields}}
        case _ if dtype.is_integer():
            return {"type": "integer"}
        case _ if dtype.is_numeric():
            return {"type": "number"}
        case _:
            return {"type": "string"}
