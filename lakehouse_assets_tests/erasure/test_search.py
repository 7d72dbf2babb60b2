"""Which records are an erased person's, in every form in which an object may come, and what is left of the object."""

import io
import zipfile

import dataframely as dy
import polars as pl
import pytest

from lakehouse_assets.contracts.declare import Contract, Feed, Json, source, upper
from lakehouse_assets.contracts.registry import registry
from lakehouse_assets.decisions import kinds
from lakehouse_assets.erasure.evidence import Evidence
from lakehouse_assets.erasure.matching import People, identity
from lakehouse_assets.erasure.search import Searched
from lakehouse_assets.erasure.search import search as search_object
from lakehouse_assets.storage.stores import store_for
from lakehouse_assets_tests.erasure.traces import decoded
from lakehouse_assets_tests.retail import gzipped, line, sales_csv, zipped

PERSON = "9876543210"
SALES = registry().feed("sales")
LIMIT = 2**30
KEY = b"a key"


class Persons(Contract):
    """People, identified by their number or their address."""

    number = dy.Int64(nullable=False, description="Number.", metadata=source("No"))
    mail = dy.String(description="Address.", metadata=source("Mail", normalise=(upper,), personal=True))


PEOPLE = Feed(name="people", contract=Persons, description="People.", owner="team:tests")


def standing(feed: Feed, column: str, value: str) -> People:
    """Return the person erased by one value, without a lake."""
    about = identity(feed, KEY, column, value)
    return People(feed, KEY, (kinds.new(kinds.Erase, feed.name, "a request", "ann", **about),))


def search(changed: Feed, people: People, key: str, data: bytes) -> Searched:
    """Search an object for people, read by the contract of now."""
    now = People(changed, people.key, people.people)
    return search_object(now, Evidence(store_for("/nowhere"), changed.name), key, data, LIMIT)


def searched(data: bytes, key: str = "x.csv") -> Searched:
    return search(SALES, standing(SALES, "customer_id", PERSON), key, data)


def records(*customers: str | None) -> bytes:
    return sales_csv([line(Quantity=str(at), CustomerID=customer) for at, customer in enumerate(customers, 1)])


@pytest.mark.parametrize("written", [PERSON, f"{PERSON}.0", f"  {PERSON}.0  "])
def test_a_value_is_found_in_every_way_to_write_it(written: str) -> None:
    found = searched(records("13047", written, None, "12583.0"))
    assert (found.records, found.erased[0].lines, found.unsearched) == (1, (2,), {})
    assert PERSON not in (found.data or b"").decode()


@pytest.mark.parametrize("other", ["98765432100", "1.9876543210", f"{PERSON}1", f"1{PERSON}", "987654321", None])
def test_another_value_is_left_alone(other: str | None) -> None:
    assert searched(records("13047", other)) == Searched(None)


def test_the_value_in_another_column_is_nobodys() -> None:
    assert searched(sales_csv([line(Quantity=PERSON), line(Description=PERSON, Quantity="2")])).data is None


def test_a_broken_record_is_theirs_wherever_the_value_stands() -> None:
    long = f"536365,85123A,{PERSON},6,2011-03-01 08:26:00,2.55,17850,EIRE,and,more\n"
    short = f"{PERSON}\n"
    quoted = f'"a" b,{PERSON},1\n'
    found = searched(records("13047") + (long + short + quoted).encode())
    assert found.erased[0].lines == (2, 3, 4)
    assert not found.erased[0].refused


def test_an_object_without_a_header_loses_the_line_and_stays_refused() -> None:
    data = records(PERSON, "13047").partition(b"\n")[2]
    found = searched(data)
    assert found.data == b"\n" + data.splitlines(keepends=True)[1]
    assert found.erased[0].refused


@pytest.mark.parametrize("wrap", [bytes, gzipped, lambda data: data.decode().encode("utf-16")])
def test_an_object_that_cannot_be_read_loses_the_line(wrap: object) -> None:
    text = records("13047") + f'1,"never closed,{PERSON}.0\nmore,{PERSON}5\n'.encode()
    found = searched(wrap(text))  # type: ignore[operator]
    assert found.erased[0].refused
    assert found.data is not None
    [left] = {text for text in decoded(found.data) if "more" in text and "\0" not in text}
    assert f"{PERSON}.0" not in left
    assert f"more,{PERSON}5" in left


def test_a_zip_keeps_its_other_members_as_they_are() -> None:
    mine, other = records(PERSON), records("13047")
    found = searched(zipped({"mine.csv": mine, "a/other.csv": other}), "x.zip")
    after = search(SALES, standing(SALES, "customer_id", "13047"), "x.zip", found.data or b"")
    assert [erased.lines for erased in (*found.erased, *after.erased)] == [(1,), (1,)]
    assert (
        after.erased[0].before
        == search(SALES, standing(SALES, "customer_id", "13047"), "y.csv", other).erased[0].before
    )


@pytest.mark.parametrize("data", [b"PK\x03\x04 cut", gzipped(records(PERSON))[:-9], b"PAR1\0 cut", b"\0\1\2\0"])
def test_what_nobody_can_look_into_is_told(data: bytes) -> None:
    found = searched(data)
    assert found.data is None
    assert len(found.unsearched) == 1


