"""The Redshift Data API in this process: what the real client sends is really run, by DuckDB after a translation.

A batch is one transaction there, too. Not here: Redshift itself, whose COPY and types are only spelt.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import duckdb
import pytest
import sqlglot
from moto import mock_aws
from moto.core.botocore_stubber import BotocoreStubber
from moto.core.config import DefaultConfig

from lakehouse_assets_tests.catalog.glue_in_memory import text

_COPY = re.compile(
    r"""COPY ("\w+") FROM '([^']+)' IAM_ROLE ('arn:aws:iam::\d{12}:role/\w+'|default) """
    r"""FORMAT CSV GZIP IGNOREHEADER 1 NULL AS '([^']+)' TIMEFORMAT 'auto' DATEFORMAT 'auto'"""
)


@dataclass
class Redshift:
    """A database.

    Attributes:
        batches: The statements of each batch, in order.
        ended: Status and error of each batch by its number.
        status: What the next batches are said to be, in place of running them; None to run them.
        canceled: Numbers of batches that were canceled.
    """

    database: duckdb.DuckDBPyConnection
    batches: list[list[str]] = field(default_factory=list)
    ended: dict[str, tuple[str, str]] = field(default_factory=dict)
    status: str | None = None
    canceled: list[str] = field(default_factory=list)

    def answer(self, call: str, body: dict[str, Any]) -> dict[str, Any]:
        match call:
            case "BatchExecuteStatement":
                assert (body["WorkgroupName"], body["Database"]) == ("lake", "dev")
                number = f"00000000-0000-0000-0000-{len(self.batches):012}"
                self.batches.append(body["Sqls"])
                self.ended[number] = (self.status, "as the test wants it") if self.status else self._run(body["Sqls"])
                return {"Id": number}
            case "DescribeStatement":
                status, error = self.ended[body["Id"]]
                return {"Id": body["Id"], "Status": status} | ({"Error": error} if error else {})
            case _:
                self.canceled.append(body["Id"])
                self.ended[body["Id"]] = ("ABORTED", "")
                return {"Status": True}

    def _run(self, statements: list[str]) -> tuple[str, str]:
        self.database.begin()
        try:
            for statement in statements:
                self.database.execute(_translated(statement))
        except (duckdb.Error, sqlglot.ParseError) as error:
            self.database.rollback()
            return "FAILED", str(error)
        self.database.commit()
        return "FINISHED", ""

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.database.execute(sql).fetchall()


def _translated(statement: str) -> str:
    if statement.startswith("COPY"):
        found = _COPY.fullmatch(statement)
        assert found, statement
        return f"COPY {found[1]} FROM '{found[2]}' (FORMAT csv, HEADER, COMPRESSION gzip, NULLSTR '{found[4]}')"
    assert len(statement) < 100_000
    [translated] = sqlglot.transpile(statement, read="redshift", write="duckdb")
    return re.sub(r"\bSUPER\b", "JSON", translated)


@contextmanager
def redshift_in_memory(patch: pytest.MonkeyPatch) -> Iterator[Redshift]:
    """Have every boto3 client of this process talk to an empty database."""
    patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    patch.setenv("AWS_ACCESS_KEY_ID", "testing")
    patch.setenv("AWS_SECRET_ACCESS_KEY", "testing-secret")
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        redshift = Redshift(database)

        def answered(_: BotocoreStubber, request: Any) -> Any:
            service, call = text(request.headers.get("X-Amz-Target", b"")).split(".")
            assert service == "RedshiftData"
            return 200, {}, json.dumps(redshift.answer(call, json.loads(request.body)))

        patch.setattr(BotocoreStubber, "process_request", answered)
        passed: DefaultConfig = {"core": {"mock_credentials": False}}
        with mock_aws(config=passed):
            yield redshift
