"""Landing takes files under keys, and finds exactly what the ledger lacks."""

import dataclasses
import os
import subprocess
import time
from pathlib import Path

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.query.overview import sizes
from lakehouse_assets.query.verify import verify
from lakehouse_assets.sources.landing import files_of, land, pending
from lakehouse_assets.storage.stores import LocalStore, StorageError, Stored
from lakehouse_assets_tests import retail
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.retail import ingest, sales, sales_csv


def _file(folder: Path, data: bytes, name: str = "x.csv") -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return file


def _pending(lake: Lake, after: str = "") -> list[str]:
    feed = sales(lake)
    return [stored.path.removeprefix("landing/sales/") for stored in pending(lake, feed, lake.ledger_of(feed), after)]


@pytest.mark.slow
@pytest.mark.parametrize("how", ["-r", "-a"])
def test_a_copied_lake_looks_at_its_files_once_and_computes_nothing(lake: Lake, tmp_path: Path, how: str) -> None:
    for number, key in enumerate(("x.csv", "y.csv"), start=1):
        retail.land(lake, key, sales_csv(number, f"2011-03-0{number}"))
    retail.run(lake)
    subprocess.run(["cp", how, lake.settings.root, str(tmp_path / "copy")], check=True)
    copy = lake_at(str(tmp_path / "copy"))
    there = {stored.path for stored in copy.store.list("bronze")}
    assert _pending(copy) == ["x.csv", "y.csv"]  # other inodes: whether they are other bytes, only reading tells
    assert retail.run(copy) == {}
    assert _pending(copy) == []
    assert {stored.path for stored in copy.store.list("bronze")} == there
    size, before = (next(s for s in sizes(one) if s.name == "bronze.sales") for one in (copy, lake))
    assert (size.rows, size.bytes) == (before.rows, before.bytes)
    assert list(verify(copy, deep=True)) == []


