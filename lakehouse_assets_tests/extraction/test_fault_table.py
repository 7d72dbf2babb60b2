"""The table of docs/api-faults.md: each fault is tried, and what it gave is what the page says, figure by figure."""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.rest_api import Bearer
from lakehouse_assets.extraction.paging import ExtractionError
from lakehouse_assets.simulation.api_server import Api, Fault, answer, cut, dropped, half
from lakehouse_assets_tests.extraction.conftest import KINDS, Declare, customer, extract, landed, silver, there
from lakehouse_assets_tests.extraction.test_extract import KilledError
from lakehouse_assets_tests.extraction.test_records_that_move import MOVED, repeated, skipped

PAGE = Path(__file__).resolve().parents[2] / "docs" / "api-faults.md"
HEAD = (
    "| what goes wrong | pages | tried | requests | records landed again | lost | twice in silver |\n"
    "|---|---|---|---|---|---|---|\n"
)
Story = Callable[[Api, Callable[..., Lake]], Lake]
"""Sets a fault and extracts until it is over; returns the lake."""


@dataclass(frozen=True)
class Gave:
    """What one story gave."""

    requests: int
    again: int
    lost: int
    twice: int


def faulty(fault: Fault, at: Sequence[int] = (0, 2), **options: Any) -> Story:
    def story(api: Api, declare: Callable[..., Lake]) -> Lake:
        api.faults = dict.fromkeys(at, fault)
        lake = declare(**options)
        extract(lake)
        assert not api.faults, "the fault did not happen"
        return lake

    return story


def meanwhile(change: Callable[[Api], None], at: int) -> Story:
    def story(api: Api, declare: Callable[..., Lake]) -> Lake:
        api.before_answer = lambda number: change(api) if number == at else None
        lake = declare()
        extract(lake)
        return lake

    return story


def at_each_request(change: Callable[[Api], None]) -> list[Story]:
    return [meanwhile(change, at) for at in (1, 3)]


def resized(api: Api, declare: Callable[..., Lake]) -> Lake:
    """A page has fewer records than was asked for, and later ones as many."""

    def resize(number: int) -> None:
        api.largest = {1: 2, 3: 3}.get(number, api.largest)

    api.before_answer = resize
    lake = declare()
    extract(lake)
    return lake


def first_goes(api: Api) -> None:
    api.records.pop(0)


def one_more_comes(api: Api) -> None:
    api.records.insert(0, customer(50, minute=0))


def first_to_the_end(api: Api) -> None:
    api.records.append(api.records.pop(0))


def rotated(api: Api, declare: Callable[..., Lake]) -> Lake:
    """The token that was good for two pages is good no more; another one is in its place."""
    api.wanted = "Bearer old"

    def rotate(patch: pytest.MonkeyPatch, number: int) -> None:
        if number == 2:
            api.wanted = "Bearer new"
            patch.setenv("CRM_TOKEN", "new")

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CRM_TOKEN", "old")
        api.before_answer = lambda number: rotate(patch, number)
        lake = declare(auth=Bearer("crm/token"))
        extract(lake)
    return lake


def skewed(**ahead: float) -> Story:
    """The API's clock is wrong during one extraction; a record that changes afterwards is found by the next one."""

    def story(api: Api, declare: Callable[..., Lake]) -> Lake:
        api.ahead = dt.timedelta(**ahead)
        lake = declare()
        extract(lake)
        api.ahead = min(api.ahead, dt.timedelta())
        api.records[3] = customer(3, 0, "Berta") | {"at": f"{api.now():%Y-%m-%dT%H:%M:%SZ}"}
        extract(lake)
        return lake

    return story


def killed(at: int, then: Callable[[Api], object] = lambda _: None) -> Story:
    """The process dies when an answer has come, before its page landed; the next extraction goes on."""

    def story(api: Api, declare: Callable[..., Lake]) -> Lake:
        lake = declare()
        create, left = type(lake.store).create, iter(range(at))

        def create_or_die(store: Any, path: str, data: bytes) -> bool:
            if next(left, None) is None:
                raise KilledError
            return bool(create(store, path, data))

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(lake.store), "create", create_or_die)
            with pytest.raises(KilledError):
                extract(lake)
        then(api)
        extract(lake)
        return lake

    return story


def refused(api: Api, declare: Callable[..., Lake]) -> Lake:
    """The API answers 503 for longer than one extraction is patient."""
    api.faults = {number: answer(503, Retry_After="3600") for number in range(2, 9)}
    lake = declare()
    with pytest.raises(ExtractionError):
        extract(lake)
    api.faults = {}
    extract(lake)
    return lake


