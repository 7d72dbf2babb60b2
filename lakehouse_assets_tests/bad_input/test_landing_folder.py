"""What else can be in a landing folder, and files that change while they are read: nothing stops, nothing is lost."""

import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.pipeline.ingest import ingest as ingest_objects
from lakehouse_assets.sources.landing import pending
from lakehouse_assets_tests.bad_input import confined
from lakehouse_assets_tests.bad_input.corpus import records
from lakehouse_assets_tests.bad_input.outcome import GOOD, GOOD_KEY, expected, process, read
from lakehouse_assets_tests.retail import Record, ingest, land, publish, sales, sales_csv


def _socket(folder: Path) -> None:
    server = socket.socket(socket.AF_UNIX)
    here = Path.cwd()
    os.chdir(folder)  # the path of a socket has at most 108 bytes
    try:
        server.bind("socket.csv")
    finally:
        os.chdir(here)
        server.close()


def _named_in_latin_1(folder: Path) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.csv")).write_bytes(sales_csv(records()))


NO_FILES: dict[str, Callable[[Path], None]] = {
    "a link to nowhere": lambda folder: (folder / "gone.csv").symlink_to("/nonexistent/day.csv"),
    "a link to itself": lambda folder: (folder / "self.csv").symlink_to("self.csv"),
    "a folder that holds itself": lambda folder: (folder / "again").symlink_to("."),
    "a named pipe": lambda folder: os.mkfifo(folder / "pipe.csv"),
    "a socket": _socket,
    "an empty folder": lambda folder: (folder / "empty").mkdir(),
    "a file whose name is not UTF-8": _named_in_latin_1,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", NO_FILES)
def test_what_is_no_file_keeps_no_file_from_being_read(name: str, lake: Lake) -> None:
    land(lake, GOOD_KEY, sales_csv(GOOD))
    NO_FILES[name](Path(lake.store.uri("landing/sales")))
    # In a process of its own: reading a pipe never ends.
    for _ in range(2):
        done = confined.run(lake, timeout_s=30)
        assert done.returncode == 0, done.stderr[-600:]
    assert read(lake, GOOD_KEY).good == expected(GOOD)


@pytest.mark.slow(covered=True)
def test_a_file_that_is_replaced_between_listing_and_reading_ends_with_its_last_content(lake: Lake) -> None:
    land(lake, GOOD_KEY, sales_csv(GOOD))
    land(lake, "day.csv", sales_csv(records(3)))
    feed = sales(lake)
    listed = list(pending(lake, feed, lake.ledger_of(feed)))
    land(lake, "day.csv", sales_csv(records(5)))
    list(ingest_objects(lake, feed, listed, "test"))
    publish(lake)
    process(lake)
    found = read(lake, "day.csv")
    assert (found.valid, found.good) == (expected(records(5)), expected(GOOD))
    assert not found.still_pending
    assert (ingest(lake), publish(lake)) == ([], {})


def test_a_file_that_is_removed_between_listing_and_reading_stops_nobody(lake: Lake) -> None:
    land(lake, GOOD_KEY, sales_csv(GOOD))
    land(lake, "day.csv", sales_csv(records(3)))
    feed = sales(lake)
    listed = list(pending(lake, feed, lake.ledger_of(feed)))
    Path(lake.store.uri("landing/sales/day.csv")).unlink()
    list(ingest_objects(lake, feed, listed, "test"))
    process(lake)
    assert read(lake, GOOD_KEY).good == expected(GOOD)
    assert (ingest(lake), publish(lake)) == ([], {})


@pytest.mark.slow
@pytest.mark.parametrize("is_atomic", [True, False])
def test_a_file_that_is_rewritten_all_the_time_ends_with_its_last_content(lake: Lake, *, is_atomic: bool) -> None:
    land(lake, GOOD_KEY, sales_csv(GOOD))
    last = threading.Event()
    versions = [[*records(2_000 + at, InvoiceNo=f"56{at:04}")] for at in range(12)]
    final: list[list[Record]] = []
    path = Path(lake.store.uri("landing/sales/day.csv"))

    def rewrite() -> None:
        at = 0
        while not last.is_set():
            data = sales_csv(versions[at % len(versions)])
            if is_atomic:
                lake.store.replace("landing/sales/day.csv", data)
            else:
                path.write_bytes(data)  # what `cp` does: readers may see half of it
            final[:] = [list(versions[at % len(versions)])]
            at += 1

    writer = threading.Thread(target=rewrite)
    writer.start()
    try:
        for _ in range(6):
            process(lake)
    finally:
        last.set()
        writer.join()
    process(lake)
    found = read(lake, "day.csv")
    assert found.valid == expected(final[0])
    assert found.good == expected(GOOD)
    assert (ingest(lake), publish(lake)) == ([], {})