class Counting(LocalStore):
    """A local store that counts the looks at single landed objects."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self.looks: list[str] = []

    def stat(self, path: str) -> Stored | None:
        self.looks += [path] if path.startswith("landing/") else []
        return super().stat(path)


def test_looking_for_what_is_pending_costs_a_listing_and_no_look_at_what_is_known(lake: Lake) -> None:
    for name in ("a.csv", "b.csv", "c.csv"):
        retail.land(lake, name, sales_csv(1, f"2011-03-0{ord(name[0]) - ord('a') + 1}"))
    retail.land(lake, "a.csv.manifest.json", b'{"rows": 1}')
    retail.land(lake, "b.manifest.json", b'{"rows": 1}')
    ingest(lake)
    counting = dataclasses.replace(lake, store=Counting(lake.store.root))
    assert _pending(counting) == []
    assert counting.store.looks == []  # type: ignore[attr-defined]

    retail.land(lake, "b.manifest.json", b'{"rows": 2}')
    assert _pending(counting) == ["b.csv"]
    assert set(counting.store.looks) <= {f"landing/sales/b{end}" for end in (".csv.manifest.json", ".manifest.json")}  # type: ignore[attr-defined]


def test_a_file_is_landed_under_its_key_as_it_is(lake: Lake, tmp_path: Path) -> None:
    landed = land(lake, sales(lake), "2011/03/x.csv", _file(tmp_path, b"\xff\0"))
    assert (landed.key, landed.outcome) == ("2011/03/x.csv", "new")
    assert lake.store.read("landing/sales/2011/03/x.csv") == b"\xff\0"


def test_the_same_bytes_again_are_known_and_not_written(lake: Lake, tmp_path: Path) -> None:
    file = _file(tmp_path, b"abc")
    land(lake, sales(lake), "x.csv", file)
    before = lake.store.stat("landing/sales/x.csv")
    assert land(lake, sales(lake), "x.csv", file).outcome == "known"
    assert lake.store.stat("landing/sales/x.csv") == before


@pytest.mark.parametrize("data", [b"abd", b"abcd", b""], ids=["same size", "longer", "empty"])
def test_other_bytes_under_a_known_key_are_a_resend(lake: Lake, tmp_path: Path, data: bytes) -> None:
    land(lake, sales(lake), "x.csv", _file(tmp_path, b"abc"))
    assert land(lake, sales(lake), "x.csv", _file(tmp_path, data)).outcome == "resend"
    assert lake.store.read("landing/sales/x.csv") == data


@pytest.mark.parametrize("key", ["../x", "a/../../x", "/x", ".x", "a/.x", "a/.b/x", "..", "."])
def test_a_key_that_leaves_its_folder_or_hides_is_refused(lake: Lake, tmp_path: Path, key: str) -> None:
    with pytest.raises(StorageError, match=r"Nothing was landed; rename it\.$"):
        land(lake, sales(lake), key, _file(tmp_path, b"abc"))
    assert not Path(lake.store.root).exists()


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize("key", ["a b.csv", "a+b%20c.csv", "é😀.csv", "a/b..c", "x" * 200, "a!b"])
def test_a_strange_key_is_a_key(lake: Lake, key: str) -> None:
    retail.land(lake, key, sales_csv(2))
    assert _pending(lake) == [key]
    ingest(lake)
    assert _pending(lake) == []
    assert lake.ledger_of(sales(lake)).live["source_key"].to_list() == [key]


@pytest.mark.parametrize(
    "key",
    ["x" * 1024, "a" * 300 + "/x.csv", "taken", "taken/below.csv"],
    ids=["1,024 bytes", "long folder", "a folder", "below a file"],
)
def test_a_key_that_the_file_system_refuses_is_one_clear_error(lake: Lake, tmp_path: Path, key: str) -> None:
    retail.land(lake, "taken/x.csv" if key == "taken" else "taken", b"")
    with pytest.raises(StorageError, match=r"Nothing was (written|landed)") as error:
        land(lake, sales(lake), key, _file(tmp_path, b"abc"))
    assert "\n" not in str(error.value)


def test_a_file_that_cannot_be_read_is_one_clear_error(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"gone.csv: No such file or directory\. Nothing was landed; check the file"):
        land(lake, sales(lake), "x.csv", tmp_path / "gone.csv")


def test_the_key_of_a_file_is_its_name_and_of_a_folders_files_their_path_in_it(tmp_path: Path) -> None:
    drop = tmp_path / "drop"
    for name in ("b.csv", "2011/a.csv", ".hidden", "2011/.hidden"):
        _file(drop, b"", name)
    assert list(files_of(drop / "2011" / "a.csv")) == [("a.csv", drop / "2011" / "a.csv")]
    assert [key for key, _ in files_of(drop)] == ["2011/a.csv", "b.csv"]


def test_files_in_hidden_folders_are_not_landed(tmp_path: Path) -> None:
    _file(tmp_path / "drop", b"", "a.csv")
    _file(tmp_path / "drop", b"", ".git/config")
    assert [key for key, _ in files_of(tmp_path / "drop")] == ["a.csv"]


def test_a_link_in_a_folder_that_leads_to_no_file_is_refused(tmp_path: Path) -> None:
    (drop := tmp_path / "drop").mkdir()
    (drop / "file.csv").symlink_to(_file(tmp_path / "elsewhere", b"", "a.csv"))
    (drop / ".hidden").symlink_to(tmp_path / "gone")
    assert [key for key, _ in files_of(drop)] == ["file.csv"]
    (drop / "later").symlink_to(tmp_path / "gone")
    with pytest.raises(FileNotFoundError, match=r"later: a link that leads to nothing; .*\. Nothing was landed\.$"):
        list(files_of(drop))
    (drop / "folder").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileNotFoundError, match=r"folder: a link that leads to a folder; name that folder itself\. "):
        list(files_of(drop))


def test_a_missing_or_empty_folder_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"empty: the folder holds no file\. Nothing was landed\.$"):
        list(files_of(tmp_path / "empty"))
    with pytest.raises(FileNotFoundError, match=r"gone: no such file or folder\. Nothing of it was landed\.$"):
        list(files_of(tmp_path / "gone"))


def test_what_is_landed_is_pending_until_it_is_ingested(lake: Lake) -> None:
    assert _pending(lake) == []
    retail.land(lake, "b.csv", sales_csv(1))
    retail.land(lake, "a/c.csv", sales_csv(2))
    assert _pending(lake) == ["a/c.csv", "b.csv"]
    ingest(lake)
    assert _pending(lake) == []


def test_a_resend_is_pending_even_with_the_old_size_and_times(lake: Lake) -> None:
    path = Path(lake.store.uri("landing/sales/x.csv"))
    retail.land(lake, "x.csv", sales_csv(1))
    ingest(lake)
    times = path.stat()
    time.sleep(0.02)  # longer than the tick of the file system's clock
    path.write_bytes(sales_csv(1).replace(b"2.55", b"9.99"))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert _pending(lake) == ["x.csv"]


def test_two_files_of_one_moment_are_both_pending_after_the_other_was_taken(lake: Lake) -> None:
    for name in ("a.csv", "b.csv"):
        retail.land(lake, name, sales_csv(1))
        os.utime(lake.store.uri(f"landing/sales/{name}"), ns=(1, 1))
    ingest(lake)
    retail.land(lake, "aa.csv", sales_csv(2))
    os.utime(lake.store.uri("landing/sales/aa.csv"), ns=(1, 1))
    assert _pending(lake) == ["aa.csv"]


def test_a_rejected_object_is_not_pending_again(lake: Lake) -> None:
    retail.land(lake, "bad.csv", b"PK\x03\x04")
    ingest(lake)
    assert _pending(lake) == []
    retail.land(lake, "bad.csv", sales_csv(1))
    assert _pending(lake) == ["bad.csv"]


def test_a_deleted_object_changes_nothing_by_itself(lake: Lake) -> None:
    retail.land(lake, "x.csv", sales_csv(2))
    ingest(lake)
    Path(lake.store.uri("landing/sales/x.csv")).unlink()
    assert _pending(lake) == []
    assert ingest(lake) == []
    assert lake.ledger_of(sales(lake)).live["rows"].sum() == 2


def test_pending_goes_on_after_a_key(lake: Lake) -> None:
    for name in ("a", "b/1", "b/2", "c"):
        retail.land(lake, name, sales_csv(1))
    assert _pending(lake, "b/1") == ["b/2", "c"]
    assert _pending(lake, "c") == []


def test_hidden_files_are_not_pending(lake: Lake) -> None:
    retail.land(lake, ".a.csv.part", sales_csv(1))
    retail.land(lake, ".tmp/a.csv", sales_csv(1))
    assert _pending(lake) == []
