"""The settings of where tables are computed, and of what the machines and requests for it cost.

Not here: the other services beside a lake, in `settings.py`, which is what the rest of the package reads.
"""

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from lakehouse_assets.lake_settings import LakeSettings


class ComputingSettings(LakeSettings):
    """The part of the settings about Spark, and about prices."""

    emr_application: str = Field(
        default="", pattern=r"^([0-9a-z]{1,64})?$", description="ID of the application of EMR Serverless"
    )
    emr_role: str = Field(
        default="",
        pattern=r"^(arn:[a-z-]+:iam::\d{12}:role/[\w+=,.@/-]+)?$",
        description="ARN of the role with which jobs of EMR Serverless read the lake and write its staging",
    )
    emr_minutes: int = Field(default=60, ge=5, description="minutes after which a job of EMR Serverless is ended")
    spark: Literal["", "sail", "local", "emr-serverless"] = Field(
        default="",
        description="where Spark runs: sail, local (a Java machine here) or emr-serverless; empty for DuckDB only",
    )
    spark_above_bytes: int = Field(
        default=0, ge=0, description="stored bytes to read above which a gold table is computed by Spark; 0 for never"
    )
    spark_python: str = Field(
        default="", description="the Python that has Spark on this machine; empty for the one that runs this"
    )

    task_vcpus: float = Field(default=0, ge=0, description="vCPUs of the task in which runs work; 0 counts no cost")
    task_gb: float = Field(default=0, ge=0, description="GB of memory of that task; 0 counts no cost")
    usd_per_vcpu_hour: float = Field(default=0.04048, ge=0, description="price of a vCPU for an hour, US dollars")
    usd_per_gb_hour: float = Field(default=0.004445, ge=0, description="price of a GB of memory for an hour")
    usd_per_1000_s3_puts: float = Field(default=0.005, ge=0, description="price of 1,000 PUT or LIST requests of S3")
    usd_per_1000_s3_gets: float = Field(default=0.0004, ge=0, description="price of 1,000 GET or HEAD requests of S3")

    @field_validator("spark")
    @classmethod
    def _reached_by_spark(cls, value: str, info: ValidationInfo) -> str:
        on_s3 = info.data.get("root", "").startswith("s3://")
        if value == "local" and on_s3:
            msg = "a Java machine of this one reads a lake in a folder only; set sail or emr-serverless"
            raise ValueError(msg)
        if value == "emr-serverless" and not (on_s3 and info.data.get("emr_application") and info.data.get("emr_role")):
            msg = "it is for a lake in S3, and needs LAKEHOUSE_EMR_APPLICATION and LAKEHOUSE_EMR_ROLE"
            raise ValueError(msg)
        return value
