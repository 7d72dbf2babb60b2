"""Discover looks at the beginnings of several files, and says which ones it left out and why."""

import json
import random
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from lakehouse_assets.contracts.declare import Feed
from lakehouse_assets.parsing.archives import Rejection
from lakehouse_assets.parsing.discover import draft
from lakehouse_assets_tests.bad_input.inputs import CORPUS
from lakehouse_assets_tests.parsing.drafted import LIMIT, drafted, loaded, types_of
from lakehouse_assets_tests.retail import gzipped, sales_csv, zipped


def _with_another(data: bytes) -> bytes:
    return zipped({"a.csv": data, "b.csv": b"other"})


@pytest.mark.parametrize("wrap", [gzipped, _with_another])
def test_a_packed_file_is_discovered_by_its_first_member(tmp_path: Path, wrap: Callable[[bytes], bytes]) -> None:
    assert list(drafted(tmp_path, wrap(sales_csv())).sources)[:2] == ["invoice_no", "stock_code"]


def test_a_zip_made_on_macos_is_one_file_of_the_sender(tmp_path: Path) -> None:
    (file := tmp_path / "sales.zip").write_bytes(CORPUS["zip with the hidden files that macOS adds"].make())
    text = draft([file], None, LIMIT)
    assert "Left out" not in text
    assert "DS_Store" not in text


@pytest.mark.parametrize("data", [b"", b"a,b\n", b"[]", b"PK\x03\x04", b"\xff\xfeab"])
def test_a_file_without_records_is_refused_in_one_line(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "x.csv"
    file.write_bytes(data)
    with pytest.raises(Rejection) as error:
        draft([file], None, LIMIT)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"gone.csv: no such file\. Nothing was discovered\.$"):
        draft([tmp_path / "gone.csv"], None, LIMIT)


def _written(folder: Path, files: dict[str, bytes]) -> Path:
    (landing := folder / "drops").mkdir()
    for name, data in files.items():
        (landing / name).write_bytes(data)
    return landing


def test_types_hold_for_every_file_of_a_folder(tmp_path: Path) -> None:
    files = {
        "1.csv": b"id,price,note\n1,2,a\n2,3,b\n",
        "2.csv": b"id,price,note,late\n3,2.55,,\n4,1,x,y\n5,1,z,\n",
        "3.json": b'[{"id": "x7", "price": 1}]',
    }
    text = draft([_written(tmp_path, files)], None, LIMIT)
    feed = loaded(tmp_path, text).FEED
    assert feed.name == "drops"
    assert types_of(feed) == {"id": "String", "price": "Decimal", "note": "String", "late": "String"}
    assert {name for name, column in feed.contract.columns().items() if column.nullable} == {"note", "late"}
    assert "# Drafted from 6 records of 3 of 3 files." in text


def test_what_cannot_be_read_or_has_other_fields_is_left_out_and_said(tmp_path: Path) -> None:
    files = {
        "1.csv": b"id,price\n1,2\n",
        "2.csv": b"\x00\xff" * 9,
        "3.csv": b"store,city\n1,x\n",
        "4.csv": b"id,price\n",
    }
    text = " ".join(draft([_written(tmp_path, files)], None, LIMIT).replace("#", " ").split())
    assert "1 record of 1 of 4 files" in text
    assert "Left out: 2.csv: " in text
    assert "And 1 more." in text


def test_bytes_that_are_no_text_are_no_feed(tmp_path: Path) -> None:
    noise = random.Random(7).randbytes(20_000)  # noqa: S311 - not a secret
    folder = _written(tmp_path, {"bin.dat": noise, "a.csv": "id,city\n1,Zürich\n".encode("mac_roman")})
    with pytest.raises(Rejection, match=r"^bin\.dat: it is not text, and none of Parquet, .* Looked for CSV, JSON and"):
        draft([folder / "bin.dat"], None, LIMIT)
    text = draft([folder], None, LIMIT)
    assert "Left out: bin.dat: it is not text" in " ".join(text.replace("#", " ").split())
    assert '"mac_roman"' in text


@pytest.mark.parametrize("data", ["id,city\n1,表\n".encode("utf-16"), b"id,city\n1,x\x01\x1a\n"])
def test_text_with_odd_bytes_is_text(tmp_path: Path, data: bytes) -> None:
    assert "city" in draft([_written(tmp_path, {"a.csv": data})], None, LIMIT)


