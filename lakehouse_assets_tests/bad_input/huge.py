"""Inputs that are large, or become large when somebody reads them. Each is read in a process of its own.

`FAULTS=all`: ten times the tiny members and four times the members of one record.
"""

import json
from dataclasses import replace

import pyarrow as pa

from lakehouse_assets_tests.bad_input.corpus import bad, records
from lakehouse_assets_tests.bad_input.delimited import GOOD, HEADER, with_lines
from lakehouse_assets_tests.bad_input.parquet_objects import with_values, written
from lakehouse_assets_tests.bad_input.zip_format import (
    BZIP2,
    CRC_OF_TEN_GB,
    LZMA,
    TEN_GB,
    Member,
    bzip2_zeros,
    deflated_zeros,
    gzip_zeros_of_ten_gb,
    lzma_zeros,
    raw_zip,
)
from lakehouse_assets_tests.faults.conftest import EVERYTHING
from lakehouse_assets_tests.retail import HEADERS, gzipped, sales_csv

_LARGE = 16_000_000
_FIFTY_MB = 50_000_000
_LOW = 64 * 2**20
_BOMB = 3 * 2**28
_MANY = 160_000
_MEMBERS = 20_000 if EVERYTHING else 2_000
_RECORDS = 2_000 if EVERYTHING else 500


@bad("16 MB in one line, no separators", is_huge=True)
def one_line() -> bytes:
    return b"x" * _LARGE


@bad("16 MB in one line, of separators", is_huge=True)
def one_line_of_separators() -> bytes:
    return b"," * _LARGE


@bad("16 MB in one line, a header of millions of names", is_huge=True)
def one_line_of_names() -> bytes:
    names = ",".join(f"n{at}" for at in range(_LARGE // 9))
    return f"{HEADER},{names},n7\n".encode()


@bad("16 MB in one line, below a good header", valid=records(1), quarantined=1, is_huge=True)
def one_line_below() -> bytes:
    return with_lines(GOOD.format(1), "550001,85123A," * (_LARGE // 14))


@bad("16 MB in one field", valid=records(1, Description="y" * _LARGE), is_huge=True)
def one_field() -> bytes:
    return sales_csv(records(1, Description="y" * _LARGE))


@bad("160,000 short rows", valid=records(1), quarantined=_MANY, is_huge=True)
def short_rows() -> bytes:
    return with_lines(GOOD.format(1), *(str(at) for at in range(_MANY)))


@bad("160,000 records and one short row", valid=_MANY, quarantined=1, is_huge=True)
def many_and_one() -> bytes:
    return with_lines(*(GOOD.format(at) for at in range(_MANY)), "550001,cut")


@bad("16 MB of JSON in one line", suffix="json", valid=_MANY // 2, is_huge=True)
def one_line_of_json() -> bytes:
    return b"[" + b",".join(_as_json(at) for at in range(_MANY // 2)) + b"]"


def _as_json(at: int) -> bytes:
    record = dict(zip(HEADERS, GOOD.format(at).split(","), strict=True)) | {"Description": "A GIFT FOR EVERYBODY"}
    return json.dumps(record, separators=(",", ":")).encode()


@bad("16 MB of JSON in one line, millions of tiny records", suffix="json", is_huge=True)
def one_line_of_tiny_json() -> bytes:
    return b"[" + b",".join([b'{"a":1}'] * (_LARGE // 8)) + b"]"


@bad("zip bomb of 10 GB", suffix="zip", limit=_LOW, is_huge=True)
def zip_bomb() -> bytes:
    return raw_zip([Member("day.csv", deflated_zeros(TEN_GB), TEN_GB, CRC_OF_TEN_GB)])


@bad("zip bomb of 10 GB whose header says 1,000 bytes", suffix="zip", limit=_LOW, is_huge=True)
def zip_bomb_lying() -> bytes:
    return raw_zip([Member("day.csv", deflated_zeros(TEN_GB), 1_000, CRC_OF_TEN_GB)])


@bad("zip bomb of 10 GB whose header says as much as is allowed", suffix="zip", limit=_LOW, is_huge=True)
def zip_bomb_lying_high() -> bytes:
    return raw_zip([Member("day.csv", deflated_zeros(TEN_GB), _LOW, CRC_OF_TEN_GB)])


@bad("zip bomb in bzip2 whose header says 1,000 bytes", suffix="zip", limit=_LOW, is_huge=True)
def zip_bomb_bzip2() -> bytes:
    return raw_zip([Member("day.csv", bzip2_zeros(_BOMB), 1_000, 0, method=BZIP2)])


@bad("zip bomb in LZMA whose header says 1,000 bytes", suffix="zip", limit=_LOW, is_huge=True)
def zip_bomb_lzma() -> bytes:
    return raw_zip([Member("day.csv", lzma_zeros(_BOMB), 1_000, 0, method=LZMA)])


@bad("zip of 200 members of 50 MB each", suffix="zip", limit=_LOW, is_huge=True)
def zip_of_many_large() -> bytes:
    large = Member.of("day.csv", b"\n" * _FIFTY_MB)
    return raw_zip([replace(large, name=f"{at:03}.csv") for at in range(200)])


@bad("zip of 200 gzips of 50 MB each", suffix="zip", limit=_LOW, is_huge=True)
def zip_of_many_gzips() -> bytes:
    large = Member.of("day.csv.gz", gzipped(b"\n" * _FIFTY_MB))
    return raw_zip([replace(large, name=f"{at:03}.csv.gz") for at in range(200)])


@bad("gzip bomb of 10 GB", suffix="csv.gz", limit=_LOW, is_huge=True)
def gzip_bomb() -> bytes:
    return gzip_zeros_of_ten_gb()


@bad("Parquet bomb: one long text in every row, 10 GB", suffix="parquet", limit=_LOW, is_huge=True)
def parquet_bomb() -> bytes:
    return _long_text_in_every_row(is_category=False)


@bad("Parquet bomb: one long category in every row, 10 GB", suffix="parquet", limit=_LOW, is_huge=True)
def parquet_category_bomb() -> bytes:
    return _long_text_in_every_row(is_category=True)


def _long_text_in_every_row(*, is_category: bool) -> bytes:
    texts = {name: records(1)[0][name] for name in HEADERS} | {"Description": "z" * 1_000_000}
    first = pa.array([0] * 10_000, pa.int32())
    table = pa.table({name: pa.DictionaryArray.from_arrays(first, pa.array([text])) for name, text in texts.items()})
    return written(table, compression="zstd", store_schema=is_category)


@bad("Parquet whose page header says a negative number of values", suffix="parquet", is_huge=True)
def negative_values() -> bytes:
    return with_values(b"\x07")


@bad("zip with thousands of tiny members", suffix="zip", is_huge=True)
def many_members() -> bytes:
    return raw_zip([Member.of(f"{at:05}.csv", b"x") for at in range(_MEMBERS)])


@bad("zip with hundreds of members of one record", suffix="zip", valid=_RECORDS, is_huge=True)
def many_records() -> bytes:
    return raw_zip([Member.of(f"{at:04}.csv", sales_csv([row])) for at, row in enumerate(records(_RECORDS))])
