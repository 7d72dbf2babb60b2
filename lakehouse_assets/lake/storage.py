"""Objects of the lake by path, in a local folder or an S3 bucket, behind one interface.

Here: bytes in, bytes out, atomically, and listings in key order. Not here: what the objects mean, and Delta
tables, whose client talks to the same root through `Store.uri`.
"""

import errno
import os
import stat
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


@dataclass(frozen=True)
class Stored:
    """One object: its path below the root, its size in bytes, and a token that changes when it is written again."""

    path: str
    size: int
    token: str


class StorageError(Exception):
    """The lake's storage refused; the message names the object, the consequence and the fix."""


class Store(Protocol):
    """What the lake needs of a storage. Paths are relative to the root, with `/` between their parts."""

    root: str

    def uri(self, path: str) -> str:
        """Return the address of a path as the Delta and Parquet readers want it."""
        ...

    @property
    def options(self) -> dict[str, str]:
        """Options for the Delta and Parquet readers."""
        ...

    def read(self, path: str) -> bytes:
        """Return an object's bytes. Raises `StorageError` when there is none."""
        ...

    def create(self, path: str, data: bytes) -> bool:
        """Write an object unless the path is taken; return whether this call wrote it. Readers see all or nothing."""
        ...

    def replace(self, path: str, data: bytes) -> None:
        """Write an object, over an older one if need be. Readers see the old or the new one, whole."""
        ...

    def stat(self, path: str) -> Stored | None:
        """Return an object's size and token, or None when there is none."""
        ...

    def delete(self, path: str, token: str | None = None) -> bool:
        """Remove an object, or one version of it if a token is given; return whether this call removed it."""
        ...

    def list(self, prefix: str, after: str = "") -> Iterator[Stored]:
        """Yield the objects below a folder in key order, from the first path greater than `after`."""
        ...


def store_for(root: str) -> Store:
    """Return the storage of a lake root: a folder, or `s3://bucket/prefix`. Opens no connection."""
    return S3Store(root) if root.startswith("s3://") else LocalStore(root)


class LocalStore:
    """A lake in a local folder. Hidden files are not objects; a write is a hidden file renamed or linked."""

    options: dict[str, str] = {}  # noqa: RUF012 - shared, empty and never written

    def __init__(self, root: str) -> None:
        self.root = root

    def uri(self, path: str) -> str:
        return f"{self.root}/{path}"

    def read(self, path: str) -> bytes:
        try:
            return Path(self.uri(path)).read_bytes()
        except OSError as error:
            msg = f"{self.uri(path)}: {error.strerror}. It could not be read; restore it, or check its permissions."
            raise StorageError(msg) from error

    def create(self, path: str, data: bytes) -> bool:
        temporary = self._temporary(path, data)
        try:
            os.link(temporary, self.uri(path))
        except FileExistsError:
            return False
        except OSError as error:
            raise self._refused(path, error) from error
        else:
            return True
        finally:
            temporary.unlink()

    def replace(self, path: str, data: bytes) -> None:
        temporary = self._temporary(path, data)
        try:
            temporary.replace(self.uri(path))
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise self._refused(path, error) from error

    def stat(self, path: str) -> Stored | None:
        try:
            found = Path(self.uri(path)).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                return None
            raise self._refused(path, error) from error
        return _stored(path, found) if stat.S_ISREG(found.st_mode) else None

    def delete(self, path: str, token: str | None = None) -> bool:
        if token is not None and ((found := self.stat(path)) is None or found.token != token):
            return False
        try:
            Path(self.uri(path)).unlink()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            msg = f"{self.uri(path)}: {error.strerror}. It was not removed; check its permissions."
            raise StorageError(msg) from error
        return True

    def list(self, prefix: str, after: str = "") -> Iterator[Stored]:
        yield from self._walk(prefix.rstrip("/"), after)

    def _walk(self, folder: str, after: str) -> Iterator[Stored]:
        try:
            with os.scandir(self.uri(folder)) as entries:
                # A folder sorts as its name with the slash, which is where S3 sorts the keys below it.
                names = sorted((entry.name + "/" * entry.is_dir(), entry) for entry in entries)
        except (FileNotFoundError, NotADirectoryError):
            return
        for name, entry in names:
            path = f"{folder}/{name}"
            if name.startswith("."):
                continue
            if name.endswith("/"):
                if path > after or after.startswith(path):
                    yield from self._walk(path.rstrip("/"), after)
            elif path > after:
                try:
                    yield _stored(path, entry.stat())
                except FileNotFoundError:
                    continue

    def _temporary(self, path: str, data: bytes) -> Path:
        target = Path(self.uri(path))
        temporary = target.parent / f".{uuid.uuid4().hex}.tmp"
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(data)
        except OSError as error:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise self._refused(path, error) from error
        return temporary

    def _refused(self, path: str, error: OSError) -> StorageError:
        return StorageError(
            f"{self.uri(path)}: {error.strerror}. Nothing was written; check the name, the space left and permissions."
        )


