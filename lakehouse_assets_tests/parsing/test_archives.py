"""A landed object becomes its source objects; what cannot be taken is rejected with a reason, and takes no memory."""

import gzip
import io
import struct
import tracemalloc
import warnings
import zipfile
import zlib

import pytest

from lakehouse_assets.parsing.archives import Rejection, SourceObject, decompressed, unpack
from lakehouse_assets_tests.retail import gzipped, zipped

LIMIT = 2**20


def _unpacked(data: bytes, limit: int = LIMIT) -> list[SourceObject]:
    return list(unpack("drop.zip", data, limit))


def _only(data: bytes, limit: int = LIMIT) -> SourceObject:
    [found] = _unpacked(data, limit)
    return found


@pytest.mark.parametrize("data", [b"a,b\n1,2\n", b"", b"PK", gzipped(b"a"), b"x" + zipped({"a": b""})])
def test_what_is_no_zip_is_one_source_object_as_it_is(data: bytes) -> None:
    assert _only(data) == SourceObject("drop.zip", data)


def test_the_members_of_a_zip_are_source_objects_of_their_own() -> None:
    found = _unpacked(zipped({"b.csv": b"1", "2011/a.csv": b"22", "2011/": b""}))
    assert [(source.key, source.data, source.rejection) for source in found] == [
        ("drop.zip!b.csv", b"1", None),
        ("drop.zip!2011/a.csv", b"22", None),
    ]


def test_the_content_alone_makes_the_hash_and_what_has_none_has_no_hash() -> None:
    one, two = _unpacked(zipped({"a": b"same", "b": b"same"}))
    assert one.hash == two.hash == _only(b"same").hash
    assert _only(b"PK\x03\x04 broken").hash is None


def _flagged_encrypted(data: bytes) -> bytes:
    at = data.index(b"PK\x01\x02") + 8
    local = data.index(b"PK\x03\x04") + 6
    flagged = bytearray(data)
    flagged[at] |= 1
    flagged[local] |= 1
    return bytes(flagged)


def _twice(name: str) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w") as archive:
        warnings.simplefilter("ignore")
        archive.writestr(name, b"1")
        archive.writestr(name, b"2")
    return buffer.getvalue()


WHOLE = {
    "cut short": (zipped({"a.csv": b"x" * 1000})[:-30], "the zip cannot be opened .*; land it again, whole"),
    "only a magic number": (b"PK\x03\x04", "the zip cannot be opened .*; land it again, whole"),
    "without members": (zipped({}), "the zip holds no file; land one that does"),
    "with folders only": (zipped({"a/": b""}), "the zip holds no file; land one that does"),
    "with two members of one name": (_twice("a.csv"), "the zip holds two members named 'a.csv'; give each a name"),
}


@pytest.mark.parametrize(("data", "reason"), WHOLE.values(), ids=WHOLE.keys())
def test_a_zip_is_rejected_as_a_whole_when(data: bytes, reason: str) -> None:
    found = _only(data)
    assert (found.key, found.data) == ("drop.zip", b"")
    with pytest.raises(Rejection, match=reason):
        raise Rejection(str(found.rejection))


MEMBERS = {
    "encrypted": (_flagged_encrypted(zipped({"a.csv": b"1"})), "the member is encrypted; land it unencrypted"),
    "a zip itself": (zipped({"a.zip": zipped({"b": b"1"})}), "the member is itself a zip; land it as an object"),
    "named absolutely": (zipped({"/etc/passwd": b"1"}), "'/etc/passwd' is absolute or leaves its folder; rename it"),
    "named out of its folder": (zipped({"a/../../b": b"1"}), "'a/../../b' is absolute or leaves its folder"),
    "named with a drive": (zipped({"C:\\b": b"1"}), "is absolute or leaves its folder"),
    "too large": (
        zipped({"a.csv": b"0" * (LIMIT + 1)}),
        "more than 1,048,576 bytes when decompressed; land it in small",
    ),
}


@pytest.mark.parametrize(("data", "reason"), MEMBERS.values(), ids=MEMBERS.keys())
def test_a_member_is_rejected_when_it_is(data: bytes, reason: str) -> None:
    found = _only(data)
    assert found.key.startswith("drop.zip!")
    assert found.data == b""
    with pytest.raises(Rejection, match=reason):
        raise Rejection(str(found.rejection))


def test_a_bad_member_does_not_take_the_good_ones_with_it() -> None:
    found = _unpacked(zipped({"a.csv": b"1", "../b.csv": b"2", "c.csv": b"3"}))
    assert [(source.data, source.rejection is None) for source in found] == [(b"1", True), (b"", False), (b"3", True)]


def test_a_member_whose_bytes_are_damaged_is_rejected() -> None:
    data = bytearray(zipped({"a.csv": b"abcdefgh" * 1000, "b.csv": b"1"}))
    data[50] ^= 0xFF
    bad, good = _unpacked(bytes(data))
    assert "cannot be decompressed" in (bad.rejection or "")
    assert good.data == b"1"


def test_a_member_as_large_as_the_limit_is_taken() -> None:
    assert len(_only(zipped({"a.csv": b"0" * LIMIT})).data) == LIMIT


def _lying(size: int, declared: int) -> bytes:
    """Return a zip whose member has more bytes than both of its headers say."""
    packed = zlib.compressobj(9, wbits=-15)
    body = b"".join(packed.compress(b"0" * 2**20) for _ in range(size // 2**20)) + packed.flush()
    fields = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 0, zlib.crc32(b"0" * declared), len(body), declared, 1, 0)
    local = b"PK\x03\x04" + fields + b"a" + body
    central = b"PK\x01\x02" + struct.pack("<H", 20) + fields + struct.pack("<HHHII", 0, 0, 0, 0, 0) + b"a"
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), len(local), 0)
    return local + central + end


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize("declared", [2**27, 10], ids=["that says so", "that lies"])
def test_a_bomb_costs_no_memory(declared: int) -> None:
    data = _lying(2**27, declared)
    assert len(data) < 2**20
    tracemalloc.start()
    try:
        found = _only(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found.rejection is not None or len(found.data) == declared
    assert peak < 8 * LIMIT


def test_gzip_is_taken_off_and_anything_else_left_alone() -> None:
    assert decompressed(gzipped(b"a,b"), LIMIT) == b"a,b"
    assert decompressed(gzipped(b"a,") + gzipped(b"b"), LIMIT) == b"a,b"  # two parts are one file
    assert decompressed(b"a,b", LIMIT) == b"a,b"


@pytest.mark.parametrize(
    "data",
    [gzipped(b"abc" * 100)[:-9], gzipped(b"abc")[:12], gzipped(b"abc")[:-4] + b"xxxx", b"\x1f\x8b"],
    ids=["cut in its data", "cut in its header", "wrong length", "only a magic number"],
)
def test_a_damaged_gzip_is_rejected(data: bytes) -> None:
    with pytest.raises(Rejection, match=r"the gzip is damaged or cut short .*; land it again, whole"):
        decompressed(data, LIMIT)


@pytest.mark.slow(covered=True)
def test_a_gzip_bomb_is_rejected_without_its_memory() -> None:
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as stream:
        for _ in range(128):
            stream.write(b"0" * 2**20)
    tracemalloc.start()
    try:
        with pytest.raises(Rejection, match=r"more than 1,048,576 bytes .* or raise LAKEHOUSE_MAX_SOURCE_BYTES"):
            decompressed(buffer.getvalue(), LIMIT)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * LIMIT
