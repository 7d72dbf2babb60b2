"""The command `extract`: a feed's API or stream is asked now. Not here: asking it, and what becomes of what landed."""

from typing import Annotated

import typer

from lakehouse_assets.context import current


def extract(
    feed: Annotated[str, typer.Argument(help="Name of the feed.")],
    *,
    full: Annotated[bool, typer.Option("--full", help="Ask for everything, not only for what changed.")] = False,
) -> None:
    """Ask a feed's API or stream for what is new, and land it. Idempotent: run it again after a crash."""
    from lakehouse_assets.extraction.ways import fetch  # noqa: PLC0415 - requests is slow to import

    lake = current()
    typer.echo(f"{feed}: {fetch(lake, lake.registry.feed(feed), full=full).message}")
    typer.echo("`lakehouse run` takes them on, or the sensors of `lakehouse dev`.")
