"""The command `serve`: answers over HTTP from the served gold tables, and records that are posted to feeds."""

import json
import socket
from contextlib import nullcontext, suppress
from enum import StrEnum
from typing import Annotated

import typer

from lakehouse_assets.context import current
from lakehouse_assets.contracts.declare import ContractError
from lakehouse_assets.credentials import secret
from lakehouse_assets.storage.stores import StorageError


class Place(StrEnum):
    """Where `serve` reads rows."""

    lake = "lake"
    dynamodb = "dynamodb"


def serve(
    host: Annotated[
        str,
        typer.Option(
            help="Address to listen at. Who reaches it may read and post, unless LAKEHOUSE_SERVE_KEY_NAME is set."
        ),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen at; 0 for any that is free.")] = 8000,
    source: Annotated[
        Place | None,
        typer.Option(help="Where rows are read; by default DynamoDB where LAKEHOUSE_SERVING_TABLE is set."),
    ] = None,
    *,
    gateway: Annotated[
        bool, typer.Option("--gateway", help="Print it as an API Gateway in front of DynamoDB takes it; serve nothing.")
    ] = False,
    openapi: Annotated[bool, typer.Option("--openapi", help="Print the OpenAPI document, and serve nothing.")] = False,
) -> None:
    """Answer over HTTP from gold tables that are declared as served; take records of feeds declared as posted."""
    from lakehouse_assets.serving.gateway import gateway_document  # noqa: PLC0415
    from lakehouse_assets.serving.openapi import document  # noqa: PLC0415
    from lakehouse_assets.serving.posting import path_of  # noqa: PLC0415
    from lakehouse_assets.serving.posts import posted_feeds, posts_of  # noqa: PLC0415
    from lakehouse_assets.serving.rows import served  # noqa: PLC0415

    lake = current()
    tables, feeds = served(lake), posted_feeds(lake)
    if gateway:
        typer.echo(json.dumps(gateway_document(tables), indent=1))
        return
    if openapi:
        typer.echo(json.dumps(document(tables, feeds, is_keyed=bool(lake.settings.serve_key_name)), indent=1))
        return
    if not tables and not feeds:
        msg = (
            "No gold table is served, and no feed is posted. Nothing was started; give a model a serving=, or a feed "
            "posted=True (docs/serving.md)."
        )
        raise ContractError(msg)
    if source is Place.dynamodb and not lake.settings.serving_table:
        msg = "There is no DynamoDB table to read. Nothing was started; set LAKEHOUSE_SERVING_TABLE."
        raise ContractError(msg)
    if name := lake.settings.serve_key_name:
        secret(name)
    import uvicorn  # noqa: PLC0415 - with its own imports a quarter of a second

    from lakehouse_assets.serving.dynamodb_source import DynamoDbSource  # noqa: PLC0415
    from lakehouse_assets.serving.http import application  # noqa: PLC0415
    from lakehouse_assets.serving.lake_source import LakeSource  # noqa: PLC0415

    table = lake.settings.serving_table
    is_lake = source is Place.lake or not table
    listener = _listener(host, port)
    address = f"http://{host}:{listener.getsockname()[1]}"
    paths = ", ".join([*(f"{address}/{found.path}" for found in tables), *(address + path_of(feed) for feed in feeds)])
    typer.echo(f"Serving {paths} from {lake.settings.root if is_lake else table}; {address}/openapi.json describes it.")
    with suppress(KeyboardInterrupt), posts_of(lake) if feeds else nullcontext() as posts:  # how a person ends it
        app = application(lake, LakeSource(lake) if is_lake else DynamoDbSource(table), posts)
        uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])


def _listener(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        why = str(error.strerror).partition(" (while")[0]  # Python adds the address to it
        msg = f"{host}:{port} cannot be listened at: {why}. Nothing was started; choose another --port."
        raise StorageError(msg) from None
