"""The settings that a lake has wherever it is: its root, how much is done at once, the process that takes posts.

Not here: where tables are computed and what that costs, in `computing_settings.py`; services beside the lake, in
`settings.py`, which is what the rest of the package reads.
"""

import datetime as dt
import hashlib
import os
import re
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_PACKAGE = Path(__file__).resolve().parent
# A checkout keeps its lake beside it; of an installed package, that would be among the libraries.
PROJECT = _PACKAGE.parent if (_PACKAGE.parent / "pyproject.toml").exists() else Path.cwd()
_S3_ROOT = re.compile(r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9._/@+-]*)?$")
_NO_FOLDER = re.compile(r"[?*=^\\|\[\]]|%[0-9A-Fa-f]{2}")


class LakeSettings(BaseSettings):
    """The part of the settings that comes first: what the others are for depends on the root."""

    model_config = SettingsConfigDict(env_prefix="LAKEHOUSE_", frozen=True)

    root: str = Field(default=str(PROJECT / ".lake"), description="folder or s3://bucket/prefix of the lake")
    definitions: str = Field(
        default="lakehouse_assets.defs",
        pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$",
        description="Python package that declares the lake's tables and jobs",
    )
    start_date: dt.date | None = Field(default=None, description="superseded by the feed's; refused if it differs")
    ingest_batch_bytes: int = Field(default=64 * 2**20, ge=1, description="landed bytes per ledger commit")
    publish_batch_rows: int = Field(default=600_000, ge=1, description="bronze rows per publishing commit")
    publish_tasks: int = Field(
        default=1, ge=1, le=1_000, description="runs that publish at once; more where each is a task of its own"
    )
    max_source_bytes: int = Field(default=2**30, ge=1, description="largest source object, decompressed")
    threads: int = Field(default=max(2, os.cpu_count() or 2), ge=1, description="source objects parsed at once")
    listing_page: int = Field(default=5_000, ge=1, description="landed keys that one sensor tick looks at")
    listing_s: float = Field(
        default=10, gt=0, description="seconds for which one sensor tick lists landing; the next one goes on"
    )
    idle_interval_s: float = Field(
        default=60, ge=0, description="seconds between two looks at a lake on S3 in which nothing happens"
    )
    automation: str = Field(
        default="",
        pattern=r"^([\w*]+(,[\w*]+)*)?$",
        description="sensors and schedules that run, such as landing_sensor,extract_*; none; empty: as declared",
    )
    log_format: Literal["text", "json"] = Field(
        default="text",
        description="form of the log lines of runs: text for people, json for CloudWatch Logs and others",
    )
    report: bool = Field(default=True, description="keep the page of the business; needs the extra `pages`")
    simulation_speed: float = Field(
        default=0,
        ge=0,
        le=60,
        description="how fast the simulated retailer of `lakehouse dev` sells, 1 for a file a minute; 0 for none",
    )
    posts_log: str = Field(
        default="",
        description="folder of this machine where `lakehouse serve` keeps what was posted until it has landed; "
        "empty for `posts` in the folder of the Dagster instance",
    )
    posts_log_bytes: int = Field(default=2**30, ge=1, description="bytes that may wait there; then posts are refused")
    posts_batch_s: float = Field(default=60, ge=0, description="seconds after which what was posted lands")
    posts_batch_bytes: int = Field(default=5 * 2**20, ge=1, description="posted bytes, unpacked, that land at once")

    @field_validator("root")
    @classmethod
    def _known_root(cls, value: str) -> str:
        if value.startswith("s3://"):
            if not _S3_ROOT.match(value):
                msg = "an S3 root has the form s3://bucket/prefix, of letters, digits and ._-@+ in ASCII"
                raise ValueError(msg)
            return value.rstrip("/")
        if "://" in value or value.startswith("s3:"):
            msg = "the root is a folder or s3://bucket/prefix"
            raise ValueError(msg)
        if not value.strip():
            msg = "the root is empty"
            raise ValueError(msg)
        folder = str(Path(value).expanduser().absolute())
        if odd := _NO_FOLDER.search(folder):
            # delta-rs cannot take ^ | \ [ ] and decodes a %20, Polars and DuckDB take ? and * for a pattern of names,
            # and Polars takes = for a partition column.
            msg = f"the folder {folder} has {odd.group()!r} in its name, which Delta readers cannot take; rename it"
            raise ValueError(msg)
        return folder

    @property
    def is_s3(self) -> bool:
        """Whether the lake lives in an S3 bucket."""
        return self.root.startswith("s3://")

    @property
    def dagster_home(self) -> Path:
        """The folder of the Dagster instance of this lake: one per lake root, unless `DAGSTER_HOME` says otherwise."""
        if override := os.environ.get("DAGSTER_HOME"):
            return Path(override).expanduser().absolute()
        if self.is_s3:
            digest = hashlib.sha256(self.root.encode()).hexdigest()[:12]
            return PROJECT / ".dagster" / digest
        return Path(self.root) / ".dagster"
