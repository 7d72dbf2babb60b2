"""A zip writer whose headers can lie, the traditional zip encryption, and bombs made without unpacking them."""

import bz2
import lzma
import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

STORED, DEFLATED, BZIP2, LZMA = 0, 8, 12, 14
TEN_GB = 10 * 2**30
CRC_OF_TEN_GB = 0xF41D912F  # of that many zeros
_CHUNK = 16 * 2**20
_PATCHED_UTF8 = 0x800


def deflate(data: bytes) -> bytes:
    """Return raw deflate of some bytes."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


@dataclass(frozen=True)
class Member:
    """One member of a zip as its headers tell it, true or not."""

    name: str
    packed: bytes
    size: int
    crc: int
    method: int = DEFLATED
    flags: int = 0

    @classmethod
    def of(cls, name: str, data: bytes) -> "Member":
        """Return an honest member."""
        return cls(name, deflate(data), len(data), zlib.crc32(data))


def raw_zip(members: Sequence[Member]) -> bytes:
    """Write a zip by hand: whatever the members say goes into the headers."""
    body, directory = bytearray(), bytearray()
    for member in members:
        name = member.name.encode()
        is_large = member.size >= 2**32
        size = 0xFFFFFFFF if is_large else member.size
        packed = 0xFFFFFFFF if is_large else len(member.packed)
        extra = struct.pack("<HHQQ", 1, 16, member.size, len(member.packed)) if is_large else b""
        flags = member.flags | _PATCHED_UTF8
        common = struct.pack(
            "<HHHHHIIIHH", 45, flags, member.method, 0, 0x3C21, member.crc, packed, size, len(name), len(extra)
        )
        directory += b"PK\x01\x02\x2d\x00" + common + struct.pack("<HHHII", 0, 0, 0, 0, len(body)) + name + extra
        body += b"PK\x03\x04" + common + name + extra + member.packed
    end = struct.pack("<HHHHIIH", 0, 0, len(members), len(members), len(directory), len(body), 0)
    return bytes(body + directory + b"PK\x05\x06" + end)


def encrypted(name: str, data: bytes, password: bytes) -> Member:
    """Return a member encrypted as the traditional zip encryption does."""
    keys = [0x12345678, 0x23456789, 0x34567890]

    def step(byte: int) -> None:
        keys[0] = _crc_step(keys[0], byte)
        keys[1] = ((keys[1] + (keys[0] & 0xFF)) * 134775813 + 1) & 0xFFFFFFFF
        keys[2] = _crc_step(keys[2], keys[1] >> 24)

    def hide(byte: int) -> int:
        mask = (keys[2] & 0xFFFF) | 2
        step(byte)
        return byte ^ (((mask * (mask ^ 1)) >> 8) & 0xFF)

    for byte in password:
        step(byte)
    crc = zlib.crc32(data)
    plain = bytes(range(11)) + bytes([crc >> 24]) + deflate(data)
    return Member(name, bytes(map(hide, plain)), len(data), crc, flags=0x1)


def _crc_step(crc: int, byte: int) -> int:
    value = (crc ^ byte) & 0xFF
    for _ in range(8):
        value = (value >> 1) ^ (0xEDB88320 if value & 1 else 0)
    return (crc >> 8) ^ value


def deflated_zeros(size: int) -> bytes:
    """Return raw deflate of that many zeros: one flushed chunk after another, all the same bytes."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    chunk = packer.compress(bytes(_CHUNK)) + packer.flush(zlib.Z_FULL_FLUSH)
    if size % _CHUNK:
        message = f"the size is a multiple of {_CHUNK:,}"
        raise ValueError(message)
    return chunk * (size // _CHUNK) + deflate(b"")


def bzip2_zeros(size: int) -> bytes:
    """Return bzip2 of that many zeros."""
    packer = bz2.BZ2Compressor(1)
    return b"".join([*(packer.compress(partition) for partition in _zeros(size)), packer.flush()])


def lzma_zeros(size: int) -> bytes:
    """Return that many zeros as a zip's LZMA member."""
    packer = lzma.LZMACompressor(lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA1, "preset": 0}])
    packed = b"".join([*(packer.compress(partition) for partition in _zeros(size)), packer.flush()])
    # Version, size of the properties, then preset 0: lc=3 lp=0 pb=2 and a dictionary of 256 kB.
    return struct.pack("<BBHBI", 9, 4, 5, 0x5D, 2**18) + packed


def gzip_zeros_of_ten_gb() -> bytes:
    """Return a gzip of 10 GB of zeros."""
    trailer = struct.pack("<II", CRC_OF_TEN_GB, TEN_GB % 2**32)
    return b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03" + deflated_zeros(TEN_GB) + trailer


def _zeros(size: int) -> Iterable[bytes]:
    partition = bytes(2**20)
    return (partition for _ in range(size // len(partition)))
