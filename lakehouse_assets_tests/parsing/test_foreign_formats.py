"""What is in a format that is not read is told the format's name, and what to land in its place."""

import bz2
import io
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from pyarrow import orc

from lakehouse_assets.parsing.archives import Rejection
from lakehouse_assets.parsing.discover import draft
from lakehouse_assets_tests.parsing.parsed import LIMIT, RECORDS, reason_of
from lakehouse_assets_tests.retail import gzipped, sales_csv

_CSV = sales_csv(RECORDS)


def _tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        (member := tarfile.TarInfo("day.csv")).size = len(_CSV)
        archive.addfile(member, io.BytesIO(_CSV))
    return buffer.getvalue()


def _written(write: Callable[[io.BytesIO], object]) -> bytes:
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


FOREIGN = {
    "bzip2": bz2.compress(_CSV),
    "xz": lzma.compress(_CSV),
    "Zstandard": pa.compress(_CSV, codec="zstd", asbytes=True),
    "a tar archive": gzipped(_tar()),
    "ORC": _written(lambda to: orc.write_table(pa.table({"id": range(400)}), to)),
    "an Arrow or Feather file": _written(lambda to: pl.DataFrame({"id": range(400)}).write_ipc(to)),
    "Avro": _written(lambda to: pl.DataFrame({"id": range(400)}).write_avro(to)),
    "XML or a web page": b"\xef\xbb\xbf\n<!DOCTYPE html>\n<html><title>403, Forbidden</title></html>\n",
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_format_that_is_not_read_is_named(tmp_path: Path, name: str) -> None:
    reason = reason_of(FOREIGN[name])
    assert reason.startswith(f"it is {name}")
    assert "land" in reason
    (file := tmp_path / "x").write_bytes(FOREIGN[name])
    with pytest.raises(Rejection, match=rf"^x: it is {name}"):
        draft([file], None, LIMIT)


@pytest.mark.parametrize("header", [b"id,city,DUCK", b"x" * 257 + b"ustar,y", b"ORC,city"])
def test_text_that_has_the_letters_of_a_sign_is_text(header: bytes) -> None:
    assert "missing" in reason_of(header + b"\n1,Leeds\n")