def _stored(path: str, found: os.stat_result) -> Stored:
    # Same size and same mtime do not mean same bytes: a renamed-in file also brings another inode and ctime.
    token = f"{found.st_ino:x}-{found.st_mtime_ns:x}-{found.st_ctime_ns:x}-{found.st_size:x}"
    return Stored(path, found.st_size, token)


class S3Store:
    """A lake under a prefix of an S3 bucket. The usual AWS environment variables say where and as whom."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.bucket, _, prefix = root.removeprefix("s3://").partition("/")
        self.prefix = f"{prefix}/" if prefix else ""

    def uri(self, path: str) -> str:
        return f"{self.root}/{path}"

    @property
    def options(self) -> dict[str, str]:
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        plain = os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://")
        return {"AWS_REGION": region} | ({"AWS_ALLOW_HTTP": "true"} if plain else {})

    @cached_property
    def _client(self) -> "S3Client":
        import boto3  # noqa: PLC0415 - a third of a second that a local lake does not need
        from botocore.config import Config  # noqa: PLC0415

        retries = Config(retries={"mode": "standard", "max_attempts": 8}, max_pool_connections=32)
        client: S3Client = boto3.client("s3", region_name=self.options["AWS_REGION"], config=retries)
        return client

    def read(self, path: str) -> bytes:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        try:
            data: bytes = self._client.get_object(Bucket=self.bucket, Key=self.prefix + path)["Body"].read()
        except (BotoCoreError, ClientError) as error:
            msg = f"{self.uri(path)}: {error}. It could not be read; check the object, the role and the endpoint."
            raise StorageError(msg) from error
        return data

    def create(self, path: str, data: bytes) -> bool:
        return self._put(path, data, only_if_absent=True)

    def replace(self, path: str, data: bytes) -> None:
        self._put(path, data, only_if_absent=False)

    def _put(self, path: str, data: bytes, *, only_if_absent: bool) -> bool:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        key = self.prefix + path
        try:
            if only_if_absent:
                self._client.put_object(Bucket=self.bucket, Key=key, Body=data, IfNoneMatch="*")
            else:
                self._client.put_object(Bucket=self.bucket, Key=key, Body=data)
        except ClientError as error:
            if only_if_absent and error.response["Error"]["Code"] == "PreconditionFailed":
                return False
            msg = f"{self.uri(path)}: {error}. Nothing was written; check the bucket, the role and the endpoint."
            raise StorageError(msg) from error
        except BotoCoreError as error:
            msg = f"{self.uri(path)}: {error}. It may not have been written; check the endpoint, then run again."
            raise StorageError(msg) from error
        return True

    def stat(self, path: str) -> Stored | None:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        try:
            head = self._client.head_object(Bucket=self.bucket, Key=self.prefix + path)
        except ClientError as error:
            if error.response["Error"]["Code"] in {"404", "NoSuchKey", "NotFound"}:
                return None
            msg = f"{self.uri(path)}: {error}. It could not be looked at; check the role and the endpoint."
            raise StorageError(msg) from error
        except BotoCoreError as error:
            msg = f"{self.uri(path)}: {error}. It could not be looked at; check the endpoint."
            raise StorageError(msg) from error
        return Stored(path, head["ContentLength"], head["ETag"].strip('"'))

    def delete(self, path: str, token: str | None = None) -> bool:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        found = self.stat(path)  # S3 answers a removal alike, whether or not there was anything
        if found is None or token not in {None, found.token}:
            return False
        bucket, key = self.bucket, self.prefix + path
        try:
            if token is None:
                self._client.delete_object(Bucket=bucket, Key=key)
            else:
                self._client.delete_object(Bucket=bucket, Key=key, IfMatch=f'"{token}"')
        except (BotoCoreError, ClientError) as error:
            if isinstance(error, ClientError) and error.response["Error"]["Code"] == "PreconditionFailed":
                return False
            msg = f"{self.uri(path)}: {error}. It may not have been removed; check the role and the endpoint."
            raise StorageError(msg) from error
        return True

    def list(self, prefix: str, after: str = "") -> Iterator[Stored]:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket,
            Prefix=self.prefix + prefix.rstrip("/") + "/",
            StartAfter=self.prefix + after if after else "",
        )
        try:
            for page in pages:
                for found in page.get("Contents", []):
                    path = found["Key"].removeprefix(self.prefix)
                    if not path.endswith("/") and not path.rsplit("/", 1)[-1].startswith("."):
                        yield Stored(path, found["Size"], found["ETag"].strip('"'))
        except (BotoCoreError, ClientError) as error:
            msg = f"{self.uri(prefix)}: {error}. It could not be listed; check the bucket, the role and the endpoint."
            raise StorageError(msg) from error
