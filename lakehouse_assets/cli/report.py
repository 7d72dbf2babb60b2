"""The command `report`: the page of the business."""

from pathlib import Path
from typing import Annotated

import typer

from lakehouse_assets.context import current
from lakehouse_assets.storage.stores import StorageError


def report(
    out: Annotated[Path | None, typer.Option(help="Write a copy of the page to this file, too.")] = None,
) -> None:
    """Write the page of the business from gold as it stands, and print where it is. One file; it needs no network."""
    from lakehouse_assets.pages.report import PATH, Report, can_be_made  # noqa: PLC0415

    if not can_be_made():
        msg = (
            "The page needs the packages altair and vl-convert-python. Nothing was written; "
            "install them: pip install 'lakehouse-assets[pages]'."
        )
        raise StorageError(msg)
    lake = current()
    done = Report().refresh(lake)
    if out is not None:
        page = lake.store.read(PATH)
        try:
            out.write_bytes(page)
        except OSError as error:
            msg = (
                f"{out} cannot be written: {error.strerror}. The page is at {done.uri}; name a file in a folder that "
                "exists and that you may write to."
            )
            raise StorageError(msg) from None
    typer.echo(out or done.uri)
