"""The command `extract`: a feed's API is asked now. Not here: asking it, and what becomes of what landed."""

from typing import Annotated

import typer

from lakehouse_assets.context import current


def extract(
    feed: Annotated[str, typer.Argument(help="Name of the feed.")],
    *,
    full: Annotated[bool, typer.Option("--full", help="Ask for everything, not only for what changed.")] = False,
) -> None:
    """Ask a feed's API for what changed, and land its pages. Idempotent: run it again after a crash."""
    from lakehouse_assets.extraction import extract as extraction  # noqa: PLC0415 - requests is slow to import

    lake = current()
    done = extraction.extract(lake, lake.registry.feed(feed), full=full)
    since = "everything" if done.since is None else f"what changed since {done.since:%Y-%m-%d %H:%M:%S} UTC"
    before = f" after {done.resumed_at:,} that had landed before" if done.resumed_at else ""
    typer.echo(f"{feed}: asked for {since}: pages landed{before}: {done.pages:,}, records: {done.records:,}.")
    typer.echo("`lakehouse run` takes them on, or the sensors of `lakehouse dev`.")
