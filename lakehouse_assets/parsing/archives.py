"""From a landed object to its source objects: the object itself, or the members of a zip.

The content decides what an object is, never its name, so that the same bytes always read the same. Names decide within
a zip only, where they are a part of these bytes. Not here: what the bytes of a source object say.
"""

import gzip
import hashlib
import io
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

_ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_GZIP_MAGIC = b"\x1f\x8b"
_WORKBOOK = "xl/workbook.xml"
_MACOS = re.compile(r"^__MACOSX/|(^|/)\.DS_Store$")
# Memory is bounded by the member, time and disk by their sum. Delimited text shrinks six- to tenfold in a zip, so ten
# times leaves room for the largest object that is read at all, when it is full of honest text.
_MEMBERS_TOGETHER = 10
_CHUNK_BYTES = 2**20
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, RuntimeError, ValueError)


class Rejection(Exception):  # noqa: N818 - an outcome of reading, not a fault of the program
    """A source object that cannot be taken. The message says why and what to do; its bytes stay in landing."""

    def __init__(self, message: str) -> None:
        # Names and values of a damaged object may hold anything, also what moves a terminal's cursor.
        super().__init__("".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in message))


@dataclass(frozen=True)
class SourceObject:
    """One source object: its key, and its bytes or why they cannot be had."""

    key: str
    data: bytes
    rejection: str | None = None

    @cached_property
    def hash(self) -> str | None:
        """SHA-256 of the bytes; None without bytes."""
        return None if self.rejection else hashlib.sha256(self.data).hexdigest()


def unpack(key: str, data: bytes, limit: int) -> Iterator[SourceObject]:
    """Yield the source objects of a landed object, one at a time.

    Args:
        key: Key of the landed object; a member's is `<key>!<name in the zip>`.
        limit: The most bytes that one member may have when decompressed. All of them together may have ten times that:
            of an object with more nothing is taken, so that what it brings is never half of it.
    """
    if not data.startswith(_ZIP_MAGIC) or is_workbook(data):
        yield SourceObject(key, data)
        return
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        members = files_in(archive)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError, UnicodeDecodeError) as error:
        yield SourceObject(key, b"", f"the zip cannot be opened ({error}); land it again, whole.")
        return
    if not members:
        yield SourceObject(key, b"", "the zip holds no file; land one that does.")
        return
    if twice := [name for name, times in Counter(info.filename for info in members).items() if times > 1]:
        yield SourceObject(key, b"", f"the zip holds two members named {twice[0]!r}; give each a name of its own.")
        return
    refused = {info.filename: reason for info in members if (reason := _refusal(info, limit))}
    if _is_beyond(archive, [info for info in members if info.filename not in refused], limit):
        yield SourceObject(key, b"", _too_large_together(limit))
        return
    for info in members:
        if reason := refused.get(info.filename):
            yield SourceObject(f"{key}!{info.filename}", b"", reason)
            continue
        try:
            yield SourceObject(f"{key}!{info.filename}", _member(archive, info, limit))
        except Rejection as error:
            yield SourceObject(f"{key}!{info.filename}", b"", str(error))


def files_in(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Return the members that are files of the sender: no folders, and not what macOS adds to each zip."""
    return [info for info in archive.infolist() if not info.is_dir() and not _MACOS.search(info.filename)]


def is_zip(data: bytes) -> bool:
    """Return whether bytes are a zip, of source objects or a workbook."""
    return data.startswith(_ZIP_MAGIC)


def is_workbook(data: bytes) -> bool:
    """Return whether bytes are an Excel workbook: a zip, and yet one source object."""
    if not data.startswith(_ZIP_MAGIC):
        return False
    try:
        return _WORKBOOK in zipfile.ZipFile(io.BytesIO(data)).NameToInfo
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
        return False


def _refusal(info: zipfile.ZipInfo, limit: int) -> str | None:
    """Return why a member is not even read; None when it is."""
    name = info.filename
    # Members are never written under their own names, but a key that climbs out of its folder is a trap for others.
    if name.startswith("/") or "\\" in name or ":" in name or ".." in name.split("/"):
        return f"the member's name {name!r} is absolute or leaves its folder; rename it and land the zip again."
    if info.flag_bits & 0x1:
        return "the member is encrypted; land it unencrypted."
    if info.file_size > limit:
        return _too_large(limit)
    if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        # Python's other decompressors cannot be bounded, whatever the header says of the size.
        return "the member has another compression method than deflate; zip it again with that one."
    return None


def _is_beyond(archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], limit: int) -> bool:
    """Return whether members together have more bytes than they may, those within a gzip counted as such.

    What the directory says of a size is true or an upper bound: no more than that is ever unpacked of a member.
    """
    left = _MEMBERS_TOGETHER * limit - sum(info.file_size for info in members)
    for info in members:
        if left < 0:
            break
        left -= _gzip_gain(archive, info, limit)
    return left < 0


def _gzip_gain(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limit: int) -> int:
    """Return how many bytes more a member has once it is also out of its gzip, up to the limit of a member."""
    size = 0
    try:
        with archive.open(info) as packed:
            if packed.read(len(_GZIP_MAGIC)) != _GZIP_MAGIC:
                return 0
        with archive.open(info) as packed, gzip.GzipFile(fileobj=packed) as stream:
            while size <= limit and (chunk := stream.read(_CHUNK_BYTES)):
                size += len(chunk)
    except _DAMAGED:  # reported when the member itself is read
        pass
    return max(size - info.file_size, 0)


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limit: int) -> bytes:
    try:
        with archive.open(info) as stream:
            data = stream.read(limit + 1)
    except _DAMAGED as error:
        msg = f"the member cannot be decompressed ({error}); land the zip again, whole."
        raise Rejection(msg) from None
    if len(data) > limit:
        raise Rejection(_too_large(limit))
    if data.startswith(_ZIP_MAGIC) and not is_workbook(data):
        msg = "the member is itself a zip; land it as an object of its own."
        raise Rejection(msg)
    return data


def decompressed(data: bytes, limit: int) -> bytes:
    """Return the bytes behind any gzip layer.

    Raises:
        Rejection: The gzip is damaged, or has more than `limit` bytes.
    """
    if not data.startswith(_GZIP_MAGIC):
        return data
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
            plain = stream.read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        msg = f"the gzip is damaged or cut short ({error}); land it again, whole."
        raise Rejection(msg) from None
    if len(plain) > limit:
        raise Rejection(_too_large(limit))
    for magic, name in (((_GZIP_MAGIC,), "gzip"), (_ZIP_MAGIC, "zip")):
        if plain.startswith(magic):
            msg = f"the content of the gzip is itself a {name}; land that as an object of its own."
            raise Rejection(msg)
    return plain


def _too_large_together(limit: int) -> str:
    return (
        f"its members together have more than {_MEMBERS_TOGETHER * limit:,} bytes when decompressed, ten times what "
        "one may have. Nothing of it was taken: land it in several zips, or raise LAKEHOUSE_MAX_SOURCE_BYTES."
    )


def _too_large(limit: int) -> str:
    return (
        f"it has more than {limit:,} bytes when decompressed; land it in smaller objects, "
        "or raise LAKEHOUSE_MAX_SOURCE_BYTES if the machine has the memory."
    )