def test_nothing_is_found_in_nothing() -> None:
    for data in (b"", b"\n\n", records(), b"[]", b"{}"):
        assert searched(data) == Searched(None)


@pytest.mark.parametrize(
    ("column", "value", "mails"),
    [
        ("number", "007", ["a", "b"]),
        ("mail", "o'neil, \u00e9va <eva@x.org>", ["a", "O'Neil, \u00c9va <EVA@x.org>"]),
    ],
)
def test_any_text_or_integer_may_identify_a_person(column: str, value: str, mails: list[str]) -> None:
    frame = pl.DataFrame({"No": ["6", "7"], "Mail": mails})
    found = search(PEOPLE, standing(PEOPLE, column, value), "x.csv", frame.write_csv().encode())
    assert [erased.lines for erased in found.erased] == [(2,)]


def test_values_stand_in_texts_as_words_only() -> None:
    people = standing(SALES, "customer_id", PERSON)
    texts = ["a,b", f"x {PERSON}.0 y", f'{{"c":{PERSON}}}', "", f'a;"{PERSON}";', f"1{PERSON}", f"k={PERSON}"]
    assert people.in_texts(pl.Series(texts)).to_list() == [False, True, True, False, True, False, True]
    assert people.in_texts(pl.Series([], dtype=pl.String)).to_list() == []


class Members(Contract):
    """People again, after the contract changed: another name for the address, and no upper case."""

    number = dy.String(nullable=False, description="Number.", metadata=source("No"))
    address = dy.String(description="Address.", metadata=source("Mail", personal=True))


class Numbers(Contract):
    """People again, without their address."""

    number = dy.Int64(nullable=False, description="Number.", metadata=source("No"))


def test_a_contract_that_reads_them_in_another_way_lets_nobody_in() -> None:
    changed = Feed(name="people", contract=Members, description="People.", owner="team:tests")
    data = b"No,Mail\n6,a@x.org\n7, Ann@x.org \n007,b@x.org\n"
    for column, value, lines in (("mail", "ANN@x.org", (2,)), ("number", "7", (2,))):
        found = search(changed, standing(PEOPLE, column, value), "x.csv", data)
        assert [erased.lines for erased in found.erased] == [lines]
        assert People(changed, KEY, standing(PEOPLE, column, value).people).unread_columns == []


def test_a_column_that_is_gone_is_told_and_stops_nothing() -> None:
    changed = Feed(name="people", contract=Numbers, description="People.", owner="team:tests")
    erasures = standing(PEOPLE, "mail", "ann@x.org")
    assert search(changed, erasures, "x.csv", b"No,Mail\n7,ann@x.org\n") == Searched(None)
    assert People(changed, KEY, erasures.people).unread_columns == ["mail"]


def test_a_member_that_nobody_can_read_is_carried_over_and_told() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("odd.csv", records("13047") * 50, zipfile.ZIP_BZIP2)
        archive.writestr("mine.csv", records(PERSON), zipfile.ZIP_DEFLATED)
        archive.writestr("stored.csv", records("12583"))
    found = searched(buffer.getvalue(), "x.zip")
    assert [*found.unsearched] == ["x.zip!odd.csv"]
    with zipfile.ZipFile(io.BytesIO(found.data or b"")) as archive:
        assert archive.testzip() is None
        assert [archive.read(name) for name in ("odd.csv", "stored.csv")] == [records("13047") * 50, records("12583")]
        assert PERSON.encode() not in archive.read("mine.csv")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Doe, Ann", b'InvoiceNo,CustomerID,Country\n"Doe, Ann"\n1,2,3\n'),
        ("Doe, Ann", b'E,Person\n1,"Doe, Ann"\n'),
        ('O"Brien B\u00f3b', b'E,Person\n1,"O""Brien B\xc3\xb3b"\n'),
        ("\u00c7arl", b'[{"CustomerID": "\\u00c7arl", "Quan'),
    ],
)
def test_values_with_separators_are_found_where_the_shape_is_broken(value: str, text: bytes) -> None:
    found = search(SALES, standing(SALES, "customer_id", value), "x.csv", text)
    assert found.records == 1
    assert found.unsearched == {}


def test_what_stands_beside_the_records_of_a_document_goes_and_the_rest_stays() -> None:
    feed = Feed(name="people", contract=Persons, description="P.", owner="team:tests", format=Json(records="data"))
    data = (
        b'{"at": 7.50, "ids": [9876543210, 98765432101], "data": [{"No": 6, "Mail": "a"}], '
        b'"next": "http://api/p?after=9876543210&n=12", "by": "Zo\\u00eb Q", "x": "9876543210x"}'
    )
    found = search(feed, standing(feed, "number", PERSON), "x.json", data)
    assert (found.records, found.unsearched) == (0, {})
    assert found.data == data.replace(b"[9876543210,", b'["(erased)",').replace(b"=9876543210&", b"=(erased)&")
    named = search(feed, standing(feed, "mail", "zo\u00eb q"), "x.json", data)
    assert named.data == data.replace(b'"Zo\\u00eb Q"', b'"(erased)"')
    assert search(feed, standing(feed, "number", PERSON), "x.json", found.data or b"") == Searched(None)
