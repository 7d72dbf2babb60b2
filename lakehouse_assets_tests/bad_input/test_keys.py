"""Objects under keys of every kind end where docs/bad-input.md says, in a folder and on a real S3 server alike."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.sources.landing import land as land_file
from lakehouse_assets.storage.stores import StorageError
from lakehouse_assets_tests.bad_input import table
from lakehouse_assets_tests.bad_input.corpus import records
from lakehouse_assets_tests.bad_input.outcome import GOOD, GOOD_KEY, expected, process, read
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.retail import ingest, land, publish, sales, sales_csv, zipped
from lakehouse_assets_tests.s3_server import S3Server

_LONGEST_KEY_BYTES = 1024


def _long(prefix: str, size: int) -> str:
    """Return a key that has that many bytes with its prefix, in names that a file system takes."""
    folders = "d" * 120 + "/"
    left = size - len(f"{prefix}landing/sales/")
    return folders * (left // len(folders) - 1) + "e" * (left - (left // len(folders) - 1) * len(folders))


_NOT_HERE = {"with one name of 300 bytes"}  # SeaweedFS takes names of at most 255 bytes, S3 does not care
KEYS: dict[str, Callable[[str], str]] = {
    "with spaces": lambda _: " a day .csv",
    "with plus signs": lambda _: "a+b+.csv",
    "with percent signs": lambda _: "100%/a%20b%2Fc%.csv",
    "with Unicode": lambda _: "日本/é🎁 e\u0301.csv",
    "with quotes, ampersands and the like": lambda _: 'it\'s "q" & <b>;#?=,$@:.csv',
    "with a line end": lambda _: "a\nb.csv",
    "with a control character": lambda _: "a\x01\x7fb.csv",
    "with an exclamation mark": lambda _: "a!/b!c.csv",
    "with wildcards": lambda _: "[a]*/{b}?.csv",
    "as a partition folder": lambda _: "dt=2011-03-02/part-0.csv",
    "of 1,024 bytes with the prefix": lambda prefix: _long(prefix, _LONGEST_KEY_BYTES),
    "with one name of 255 bytes": lambda _: "n" * 251 + ".csv",
    "with one name of 300 bytes": lambda _: "n" * 296 + ".csv",
    "longer than the file system or S3 takes": lambda prefix: _long(prefix, 5_000),
    "with two dots for a folder": lambda _: "a/../../../b.csv",
    "hidden": lambda _: ".day.csv",
    "in a hidden folder": lambda _: ".h/day.csv",
    "with a NUL byte": lambda _: "a\0b.csv",
    "ending in a slash": lambda _: "folder/",
    "empty": lambda _: "",
    "that is not UTF-8": lambda _: os.fsdecode(b"caf\xe9.csv"),
}


def test_the_page_names_exactly_the_keys_that_are_tried() -> None:
    assert sorted(table.key_rows()) == sorted(KEYS)


def _end_as_the_page_says(
    lake: Lake, ends: dict[str, str], prefix: str, put: Callable[[str, Path], None], file: Path
) -> None:
    """Try all in one lake: the records of each object are of an invoice of its own."""
    assert set(ends.values()) == {"accepted", "refused"}
    land(lake, GOOD_KEY, sales_csv(GOOD))
    landed, accepted = [f"landing/sales/{GOOD_KEY}"], {}
    for number, (name, end) in enumerate(ends.items(), 560_001):
        key, rows = KEYS[name](prefix), records(InvoiceNo=str(number))
        file.write_bytes(sales_csv(rows))
        if end == "accepted":
            put(key, file)
            landed.append(f"landing/sales/{key}")
            accepted[key] = expected(rows)
        else:
            _refused(lake, key, file, table.key_rows()[name].words)
        assert sorted(stored.path for stored in lake.store.list("landing")) == sorted(landed), name
    process(lake)
    for key, valid in accepted.items():
        found = read(lake, key)
        assert (found.ends_as, found.valid, found.good) == ("accepted", valid, expected(GOOD)), key
        assert not found.still_pending, key
    assert (ingest(lake), publish(lake)) == ([], {})


def _refused(lake: Lake, key: str, file: Path, words: tuple[str, ...]) -> None:
    with pytest.raises(StorageError) as refusal:
        land_file(lake, sales(lake), key, file)
    for word in words:
        assert word in str(refusal.value)
    assert str(refusal.value).count("\n") == 0


@pytest.mark.slow
def test_each_key_in_a_folder_ends_where_the_page_says(lake: Lake, tmp_path: Path) -> None:
    def put(key: str, file: Path) -> None:
        assert land_file(lake, sales(lake), key, file).key == key

    ends = {row.name: row.in_folder for row in table.key_rows().values()}
    _end_as_the_page_says(lake, ends, "", put, tmp_path / "day.csv")


@pytest.mark.slow
def test_each_key_on_s3_ends_where_the_page_says(s3_lake: Lake, s3_server: S3Server, tmp_path: Path) -> None:
    prefix = s3_lake.settings.root.split("/", 3)[3] + "/"
    client = s3_server.client()

    def put(key: str, file: Path) -> None:
        client.put_object(Bucket=s3_server.bucket, Key=f"{prefix}landing/sales/{key}", Body=file.read_bytes())

    ends = {row.name: row.on_s3 for row in table.key_rows().values() if row.name not in _NOT_HERE}
    _end_as_the_page_says(s3_lake, ends, prefix, put, tmp_path / "day.csv")


@pytest.mark.slow
@pytest.mark.parametrize("key", [".day.csv", ".h/day.csv", "h/.day.csv", "h/.i/day.csv"])
def test_a_hidden_object_is_none_in_a_folder_as_on_s3(key: str, lake: Lake, s3_lake: Lake) -> None:
    for each in (lake, s3_lake):
        each.store.replace(f"landing/sales/{key}", sales_csv(records()))
        assert [stored.path for stored in each.store.list("landing")] == [], each.settings.root


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize("is_zip_first", [True, False])
def test_an_object_called_as_a_zips_member_takes_nothing_from_it(tmp_path: Path, *, is_zip_first: bool) -> None:
    lake = lake_at(str(tmp_path / "lake"))
    member, other = records(3), records(2, InvoiceNo="550002")
    steps = [("drop.zip", zipped({"day.csv": sales_csv(member)})), ("drop.zip!day.csv", sales_csv(other))]
    for key, data in steps if is_zip_first else steps[::-1]:
        land(lake, key, data)
        process(lake)
    found = read(lake, "drop.zip")
    assert found.valid == expected([*member, *other])
    assert not found.rejected
    assert (ingest(lake), publish(lake)) == ([], {})
