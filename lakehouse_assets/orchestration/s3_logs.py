"""What steps print, in S3. Named by `deploy/dagster.yaml`, and imported by it alone."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError
from dagster._core.storage.compute_log_manager import ComputeIOType
from dagster_aws.s3.compute_log_manager import S3ComputeLogManager

from lakehouse_assets.storage.stores import StorageError


class LakehouseS3ComputeLogManager(S3ComputeLogManager):
    """The original, except that a refusal of S3 is an error.

    The original takes logs that it may not see for none, and does not look whether they were deleted: a search for a
    person would find nothing, and leave the person there.
    """

    def cloud_storage_has_logs(
        self, log_key: Sequence[str], io_type: ComputeIOType, partial: bool = False  # noqa: FBT001, FBT002 - as the original
    ) -> bool:  # fmt: skip
        key = self._s3_key(log_key, io_type, partial)  # type: ignore[no-untyped-call]
        # Asked for the object itself, S3 also refuses where it is not there and the right to list is that to a prefix.
        with self._refusals_raised():
            found = self._s3_session.list_objects_v2(Bucket=self._s3_bucket, Prefix=key, MaxKeys=1)
        return any(one["Key"] == key for one in found.get("Contents", []))

    def download_from_cloud_storage(
        self, log_key: Sequence[str], io_type: ComputeIOType, partial: bool = False  # noqa: FBT001, FBT002 - as the original
    ) -> None:  # fmt: skip
        with self._refusals_raised():
            super().download_from_cloud_storage(log_key, io_type, partial)

    def delete_logs(self, log_key: Sequence[str] | None = None, prefix: Sequence[str] | None = None) -> None:
        with self._refusals_raised():
            super().delete_logs(log_key, prefix)
            folder = "/".join([self._s3_prefix, "storage", *(prefix or log_key or ()), ""])
            left = self._s3_session.list_objects_v2(Bucket=self._s3_bucket, Prefix=folder).get("Contents", [])
        if left:
            what = f"S3 did not delete {left[0]['Key']}"
            raise self._error(what)

    @contextmanager
    def _refusals_raised(self) -> Iterator[None]:
        try:
            yield
        except (ClientError, BotoCoreError) as error:
            raise self._error(str(error)) from None

    def _error(self, what: str) -> StorageError:
        return StorageError(
            f"s3://{self._s3_bucket}/{self._s3_prefix}: what steps printed cannot be seen or deleted ({what}). It may "
            "hold what is searched for, and stays there; allow s3:ListBucket, s3:GetObject and s3:DeleteObject there, "
            "and run again."
        )
