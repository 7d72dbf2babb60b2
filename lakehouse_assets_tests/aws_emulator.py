"""AWS on this machine for tests: ministack.

`make .venv/aws-emulator` installs it in an environment of its own, because it wants another botocore than the lake.
S3, SQS, SNS and EventBridge really deliver to one another. Not here: a real S3 server, whose writes are conditional.
"""

import os
import sys
import urllib.request
from pathlib import Path

from lakehouse_assets_tests.local_server import LocalServer

ACCOUNT = "123456789012"
COMMAND = Path(sys.prefix) / "aws-emulator" / "bin" / "ministack"


class AwsEmulator(LocalServer):
    """One ministack.

    Args:
        is_enforcing: Whether it refuses what no policy allows. Only the key of `environment` may do everything, as an
            account's owner.
    """

    def __init__(self, folder: Path, *, is_enforcing: bool = False) -> None:
        super().__init__(folder)
        self._is_enforcing = is_enforcing

    def _command(self) -> list[str]:
        return [str(COMMAND)]

    def _settings(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return kept | {
            "GATEWAY_PORT": str(self.port),
            "BIND_HOST": "127.0.0.1",
            "IOT_MTLS_ENABLED": "0",
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "AUTH": str(self._is_enforcing).lower(),
            "AWS_ACCESS_KEY_ID": self.environment["AWS_ACCESS_KEY_ID"],
            "AWS_SECRET_ACCESS_KEY": self.environment["AWS_SECRET_ACCESS_KEY"],
        }

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/_ministack/health", timeout=5):  # noqa: S310
                return True
        except OSError:
            return False
