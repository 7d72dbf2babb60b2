"""What a CSV writer writes is read back; records of another length are marked, and the others stand."""

import csv
import io
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lakehouse_assets.parsing.archives import Rejection
from lakehouse_assets.parsing.csv_text import read_csv
from lakehouse_assets_tests.parsing.parsed import parsed, problems_of, records_of
from lakehouse_assets_tests.retail import day, line, sales_csv


def test_lines_may_end_in_a_bare_carriage_return() -> None:
    records = day(count=3)
    assert records_of(sales_csv(records, newline="\r")) == records


def test_a_record_with_too_few_or_too_many_fields_is_marked_and_keeps_what_it_has() -> None:
    short, long = b"536365,85123A,HEART,6", sales_csv([line()]).split(b"\n")[1] + b",surplus,more"
    data = sales_csv([line()]) + short + b"\n" + long + b"\n" + sales_csv([line()]).split(b"\n")[1] + b"\n"
    found = parsed(data)
    assert found["_problem"].to_list() == [None, "4 fields, 8 expected", "10 fields, 8 expected", None]
    assert found["_extra"].to_list() == [None, None, "surplus,more", None]
    assert found["Quantity"].to_list() == ["6", "6", "6", "6"]
    assert found["Country"].to_list() == ["United Kingdom", None, "United Kingdom", "United Kingdom"]
    assert found["_line"].to_list() == [1, 2, 3, 4]


@pytest.mark.parametrize("fields", [1, 4, 7, 9, 12])
def test_the_first_record_may_be_the_one_with_another_number_of_fields(fields: int) -> None:
    good = sales_csv([line()]).split(b"\n")[1]
    odd = b",".join((good.split(b",") + [b"x"] * 4)[:fields])
    found = parsed(sales_csv([]) + odd + b"\n" + good + b"\n")
    problem = f"{fields} fields, 8 expected"
    assert found["_problem"].to_list() == [problem, None]
    assert found.row(1)[:8] == tuple(line().values())


def test_a_short_and_a_long_record_do_not_make_up_for_each_other() -> None:
    row = sales_csv([line()]).split(b"\n")[1]
    data = sales_csv([]) + row.rsplit(b",", 1)[0] + b"\n" + row + b",surplus\n" + row + b"\n"
    assert problems_of(data) == ["7 fields, 8 expected", "9 fields, 8 expected", None]


def test_a_nul_byte_marks_its_record_only() -> None:
    data = sales_csv([line(), line(Description="A\0B"), line()])
    assert problems_of(data) == [None, "a value holds a NUL byte", None]


def test_only_text_that_is_ascii_without_nul_is_known_to_be_plain() -> None:
    texts = ["HEART", "A\0B", "décor"]
    known = list(line())
    assert [read_csv(sales_csv([line(Description=text)]), known).is_plain for text in texts] == [True, False, False]


def _trimmed(rows: Sequence[Sequence[str | None]]) -> list[list[str]]:
    return [[(value or "").strip() for value in row] for row in rows]


VALUES = st.text(st.sampled_from(list("ab,;\t|\"\n\r 'é£😀.0")), max_size=6)


@pytest.mark.slow(covered=True)
@given(
    rows=st.lists(st.lists(VALUES, min_size=3, max_size=3), max_size=6),
    separator=st.sampled_from(",;\t|"),
    newline=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
@settings(max_examples=150, deadline=None)
def test_what_a_csv_writer_writes_is_read_back(
    rows: list[list[str]],
    separator: str,
    newline: str,
    quoting: Any,
) -> None:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, delimiter=separator, lineterminator=newline, quoting=quoting)
    writer.writerow(["x", "y", "z"])
    writer.writerows(rows)
    found = read_csv(buffer.getvalue().encode(), ["x", "y", "z"])
    # Publishing trims: what a bare carriage return at an edge does makes no difference.
    assert _trimmed(found.frame.select("x", "y", "z").rows()) == _trimmed(rows)
    assert found.problems is None or found.problems.null_count() == found.frame.height


@pytest.mark.slow(covered=True)
@given(
    rows=st.lists(st.lists(st.text(st.sampled_from(list('a,"\n')), max_size=3), min_size=1, max_size=5), max_size=5),
    newline=st.sampled_from(["\n", "\r\n"]),
    ended=st.booleans(),
)
@example(rows=[["a", "", "a"], ["a", ""], ["", "", "", ""]], newline="\n", ended=False)
@settings(max_examples=200, deadline=None)
def test_exactly_the_records_of_another_length_are_marked(rows: list[list[str]], newline: str, *, ended: bool) -> None:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator=newline).writerows([["x", "y", "z"], *rows])
    text = buffer.getvalue() if ended else buffer.getvalue().removesuffix(newline)
    found = read_csv(text.encode(), ["x", "y", "z"])
    problems = [None] * found.frame.height if found.problems is None else found.problems.to_list()
    assert problems == [None if len(row) == 3 else f"{len(row)} fields, 3 expected" for row in rows]
    assert _trimmed(found.frame.select("x", "y", "z").rows()) == _trimmed([[*row, "", "", ""][:3] for row in rows])


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("end", ["", "\n"])
@pytest.mark.parametrize("separator", [",", ";"])
def test_a_name_of_the_header_may_go_on_in_the_next_line(newline: str, end: str, separator: str) -> None:
    header, *lines = ['id,"Unit{0}price",town', "1,2.50,Leeds", '2,3,"York{0}North"']
    data = newline.join([header, "", *lines]).format(newline).replace(",", separator) + end
    raw = read_csv(data.encode(), [])
    assert raw.frame.columns == ["id", f"Unit{newline}price", "town"]
    assert raw.frame.rows() == [("1", "2.50", "Leeds"), ("2", "3", f"York{newline}North")]


@pytest.mark.parametrize("rest", ['1,2,Leeds\n2,3,"York"\n', '1,2,"Leeds"\n', 'x"y,1,2\n3,4,5\n', '1,2",3\n'])
def test_a_quote_that_is_open_by_mistake_makes_no_record_a_name(rest: str) -> None:
    data = f'id,"price,town\n{rest}'.encode()
    with suppress(Rejection):
        assert not any("\n" in name for name in read_csv(data, []).frame.columns)