def test_a_folder_of_many_files_is_looked_at_here_and_there(tmp_path: Path) -> None:
    files = {f"{at:03d}.csv": f"id,at\n{at},2011-03-01\n".encode() for at in range(100)}
    files["050.csv.manifest.json"] = b"{}"
    text = draft([_written(tmp_path, files)], None, LIMIT)
    assert "24 records of 24 of 100 files" in text


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize("pack", [bytes, gzipped, lambda data: zipped({"day.csv": data})])
@pytest.mark.parametrize("kind", ["csv", "json"])
def test_a_long_file_is_looked_at_from_its_beginning(
    tmp_path: Path, kind: str, pack: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lakehouse_assets.parsing.sample._MOST_BYTES_EACH", 100_000)
    records = [{"id": at, "text": 'two\nlines, "quoted"', "late": at if at == 9_999 else None} for at in range(10_000)]
    if kind == "csv":
        data = pl.DataFrame(records, infer_schema_length=None).write_csv().encode()
    else:
        data = json.dumps({"n": 1, "items": records}).encode()
    (file := tmp_path / f"long.{kind}").write_bytes(pack(data))
    text = draft([file], None, LIMIT)
    feed = loaded(tmp_path, text).FEED
    assert "the first " in text
    assert types_of(feed) == {"id": "Int64", "text": "String", "late": "String"}
    assert "# text: no value in the sample" in text


def test_a_large_parquet_file_is_read_from_its_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakehouse_assets.parsing.sample._MOST_BYTES_EACH", 1_000)
    file = tmp_path / "x.parquet"
    pl.DataFrame({"id": range(100_000), "opened": ["2011-03-01"] * 100_000}).write_parquet(file)
    text = draft([file], None, LIMIT)
    assert types_of(loaded(tmp_path, text).FEED) == {"id": "Int64", "opened": "Date"}
    assert "the first 50,000 records" in " ".join(text.replace("#", " ").split())


@pytest.mark.parametrize(
    "name",
    [
        *["zip without members", "zip with folders only", "zip packed with LZMA, damaged", "encrypted zip"],
        *["truncated gzip", "nested zip", "a PNG image", "UTF-32", "JSON array cut short", "JSON nested 100,000 deep"],
        *["commas only", "header only", "NUL bytes only", "truncated Parquet", "an Excel workbook of the old kind"],
    ],
)
def test_a_damaged_file_is_refused_in_one_line_or_gives_a_module(tmp_path: Path, name: str) -> None:
    (file := tmp_path / f"x.{CORPUS[name].suffix}").write_bytes(CORPUS[name].make())
    try:
        text = draft([file], None, LIMIT)
    except Rejection as rejection:
        assert "\n" not in str(rejection)  # noqa: PT017 - either way is right
    else:
        assert isinstance(loaded(tmp_path, text).FEED, Feed)


def test_an_empty_folder_is_said_in_one_line(tmp_path: Path) -> None:
    (empty := tmp_path / "empty").mkdir()
    with pytest.raises(Rejection, match=r"empty: it holds no file\. Nothing was discovered\.$"):
        draft([empty], None, LIMIT)


@pytest.mark.slow
def test_a_large_file_is_discovered_in_little_memory(tmp_path: Path) -> None:
    block = "".join(f'{at},2011-03-01 08:00:00,"Flat white, large",{at / 8}\n' for at in range(20_000)).encode()
    with (file := tmp_path / "big.csv").open("wb") as stream:
        stream.write(b"id,at,article,price\n")
        for _ in range(300):  # 250 MB; the peak is the same with more
            stream.write(block)
    # Not `getrusage`: its peak begins with that of the process which this one was forked from.
    code = "import sys; from pathlib import Path; from lakehouse_assets.parsing.discover import draft; "
    code += "draft([Path(sys.argv[1])], None, 2**30); print(Path('/proc/self/status').read_text())"
    ran = subprocess.run([sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=True)
    [peak] = re.findall(r"VmHWM:\s+(\d+) kB", ran.stdout)
    assert int(peak) < 400_000


def test_a_title_above_the_header_is_named_as_the_cause(tmp_path: Path) -> None:
    folder = _written(tmp_path, {"x.csv": b"# Report of March\n\nid,city\n1,Leeds\n2,York\n3,Bath\n"})
    with pytest.raises(Rejection, match=r"2 fields, 1 expected\. .*take a title or comments above it out of the file"):
        draft([folder], None, LIMIT)


def test_records_of_another_shape_are_counted(tmp_path: Path) -> None:
    folder = _written(tmp_path, {"x.csv": b"id,city\n1,Leeds\n2,York\n3,Bath,\n4,Hull\n5\n"})
    text = " ".join(draft([folder], None, LIMIT).replace("#", " ").split())
    assert "Drafted from 3 records" in text
    assert "Left out: x.csv: 2 records of another shape, the first: 3 fields, 2 expected." in text
