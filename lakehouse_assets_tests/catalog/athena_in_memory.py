"""Athena in this process: SQL in its dialect is translated and really run, by DuckDB over the lake's tables.

So a query that names what is not there fails here as it would there. Not here: permissions, limits, prices.
"""

import datetime as dt
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import duckdb
import sqlglot
from sqlglot import exp

from lakehouse_assets.context import Lake
from lakehouse_assets.engines.duckdb_session import session
from lakehouse_assets.query.tables import frames

_TYPES = {"BIGINT": "bigint", "INTEGER": "integer", "DOUBLE": "double", "DATE": "date", "BOOLEAN": "boolean",
          "VARCHAR": "varchar", "TIMESTAMP WITH TIME ZONE": "timestamp with time zone"}  # fmt: skip
_PAGE = 3


class RefusedError(Exception):
    """The code of an error of the service and its message."""


@dataclass
class Athena:
    """Workgroups, named queries, views and queries of one lake, whose databases begin with `lake_`."""

    lake: Lake
    workgroups: dict[str, dict[str, Any]] = field(default_factory=dict)
    named: dict[str, dict[str, Any]] = field(default_factory=dict)
    views: set[str] = field(default_factory=set)
    queries: list[dict[str, Any]] = field(default_factory=list)
    scanned: int = 50_000_000

    @cached_property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        return session(frames(self.lake))

    def answer(self, call: str, body: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to a call. Raises `RefusedError`."""
        found: dict[str, Any] = getattr(self, f"_{call}")(body)
        return found

    def _GetWorkGroup(self, body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 - the name of the call
        if body["WorkGroup"] not in self.workgroups:
            raise RefusedError("InvalidRequestException", f"WorkGroup {body['WorkGroup']} is not found.")
        return {"WorkGroup": {"Name": body["WorkGroup"], "Configuration": self.workgroups[body["WorkGroup"]]}}

    def _CreateWorkGroup(self, body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        self.workgroups[body["Name"]] = body["Configuration"]
        return {}

    def _ListNamedQueries(self, _body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"NamedQueryIds": list(self.named)}

    def _GetNamedQuery(self, body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"NamedQuery": {**self.named[body["NamedQueryId"]], "NamedQueryId": body["NamedQueryId"]}}

    def _CreateNamedQuery(self, body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        self.named[f"id-{len(self.named)}"] = body
        return {"NamedQueryId": f"id-{len(self.named) - 1}"}

    def _UpdateNamedQuery(self, body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        self.named[body["NamedQueryId"]] |= body
        return {}

    def _StartQueryExecution(self, body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        query: dict[str, Any] = {"sql": body["QueryString"], "state": "SUCCEEDED", "columns": [], "rows": []}
        self.queries.append(query)
        try:
            self._run(query)
        except (duckdb.Error, sqlglot.errors.SqlglotError) as error:
            query |= {"state": "FAILED", "reason": str(error).splitlines()[0]}
        return {"QueryExecutionId": f"query-{len(self.queries) - 1}-{id(self)}"}

    def _GetQueryExecution(self, body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        query = self._query(body)
        status = {"State": query["state"], "StateChangeReason": query.get("reason", "")}
        return {"QueryExecution": {"Status": status, "Statistics": {"DataScannedInBytes": self.scanned}}}

    def _GetQueryResults(self, body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        query, start = self._query(body), int(body.get("NextToken", "0"))
        rows = [[name for name, _ in query["columns"]], *query["rows"]]
        page = [{"Data": [{} if v is None else {"VarCharValue": v} for v in row]} for row in rows[start:][:_PAGE]]
        columns = [{"Name": name, "Type": kind} for name, kind in query["columns"]]
        more = {"NextToken": str(start + _PAGE)} if len(rows) > start + _PAGE else {}
        return {"ResultSet": {"Rows": page, "ResultSetMetadata": {"ColumnInfo": columns}}} | more

    def _query(self, body: dict[str, Any]) -> dict[str, Any]:
        return self.queries[int(body["QueryExecutionId"].split("-")[1])]

    def _run(self, query: dict[str, Any]) -> None:
        statement = sqlglot.parse_one(query["sql"], read="athena")
        for table in statement.find_all(exp.Table):
            if table.db:
                assert table.db.startswith("lake_"), f"{table.db} is no database of the lake in Glue"
                table.set("db", exp.to_identifier(table.db.removeprefix("lake_")))
        text = statement.sql(dialect="duckdb")
        if isinstance(statement, exp.Create):
            self._connection.sql(text)
            self.views.add(f"{statement.this.db}.{statement.this.name}")
            return
        result = self._connection.sql(text)
        kinds = [_TYPES.get(str(kind), "decimal" if "DECIMAL" in str(kind) else "varchar") for kind in result.types]
        query["columns"] = list(zip(result.columns, kinds, strict=True))
        query["rows"] = [[_spelt(value) for value in row] for row in result.fetchall()]


def _spelt(value: Any) -> str | None:
    """Return a value as Athena writes it."""
    match value:
        case None:
            return None
        case bool():
            return str(value).lower()
        case dt.datetime():
            return f"{value.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3] + " UTC"
        case _:
            return str(value)
