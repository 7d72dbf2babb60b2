"""The lake in an S3 bucket. Its client is made when the first object is asked for."""

import os
from collections.abc import Iterator
from contextlib import nullcontext
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse_assets import aws
from lakehouse_assets.storage import s3_usage
from lakehouse_assets.storage.objects import AnotherVersionError, StorageError, Stored

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


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
        plain = os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://")
        return {"AWS_REGION": aws.region() or "us-east-1"} | ({"AWS_ALLOW_HTTP": "true"} if plain else {})

    @cached_property
    def _client(self) -> "S3Client":
        client: S3Client = aws.client("s3", aws.STORAGE, self.options["AWS_REGION"], connections=32)
        client.meta.events.register("before-send.s3", s3_usage.count_request)
        return client

    def read(self, path: str, token: str | None = None) -> bytes:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        try:
            found = self._client.get_object(Bucket=self.bucket, Key=self.prefix + path)
            data: bytes = found["Body"].read()
            s3_usage.add(s3_usage.Usage(bytes_read=len(data)))
        except (BotoCoreError, ClientError) as error:
            msg = f"{self.uri(path)}: {error}. It could not be read; check the object, the role and the endpoint."
            raise StorageError(msg) from error
        if token not in {None, found["ETag"].strip('"')}:
            raise AnotherVersionError(path)
        return data

    def create(self, path: str, data: bytes | Path) -> bool:
        return self._put(path, data, {"IfNoneMatch": "*"})

    def replace(self, path: str, data: bytes | Path, token: str | None = None) -> bool:
        if token is None:
            return self._put(path, data, {})
        # Servers without conditional writes ignore the condition, so it is looked at before, too.
        found = self.stat(path)
        return found is not None and found.token == token and self._put(path, data, {"IfMatch": f'"{token}"'})

    def _put(self, path: str, data: bytes | Path, condition: dict[str, str]) -> bool:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        try:
            with data.open("rb") if isinstance(data, Path) else nullcontext(data) as body:
                self._client.put_object(Bucket=self.bucket, Key=self.prefix + path, Body=body, **condition)  # type: ignore[arg-type]
        except ClientError as error:
            if condition and error.response["Error"]["Code"] in {"PreconditionFailed", "NoSuchKey"}:
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
                    if not path.endswith("/") and not is_hidden(path):
                        yield Stored(path, found["Size"], found["ETag"].strip('"'))
        except (BotoCoreError, ClientError) as error:
            msg = f"{self.uri(prefix)}: {error}. It could not be listed; check the bucket, the role and the endpoint."
            raise StorageError(msg) from error

    def folders(self, prefix: str) -> Iterator[str]:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=f"{self.prefix}{prefix}/", Delimiter="/"
        )
        try:
            for page in pages:
                for found in page.get("CommonPrefixes", []):
                    path = found["Prefix"].removeprefix(self.prefix).rstrip("/")
                    if not is_hidden(path):
                        yield path
        except (BotoCoreError, ClientError) as error:
            msg = f"{self.uri(prefix)}: {error}. It could not be listed; check the bucket, the role and the endpoint."
            raise StorageError(msg) from error


def is_hidden(path: str) -> bool:
    """Return whether a part of a key is hidden, as in a folder: `..` is an odd name, not a hidden one."""
    return any(part.startswith(".") and part.strip(".") for part in path.split("/"))
