"""The calls that are made of Athena: one workgroup, queries to their end, named queries. Not here: which queries."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lakehouse_assets import aws
from lakehouse_assets.catalog.aws_refusals import code_of, refusal

_PATIENCE_S, _LONGEST_PAUSE_S = 600.0, 2.0
_MINIMUM_BYTES, _TB = 10_000_000, 10**12
"""What Athena charges at least for a query that scans anything, and the unit of the price."""


class QueryFailedError(Exception):
    """Athena could not run the query; the message is its reason."""


@dataclass(frozen=True)
class Ran:
    """A query that succeeded.

    Attributes:
        scanned: Bytes.
    """

    id: str
    scanned: int

    def usd(self, per_tb: float) -> float:
        """Return its price in US dollars.

        Args:
            per_tb: Of 10^12 bytes.
        """
        return max(self.scanned, _MINIMUM_BYTES) / _TB * per_tb if self.scanned else 0.0


class AthenaCalls:
    """Athena in one region and workgroup. The library is loaded with the first call."""

    def __init__(self, region: str | None, workgroup: str) -> None:
        self.region, self.workgroup = region, workgroup

    @cached_property
    def _client(self) -> Any:  # noqa: ANN401 - made by boto3 at run time
        return aws.client("athena", aws.STEADY, self.region)

    def configuration(self) -> dict[str, Any] | None:
        """Return how the workgroup is configured; None where there is none."""
        with _errors_of("athena:GetWorkGroup", self.workgroup, missing="is not found"):
            found = self._client.get_work_group(WorkGroup=self.workgroup)
            return dict(found["WorkGroup"].get("Configuration", {}))
        return None

    def create_workgroup(self, configuration: dict[str, Any], description: str) -> None:
        """Create the workgroup, unless somebody just did."""
        with _errors_of("athena:CreateWorkGroup", self.workgroup, missing="already"):
            self._client.create_work_group(Name=self.workgroup, Configuration=configuration, Description=description)

    def run(self, sql: str) -> Ran:
        """Run a statement to its end.

        Raises:
            QueryFailedError: It failed, scanned more than the workgroup allows, or took too long and was stopped.
            StorageError: Athena cannot be asked.
        """
        with _errors_of("athena:StartQueryExecution", self.workgroup):
            query = self._client.start_query_execution(QueryString=sql, WorkGroup=self.workgroup)["QueryExecutionId"]
        deadline, pause = time.monotonic() + _PATIENCE_S, 0.1
        while True:
            with _errors_of("athena:GetQueryExecution", query):
                found = self._client.get_query_execution(QueryExecutionId=query)["QueryExecution"]
            match found["Status"]["State"]:
                case "SUCCEEDED":
                    return Ran(query, int(found.get("Statistics", {}).get("DataScannedInBytes", 0)))
                case "FAILED" | "CANCELLED" as state:
                    reason = found["Status"].get("StateChangeReason", "Athena says no reason")
                    raise QueryFailedError(f"{state.lower()}: {reason}")  # noqa: EM102 - Athena's own words
            if time.monotonic() > deadline:
                with _errors_of("athena:StopQueryExecution", query):
                    self._client.stop_query_execution(QueryExecutionId=query)
                msg = f"it took more than {_PATIENCE_S:.0f} s and was stopped"
                raise QueryFailedError(msg)
            time.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE_S)

    def results(self, query: str) -> tuple[list[dict[str, str]], list[list[str | None]]]:
        """Return the columns of a query's result (`Name`, `Type`), and its rows as text."""
        rows: list[list[str | None]] = []
        columns: list[dict[str, str]] = []
        with _errors_of("athena:GetQueryResults", query):
            for page in self._client.get_paginator("get_query_results").paginate(QueryExecutionId=query):
                columns = page["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
                found = page["ResultSet"]["Rows"]
                rows += [[cell.get("VarCharValue") for cell in row["Data"]] for row in found]
        return columns, rows[1:]  # the first row holds the names of the columns

    def named_queries(self) -> list[dict[str, str]]:
        """Return the named queries of the workgroup."""
        with _errors_of("athena:ListNamedQueries", self.workgroup):
            pages = self._client.get_paginator("list_named_queries").paginate(WorkGroup=self.workgroup)
            ids = [one for page in pages for one in page["NamedQueryIds"]]
        with _errors_of("athena:GetNamedQuery", self.workgroup):
            return [self._client.get_named_query(NamedQueryId=one)["NamedQuery"] for one in ids]

    def create_named_query(self, name: str, description: str, database: str, sql: str) -> None:
        """Create a named query in the workgroup."""
        with _errors_of("athena:CreateNamedQuery", name):
            self._client.create_named_query(
                Name=name, Description=description, Database=database, QueryString=sql, WorkGroup=self.workgroup
            )

    def update_named_query(self, query: str, name: str, description: str, sql: str) -> None:
        """Change a named query.

        Args:
            query: Its id.
        """
        with _errors_of("athena:UpdateNamedQuery", name):
            self._client.update_named_query(NamedQueryId=query, Name=name, Description=description, QueryString=sql)


@contextmanager
def _errors_of(action: str, what: str, missing: str | None = None) -> Iterator[None]:
    """Raise what Athena answers as `StorageError`, but for one answer that is none.

    Args:
        missing: What an invalid request says that is no error here: it ends the block.
    """
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        if missing and code_of(error) == "InvalidRequestException" and missing in str(error):
            return
        raise refusal(action, what, error) from error
