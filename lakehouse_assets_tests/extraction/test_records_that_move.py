"""Records that move from page to page while they are read, and pages that are not those asked for: nothing is lost."""

import pytest

from lakehouse_assets.extraction.paging import ExtractionError
from lakehouse_assets.simulation.api_server import Api, Fault, Handler, answer
from lakehouse_assets_tests.extraction.conftest import (
    KINDS,
    Declare,
    customer,
    customers_in,
    extract,
    there,
)

MOVED = ("pages", "offset")


def repeated(handler: Handler, _: bytes) -> bytes:
    """A page comes in the place of the next one."""
    return handler.server.api.page(handler.path.replace("page=2", "page=1").replace("offset=2", "offset=0"))[0]


def skipped(handler: Handler, _: bytes) -> bytes:
    """A page comes in the place of the one before."""
    return handler.server.api.page(handler.path.replace("page=2", "page=3").replace("offset=2", "offset=5"))[0]


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize("kind", MOVED)
@pytest.mark.parametrize("request_number", range(1, 5))
@pytest.mark.parametrize("change", ["deleted", "added", "moved to the end"])
def test_records_that_move_while_they_are_read_are_not_lost(
    api: Api, declare: Declare, kind: str, request_number: int, change: str
) -> None:
    def move(number: int) -> None:
        if number == request_number:
            if change == "added":
                api.records.insert(0, customer(50, minute=0))
            else:
                first = api.records.pop(0)
                api.records += [first] if change == "moved to the end" else []

    api.before_answer = move
    lake = declare(kind)
    done = extract(lake)
    assert done.passes == 2
    assert set(there(api)) <= set(customers_in(lake))


def test_a_record_that_changes_in_its_place_starts_nothing_again(api: Api, declare: Declare) -> None:
    def change(number: int) -> None:
        if number == 2:
            api.records[2] = customer(2, minute=500, name="Berta")

    api.before_answer = change
    assert extract(declare("pages")).passes == 1


def test_records_that_never_stand_still_are_told(api: Api, declare: Declare) -> None:
    api.before_answer = lambda number: api.records.insert(0, customer(50 + number, minute=0))
    with pytest.raises(ExtractionError, match=r"moved from page to page while they were read, 5 times\."):
        extract(declare("offset"))


@pytest.mark.parametrize("kind", MOVED)
@pytest.mark.parametrize("fault", [repeated, skipped])
def test_a_page_in_the_place_of_another(api: Api, declare: Declare, kind: str, fault: Fault) -> None:
    """With numbered pages, a page that was left out is seen by the total only."""
    api.faults = {1: fault}
    lake = declare(kind, total="total")
    assert extract(lake).passes == 2
    assert customers_in(lake) == there(api)


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("largest", [1, 2, 5])
def test_another_page_size_than_was_asked_for(api: Api, declare: Declare, kind: str, largest: int) -> None:
    def change(number: int) -> None:
        api.largest = largest if number else 3

    api.before_answer = change
    lake = declare(kind)
    extract(lake)
    assert customers_in(lake) == there(api)


@pytest.mark.parametrize("kind", MOVED)
@pytest.mark.parametrize("at", [1, 2, 3])
def test_records_that_moved_after_it_was_killed(api: Api, declare: Declare, kind: str, at: int) -> None:
    api.faults = {number: answer(404) for number in range(at, at + 9)}
    lake = declare(kind)
    with pytest.raises(ExtractionError):
        extract(lake)
    api.faults = {}
    api.records.pop(0)
    extract(lake)
    assert set(there(api)) <= set(customers_in(lake))
