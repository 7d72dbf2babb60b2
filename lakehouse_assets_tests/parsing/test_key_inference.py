"""`discover` proposes keys and deliveries: certain ones as arguments, all others in a comment with their evidence."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.parsing.discover import draft
from lakehouse_assets.storage import delta
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.parsing.drafted import LIMIT, loaded
from lakehouse_assets_tests.retail import ingest, land, publish, zipped

Files = dict[str, bytes]


def _csv(header: str, rows: list[str]) -> bytes:
    return "\n".join([header, *rows, ""]).encode()


def _text(folder: Path, files: Files) -> str:
    (landing := folder / "things").mkdir(exist_ok=True)
    for name, data in files.items():
        (landing / name).write_bytes(data)
    return draft([landing], None, LIMIT)


def _feed(folder: Path, text: str) -> Feed:
    found = loaded(folder, text).FEED
    assert isinstance(found, Feed)
    return found


def _words(text: str) -> str:
    return " ".join(text.replace("#", " ").split())


def _without_marks(text: str) -> str:
    """Return a draft as a person changes it who takes all its proposals."""
    proposed = r"^    # ((?:key|versioned_by|snapshot|delivered_at|duplicates|source_zone)=)"
    taken = re.sub(proposed, r"    \1", text, flags=re.MULTILINE)
    return (
        re.sub(r"^    (business_date|start_date)=.*\n", "", taken, flags=re.MULTILINE) if "  key=" in taken else taken
    )


def _published(folder: Path, feed: Feed, files: Files) -> list[tuple[object, ...]]:
    at = lake_at(str(folder / "lake"))
    lake = Lake(at.store, at.settings, Registry([feed], []))
    for name, data in files.items():
        land(lake, name, data, feed.name)
    ingest(lake, feed=feed.name)
    assert {outcome.verdict for outcome in publish(lake, feed=feed.name).values()} == {"published"}
    return delta.scan(lake.store, feed.silver.path, {}).select(*feed.contract.columns()).collect().sort("id").rows()


def _changes(time: str = "updated_at") -> Files:
    """Changes of rows: each file has some ids again, with the same name, another city and a later time."""
    return {
        f"{at}.csv": _csv(
            f"id,name,city,{time}", [f"{i},n{i},city {at},2024-03-0{at} 10:00:00" for i in range(2 * at, 2 * at + 9)]
        )
        for at in range(1, 4)
    }


def _states() -> Files:
    """Full deliveries: one row changes each day, and one more comes."""
    return {
        f"p-2024-03-0{day}.csv": _csv("id,price", [f"{i},{i}.{day if i == day else 0}5" for i in range(17 + day)])
        for day in range(1, 4)
    }


def _one_gone() -> Files:
    """The same, but the second row is gone in the last one."""
    files = _states()
    return files | {"p-2024-03-03.csv": files["p-2024-03-03.csv"].replace(b"\n1,1.05", b"")}


def _window() -> Files:
    """The last twenty sales: each file has five new ones, and one that was changed since."""
    return {
        f"p-2024-03-0{day}.csv": _csv(
            "id,price", [f"{i},{i}.{day if i == 5 * day + 10 else 0}5" for i in range(5 * day, 5 * day + 25)]
        )
        for day in range(1, 4)
    }


@pytest.mark.slow(covered=True)
def test_ids_that_come_again_with_a_later_time_are_a_key_with_versions(tmp_path: Path) -> None:
    text = _text(tmp_path, _changes())
    feed = _feed(tmp_path, text)
    assert (feed.key, feed.versioned_by, feed.business_date) == (("id",), "updated_at", None)
    said = "id is unique in each of 3 files, and 9 of 13 ids are in several of them: 9 with other values"
    assert said in _words(text)
    rows = _published(tmp_path, feed, _changes())
    assert [(row[0], row[2]) for row in rows] == [(i, f"city {min(i // 2, 3)}") for i in range(2, 15)]


@pytest.mark.parametrize(
    ("time", "cut"),
    [("sold_on", None), ("updated_at", 4)],
    ids=["a time that need not be of a change", "few ids that changed"],
)
def test_what_may_be_a_fact_of_each_day_is_proposed_in_a_comment(tmp_path: Path, time: str, cut: int | None) -> None:
    files = {name: b"\n".join(data.splitlines()[:cut]) + b"\n" for name, data in _changes(time).items()}
    text = _text(tmp_path, files)
    feed = _feed(tmp_path, text)
    assert (feed.key, feed.business_date) == ((), time)
    assert f'    # key=("id",),\n    # versioned_by="{time}",' in text
    assert "write in place of business_date:" in _words(text)
    taken = _feed(tmp_path, _without_marks(text))
    assert (taken.key, taken.versioned_by) == (("id",), time)


@pytest.mark.slow(covered=True)
def test_files_that_are_the_state_of_a_table_are_a_snapshot(tmp_path: Path) -> None:
    text = _text(tmp_path, _states())
    feed = _feed(tmp_path, text)
    assert (feed.snapshot, feed.delivered_at, feed.duplicates) == ("latest", "%Y-%m-%d", ("id",))
    said = (
        "id is unique in each of 3 files. Each file has at least 100% of the ids of the one before it, and at least 89%"
    )
    assert said in _words(text)
    assert [row[0] for row in _published(tmp_path, feed, _states())] == list(range(20))


def test_a_number_of_versions_tells_their_order_and_what_else_may_be_meant_names_what_it_replaces(
    tmp_path: Path,
) -> None:
    files = {f"{at}.csv": _csv("id,version,name,city", [f"{i},{at},n{i},{at}" for i in range(9)]) for at in range(1, 4)}
    text = _text(tmp_path, files)
    feed = _feed(tmp_path, text)
    assert (feed.key, feed.versioned_by) == (("id",), "version")
    assert "If each file is a full delivery, and the newest one is the table, write in place of key:" in _words(text)


def test_a_zip_with_its_members_is_one_delivery(tmp_path: Path) -> None:
    days = {f"p-2024-03-0{day}.zip": list(_states().values())[day - 1] for day in range(1, 4)}
    files = {}
    for name, data in days.items():
        header, *rows = data.splitlines()
        files[name] = zipped({"a.csv": b"\n".join([header, *rows[:9]]), "b.csv": b"\n".join([header, *rows[9:]])})
    assert _feed(tmp_path, _text(tmp_path, files)).snapshot == "latest"


FACTS: dict[str, Callable[[], Files]] = {
    "the same shops each day, with other figures": lambda: {
        f"2024-03-0{day}.csv": _csv("id,sum", [f"{i},{i}{day}" for i in range(9)]) for day in range(1, 4)
    },
    "rows that are gone": _one_gone,
    "a window of the last sales": _window,
    "two deliveries only": lambda: dict(list(_states().items())[1:]),
    "a list that only grows": lambda: {
        f"{day}.csv": _csv("id,sum", [f"{i},{i}" for i in range(9 + day)]) for day in range(1, 4)
    },
    "stocks with the day that they are of": lambda: {
        f"{day}.csv": _csv("id,day,n", [f"{i},2024-03-0{day},{i}" for i in range(9)]) for day in range(1, 4)
    },
}


@pytest.mark.parametrize("files", FACTS.values(), ids=FACTS.keys())
def test_files_with_the_same_ids_that_may_be_facts_are_no_snapshot_unasked(
    tmp_path: Path, files: Callable[[], Files]
) -> None:
    text = _text(tmp_path, files())
    feed = _feed(tmp_path, text)
    assert (feed.snapshot, feed.key, feed.duplicates) == ("union", (), "drop")
    assert '    # snapshot="latest",' in text


@pytest.mark.parametrize("files", [_states, _changes])
def test_files_that_were_not_read_whole_leave_every_proposal_in_a_comment(
    tmp_path: Path, files: Callable[[], Files], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lakehouse_assets.parsing.sample._MOST_BYTES_EACH", 150)
    text = _text(tmp_path, files())
    feed = _feed(tmp_path, text)
    assert (feed.snapshot, feed.key) == ("union", ())
    assert f"In the beginning of {min(files())} and 2 more: id is unique in each of 3 files" in _words(text)


RESTARTED: dict[str, tuple[str, Callable[[int, int], str]]] = {
    "receipts that are numbered anew each day": (
        "receipt_no,name,business_date,amount,updated_at",
        lambda day, i: f"{i},n{i},2024-03-0{day},{day * i}.5,2024-03-0{day} 10:0{i}:00",
    ),
    "readings of a station": (
        "station_id,name,value,updated_at",
        lambda day, i: f"s{i},n{i},{day * i}.25,2024-03-0{day} 10:0{i}:00",
    ),
    "orders of a customer": (
        "customer_id,order_id,total,updated_at",
        lambda day, i: f"c{i},{day}{i},{day + i}.5,2024-03-0{day} 10:0{i}:00",
    ),
}


@pytest.mark.parametrize(("header", "row"), RESTARTED.values(), ids=RESTARTED.keys())
def test_facts_whose_ids_come_again_keep_all_their_records(
    tmp_path: Path, header: str, row: Callable[[int, int], str]
) -> None:
    files = {f"{day}.csv": _csv(header, [row(day, i) for i in range(1, 9)]) for day in range(1, 5)}
    feed = _feed(tmp_path, _text(tmp_path, files))
    assert (feed.key, feed.snapshot, feed.duplicates) == ((), "union", "drop")
    assert feed.business_date is not None


def test_of_several_ids_the_one_that_never_comes_again_is_that_of_the_records(tmp_path: Path) -> None:
    records = [(f"c{at % 3}", at, at % 2, f"2024-03-0{at}") for at in range(1, 9)]
    names = ("customer_id", "order_id", "paid", "updated_at")
    files = {f"{record[1]}.json": json.dumps(dict(zip(names, record, strict=True))).encode() for record in records}
    text = _text(tmp_path, files)
    assert (_feed(tmp_path, text).key, '# duplicates=("order_id",)' in text) == ((), True)


def test_an_id_of_events_is_proposed_as_their_only_one(tmp_path: Path) -> None:
    files = {
        f"{day}.csv": _csv("event_id,at,n", [f"e{day}{i},2024-03-0{day} 10:00:00,1" for i in range(9)])
        for day in range(1, 4)
    }
    text = _text(tmp_path, files)
    assert '    # duplicates=("event_id",),' in text
    assert "event_id is never there with different values (27 ids of 3 files)." in _words(text)
    assert _feed(tmp_path, text).duplicates == "drop"
    assert _feed(tmp_path, _without_marks(text)).duplicates == ("event_id",)


def test_ids_that_change_without_a_time_are_ordered_by_landing(tmp_path: Path) -> None:
    files = {f"{at}.csv": _csv("id,city", [f"{i},city {at}" for i in range(5 * at, 5 * at + 9)]) for at in range(3)}
    text = _text(tmp_path, files)
    assert '    # key=("id",),\n    # versioned_by="landing",' in text
    assert _feed(tmp_path, _without_marks(text)).versioned_by == "landing"


def test_one_file_with_a_time_of_change_may_be_of_a_table_with_a_key(tmp_path: Path) -> None:
    text = _text(tmp_path, dict(list(_changes().items())[:1]))
    assert "id is unique in these 9 records, and updated_at says by its name" in _words(text)
    assert _feed(tmp_path, text).key == ()


def test_records_without_an_id_have_no_proposal(tmp_path: Path) -> None:
    text = _text(tmp_path, {"a.csv": _csv("shop,n", ["a,1", "a,2"]), "b.csv": _csv("shop,n", ["a,1", "b,1"])})
    assert not re.search(r"key=|duplicates=|snapshot=", text)


def test_equal_records_of_one_file_may_be_events_of_their_own(tmp_path: Path) -> None:
    files = {name: _csv("id,till", ["1,a", "1,a", "2,b", "2,c"]) for name in ("a.csv", "b.csv")}
    text = _text(tmp_path, files)
    assert "2 of 8 records are equal in every field to another one of the same file: they count once" in _words(text)
    assert _published(tmp_path, _feed(tmp_path, text), files) == [(1, "a"), (2, "b"), (2, "c")]
    (folder := tmp_path / "kept").mkdir()
    kept = _published(folder, _feed(folder, _without_marks(text)), files)
    assert kept == [(1, "a"), (1, "a"), (2, "b"), (2, "c")], "the same content under another name counts once"


def test_the_index_of_a_data_frame_is_no_key(tmp_path: Path) -> None:
    files = {
        f"{day}.csv": _csv(",shop,sold,updated_at", [f"{at},s{at % 2},{at % 3},2024-03-0{day}" for at in range(6)])
        for day in (1, 2, 3)
    }
    assert not re.search(r"key=|snapshot=|duplicates=\(", _text(tmp_path, files))


def test_no_evidence_shows_a_value_of_a_person(tmp_path: Path) -> None:
    files = {
        f"{at}.csv": _csv(
            "customer_id,account,city,updated_at",
            [f"secret{i},a{i},{at},2024-03-0{at}" for i in range(2 * at, 2 * at + 9)],
        )
        for at in range(1, 4)
    }
    text = _text(tmp_path, files)
    assert _feed(tmp_path, text).key == ("customer_id",)
    assert "secret" not in text
