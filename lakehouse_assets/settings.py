"""Every setting of the lakehouse, read from the environment once and validated.

Here are those of the services beside a lake; `lake_settings.py` and `computing_settings.py` have the others. Nothing
else in the package reads `LAKEHOUSE_*`; the `AWS_*` variables belong to the AWS clients themselves.
"""

import difflib
import os
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, ValidationInfo, field_validator

from lakehouse_assets.computing_settings import ComputingSettings

_PACKAGE = Path(__file__).resolve().parent
_ALIKE = 0.7  # of 1: ROTO is as much like ROOT


class SettingsError(Exception):
    """A setting is missing or wrong; the message names the variable and what it accepts."""


class Settings(ComputingSettings):
    """Settings of one lake, each from the environment variable `LAKEHOUSE_<NAME>`."""

    alerts_topic: str = Field(
        default="", pattern=r"^(arn:[a-z-]+:sns:[a-z0-9-]+:\d{12}:[\w.-]+)?$", description="ARN of an SNS topic to tell"
    )
    event_bus: str = Field(
        default="",
        pattern=r"^(arn:[a-z-]+:events:[a-z0-9-]+:\d{12}:event-bus/)?[A-Za-z0-9/._-]*$",
        description="name or ARN of an EventBridge bus to tell",
    )
    errors_table: str = Field(
        default="",
        pattern=r"^([a-zA-Z0-9_.-]{3,255})?$",
        description="DynamoDB table (3 to 255 letters, digits and _.-) of errors; empty for a folder of the lake",
    )
    metrics_namespace: str = Field(
        default="",
        pattern=r"^([A-Za-z0-9._/#:-]{1,255})?$",
        description="CloudWatch namespace for figures of each asset",
    )
    ui_url: str = Field(
        default="", pattern=r"^(https?://\S+)?$", description="address of the Dagster UI, for links in what is told"
    )
    api_url: str = Field(
        default="",
        pattern=r"^(https?://[^\s?#]*[^/\s?#])?$",
        description="address of the REST API of feeds whose declaration names a path only, "
        "without / at its end, such as https://crm.example.com",
    )
    glue_prefix: str = Field(
        default="",
        pattern=r"^([a-z][a-z0-9_]{0,63})?$",
        description="begins the names of the lake's databases in the Glue Data Catalog; empty for no tables there",
    )
    personal_tag: str = Field(
        default="",
        pattern=r"^([a-z][a-z0-9_-]{0,127})?$",
        description="LF-tag (lower case) that tells Lake Formation which columns in Glue are personal; empty for none",
    )
    serving_table: str = Field(
        default="",
        pattern=r"^([a-zA-Z0-9_.-]{3,255})?$",
        description="DynamoDB table (3 to 255 letters, digits and _.-) to serve gold tables from; empty for none",
    )
    glue_crawler: str = Field(
        default="", max_length=255, description="Glue crawler over landing, to be started as an asset; empty for none"
    )
    glue_crawler_wait_s: float = Field(default=3_600, gt=0, description="seconds to wait for a crawl at most")
    redshift_workgroup: str = Field(
        default="",
        pattern=r"^([a-z0-9-]{3,64})?$",
        description="Redshift Serverless workgroup (lower case, digits, -) for gold tables; empty for none",
    )
    redshift_role: str = Field(
        default="",
        pattern=r"^(arn:[a-z-]+:iam::\d{12}:role/[\w+=,.@/-]+)?$",
        description="ARN of the role with which Redshift reads the files that it loads; empty for its default role",
    )
    redshift_database: str = Field(
        default="dev", pattern=r"^[a-z_][a-z0-9_]{0,62}$", description="name of the database in Redshift, in lower case"
    )
    redshift_schema: str = Field(
        default="gold",
        pattern=r"^[a-z_][a-z0-9_]{0,62}$",
        description="name, in lower case, of a schema that is the lake's alone",
    )
    redshift_wait_s: float = Field(default=900, gt=0, description="seconds for which one load into Redshift may take")
    forecast_role: str = Field(
        default="",
        pattern=r"^(arn:[a-z-]+:iam::\d{12}:role/[\w+=,.@/-]+)?$",
        description="ARN of the role with which jobs of SageMaker read and write the forecast's files",
    )
    forecast_image: str = Field(
        default="",
        pattern=r"^(\S+/\S+[:@]\S+)?$",
        description="image, with its tag or digest, of SageMaker's container for scripts, with Python 3.11 or newer",
    )
    forecast_instance: str = Field(
        default="ml.m5.large", pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9]+$", description="kind of instance of these jobs"
    )
    forecast_jobs: str = Field(
        default="lake",
        pattern=r"^[a-zA-Z0-9](-?[a-zA-Z0-9]){0,19}$",
        description="begins the names of these jobs: 1 to 20 letters, digits and - between them",
    )
    forecast_key: str = Field(
        default="",
        pattern=r"^(arn:[a-z-]+:kms:[a-z0-9-]+:\d{12}:key/[\w-]+)?$",
        description="ARN of the KMS key for what these jobs write; empty for S3's own key of the account",
    )
    forecast_wait_s: float = Field(default=3_600, gt=0, description="seconds for which one of these jobs may take")
    forecast_on: Literal["here", "sagemaker"] = Field(
        default="here",
        description="where the forecast is trained and computed: here, in the process that asks, or jobs of sagemaker",
    )
    queue_url: str = Field(
        default="",
        pattern=r"^(https?://[^/\s]+/\S*[\w-])?$",
        description="URL (not name or ARN) of the SQS queue that is told what lands; empty for none",
    )
    queue_batch_files: int = Field(default=2_500, ge=1, description="messages that one run of ingest is for")
    queue_batch_bytes: int = Field(default=4 * 2**30, ge=1, description="landed bytes that one run of ingest is for")
    queue_hidden_s: int = Field(
        default=900, ge=10, le=43_200, description="seconds for which a received message is hidden from others"
    )
    reconcile_interval_s: float = Field(
        default=3_600, ge=0, description="seconds between two listings of landing while a queue announces what lands"
    )
    secrets: Literal["environment", "aws"] = Field(
        default="environment",
        description="where credentials are looked up by name: environment variables, or aws for AWS Secrets Manager",
    )
    secrets_ttl_s: float = Field(default=300, ge=0, description="seconds for which a credential of AWS is kept")
    serve_key_name: str = Field(
        default="",
        pattern=r"^([A-Za-z0-9/_+=.@-]{1,512}(#[^\s#]+)?)?$",
        description="name (not value) of the credential that callers of `lakehouse serve` send; empty for none",
    )
    athena_workgroup: str = Field(
        default="",
        pattern=r"^([a-zA-Z0-9._-]{1,128})?$",
        description="Athena workgroup in which queries run; empty for no Athena; needs glue_prefix",
    )
    athena_scan_bytes: int = Field(default=10 * 2**30, ge=10_000_000, description="bytes that one query may scan")
    athena_usd_per_tb: float = Field(default=5.0, ge=0, description="price of 10^12 bytes scanned, US dollars")
    athena_sql: str = Field(
        default=str(_PACKAGE / "defs" / "athena"), description="folder of views/*.sql and queries/*.sql for Athena"
    )

    @field_validator("metrics_namespace")
    @classmethod
    def _is_free(cls, value: str) -> str:
        if value.startswith(("AWS/", ":")):
            msg = "CloudWatch keeps names that begin with AWS/ or : for itself; choose another one"
            raise ValueError(msg)
        return value

    @field_validator("glue_prefix", "glue_crawler", "redshift_workgroup", "queue_url")
    @classmethod
    def _on_s3(cls, value: str, info: ValidationInfo) -> str:
        root = info.data.get("root", "s3://")
        if value and not root.startswith("s3://"):
            msg = f"it is for a lake in S3 only, and the root of the lake is {root}; unset one of the two"
            raise ValueError(msg)
        return value

    @field_validator("forecast_on")
    @classmethod
    def _with_what_jobs_need(cls, value: str, info: ValidationInfo) -> str:
        if value == "sagemaker":
            cls._on_s3(value, info)
            if missing := [name for name in ("forecast_role", "forecast_image") if not info.data.get(name)]:
                msg = f"jobs of SageMaker need LAKEHOUSE_{missing[0].upper()}; set it, too"
                raise ValueError(msg)
        return value

    @field_validator("athena_workgroup")
    @classmethod
    def _over_glue(cls, value: str, info: ValidationInfo) -> str:
        if value and not info.data.get("glue_prefix"):
            msg = "Athena finds tables in Glue only; set LAKEHOUSE_GLUE_PREFIX, too"
            raise ValueError(msg)
        return value

    def link_to_run(self, run_id: str) -> str:
        """Return the address of a run in the Dagster UI; empty where the address of the UI is not set."""
        return f"{self.ui_url.rstrip('/')}/runs/{run_id}" if self.ui_url and run_id else ""


@lru_cache
def settings() -> Settings:
    """Return the settings of this process.

    Raises:
        SettingsError: A variable holds a value that cannot be used.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0])
        name = f"LAKEHOUSE_{field}".upper()
        reason = first["msg"].removeprefix("Value error, ")
        if first["type"] == "string_pattern_mismatch":
            reason = f"wanted: {Settings.model_fields[field].description}"
        msg = f"{name}={first['input']!r}: {reason}. Nothing was read or written; set the variable."
        raise SettingsError(msg) from None


def misspelt() -> list[str]:
    """Return a line for each variable of the environment that is no setting and nearly one: nothing reads it.

    A name that is like no setting may be somebody's own, such as that of a credential.
    """
    prefix, known = "LAKEHOUSE_", [name.upper() for name in Settings.model_fields]
    lines = []
    for name in sorted(os.environ):
        own = name.removeprefix(prefix)
        if own != name and own not in known and (near := difflib.get_close_matches(own, known, 1, _ALIKE)):
            lines.append(f"{name} is no setting, and nothing reads it; perhaps {prefix}{near[0]} is meant.")
    return lines