def restless(api: Api, declare: Callable[..., Lake]) -> Lake:
    """Records are added before every answer, until the extraction gives up; then they stand still."""
    api.before_answer = lambda number: api.records.insert(0, customer(50 + number, minute=0))
    lake = declare()
    with pytest.raises(ExtractionError, match="5 times"):
        extract(lake)
    api.before_answer = None
    extract(lake)
    return lake


TABLE: list[tuple[str, Sequence[str], list[Story]]] = [
    ("nothing", tuple(KINDS), [faulty(lambda _, body: body, ())]),
    ("429 with `Retry-After`, on two requests", tuple(KINDS), [faulty(answer(429, Retry_After="0"))]),
    ("500, on two requests", tuple(KINDS), [faulty(answer(500))]),
    ("JSON that ends early, on two requests", tuple(KINDS), [faulty(half)]),
    ("connection cut in the body, on two requests", tuple(KINDS), [faulty(cut)]),
    ("connection closed without an answer, on two requests", tuple(KINDS), [faulty(dropped)]),
    ("503 for longer than one extraction waits; the next one goes on", tuple(KINDS), [refused]),
    ("pages are smaller than was asked for, then as large", tuple(KINDS), [resized]),
    ("a page comes in the place of the next one", MOVED, [faulty(repeated, (1,), total="total")]),
    ("a page is left out", MOVED, [faulty(skipped, (1,), total="total")]),
    ("a record is added at the front while pages are read", MOVED, at_each_request(one_more_comes)),
    ("a record is removed at the front", MOVED, at_each_request(first_goes)),
    ("the first record moves to the end", MOVED, at_each_request(first_to_the_end)),
    ("records are added before each answer, until the extraction gives up; then they stand still", MOVED, [restless]),
    ("the API's clock is 300 days ahead, then right", tuple(KINDS), [skewed(days=300)]),
    ("the API's clock is 300 days behind", tuple(KINDS), [skewed(days=-300)]),
    ("the token expires between two pages", tuple(KINDS), [rotated]),
    ("killed at each page, before it landed", tuple(KINDS), [killed(at) for at in range(4)]),
    ("killed at each page, then a record is removed at the front", MOVED,
     [killed(at, first_goes) for at in range(4)]),
]  # fmt: skip


def gave(api: Api, declare: Declare, kind: str, story: Story, root: str, *, with_silver: bool) -> Gave:
    api.records = [customer(number, minute=number) for number in range(10)]
    api.largest, api.wanted, api.before_answer, api.ahead, api.faults = 3, None, None, dt.timedelta(), {}
    api.asked.clear()
    lake = story(api, lambda **options: declare(kind, root, **options))
    pages = [(record["id"], record["at"]) for page in landed(lake) for record in page]
    found = silver(lake) if with_silver else sorted({(r["id"], r["name"]) for page in landed(lake) for r in page})
    lost = len(set(there(api)) - set(found))
    numbers = [number for number, _ in found]
    twice = len(numbers) - len(set(numbers)) if with_silver else 0
    return Gave(len(api.asked), len(pages) - len(set(pages)), lost, twice)


def measured(api: Api, declare: Declare, folder: Path) -> Iterator[str]:
    names = (str(folder / f"lake-{number}") for number in count())
    for what, kinds, stories in TABLE:
        tried = [(kind, story) for kind in kinds for story in stories]
        # Silver costs more than an extraction, so it is made for one of them.
        found = [
            gave(api, declare, kind, story, next(names), with_silver=number == len(tried))
            for number, (kind, story) in enumerate(tried, 1)
        ]
        pages = "all" if len(kinds) == len(KINDS) else "by number, offset"
        yield (
            f"| {what} | {pages} | {len(found)} | "
            + " | ".join(
                _range([getattr(one, name) for one in found]) for name in ("requests", "again", "lost", "twice")
            )
            + " |\n"
        )


def _range(values: list[int]) -> str:
    low, high = min(values), max(values)
    return f"{low}" if low == high else f"{low} to {high}"


@pytest.mark.slow
def test_what_each_fault_gave_is_what_the_page_says(api: Api, declare: Declare, tmp_path: Path) -> None:
    table = HEAD + "".join(measured(api, declare, tmp_path))
    assert table in PAGE.read_text(encoding="utf-8"), f"the table of docs/api-faults.md is now:\n\n{table}"
    rows = [row.strip("| \n").split(" | ") for row in table.splitlines()[2:]]
    assert {(row[5], row[6]) for row in rows} == {("0", "0")}, "something was lost, or is there twice"
