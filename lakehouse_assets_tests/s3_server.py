"""A real S3 server for tests: SeaweedFS."""

import sys
from pathlib import Path

from lakehouse_assets_tests.local_server import LocalServer, free_port


class S3Server(LocalServer):
    """SeaweedFS with one bucket."""

    bucket = "lake"

    def _command(self) -> list[str]:
        names = ("master", "volume", "filer", "admin")
        ports = {f"{name}.port{kind}": free_port() for name in names for kind in ("", ".grpc")}
        ports |= {"s3.port.grpc": free_port(), "s3.port.iceberg": free_port(), "s3.port.lance": free_port()}
        return [
            str(Path(sys.executable).with_name("weed")), "mini", f"-dir={self._folder}", "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1", f"-s3.port={self.port}", "-admin.ui=false", "-webdav=false",
            "-master.telemetry=false", "-s3.autoCreateBucket=false", "-s3.allowDeleteBucketNotEmpty=false",
            *(f"-{name}={port}" for name, port in ports.items()),
        ]  # fmt: skip

    def _is_ready(self) -> bool:
        from botocore.exceptions import BotoCoreError, ClientError

        client = self.client()
        # The port opens before the server can sign; a bucket that takes a PUT is what ready means.
        try:
            client.create_bucket(Bucket=self.bucket)
            client.put_object(Bucket=self.bucket, Key="ready", Body=b"")
        except (BotoCoreError, ClientError):
            return False
        return True
