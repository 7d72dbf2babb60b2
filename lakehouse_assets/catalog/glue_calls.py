"""The calls that are made of Glue: paged, and repeated while it throttles. Not here: what is said there."""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from lakehouse_assets import aws
from lakehouse_assets.catalog.aws_refusals import code_of, refusal

IN_PARALLEL = 8
_RACES = {
    "AlreadyExistsException",
    "ConcurrentModificationException",
    "CrawlerRunningException",
    "VersionMismatchException",
}


class RaceError(Exception):
    """Somebody else changed the table, or started the crawler, at the same moment: look again."""


class MissingError(Exception):
    """There is no such database or table."""


class GlueCalls:
    """Glue in one region, as whom the usual AWS variables say. The library is loaded with the first call."""

    def __init__(self, region: str | None) -> None:
        self.region = region

    @cached_property
    def _client(self) -> Any:  # noqa: ANN401 - made by boto3 at run time
        return aws.client("glue", aws.STEADY, self.region, IN_PARALLEL + 2)

    def tables(self, database: str) -> dict[str, Any] | None:
        """Return the tables of a database by name; None where there is no such database."""
        try:
            with _errors_of("glue:GetTables", database):
                pages = self._client.get_paginator("get_tables").paginate(DatabaseName=database)
                return {table["Name"]: table for page in pages for table in page["TableList"]}
        except MissingError:
            return None

    def table(self, database: str, name: str) -> Any | None:  # noqa: ANN401 - as Glue has it
        """Return one table; None where there is none."""
        try:
            with _errors_of("glue:GetTable", f"{database}.{name}"):
                return self._client.get_table(DatabaseName=database, Name=name)["Table"]
        except MissingError:
            return None

    def create_database(self, database: str, description: str) -> None:
        """Create a database unless there is one."""
        try:
            with _errors_of("glue:CreateDatabase", database):
                self._client.create_database(DatabaseInput={"Name": database, "Description": description})
        except RaceError:
            return

    def create(self, database: str, table_input: dict[str, Any]) -> None:
        """Create a table. Raises `RaceError` where somebody else just did, `MissingError` without the database."""
        with _errors_of("glue:CreateTable", f"{database}.{table_input['Name']}"):
            self._client.create_table(DatabaseName=database, TableInput=table_input)

    def update(self, database: str, table_input: dict[str, Any]) -> None:
        """Write a table anew, without keeping the version before. Raises `RaceError`, `MissingError`."""
        with _errors_of("glue:UpdateTable", f"{database}.{table_input['Name']}"):
            self._client.update_table(DatabaseName=database, TableInput=table_input, SkipArchive=True)

    def delete(self, database: str, name: str) -> None:
        """Remove a table's entry; the files stay. One that is gone is no error."""
        try:
            with _errors_of("glue:DeleteTable", f"{database}.{name}"):
                self._client.delete_table(DatabaseName=database, Name=name)
        except MissingError:
            return

    def crawler(self, name: str) -> Any:  # noqa: ANN401 - as Glue has it
        """Return a crawler. Raises `MissingError`."""
        with _errors_of("glue:GetCrawler", name):
            return self._client.get_crawler(Name=name)["Crawler"]

    def start_crawler(self, name: str) -> None:
        """Start a crawler. Raises `RaceError` where it runs already, `MissingError`."""
        with _errors_of("glue:StartCrawler", name):
            self._client.start_crawler(Name=name)


def pause(attempt: int) -> None:
    """Wait a moment before looking again, longer each time."""
    time.sleep(random.uniform(0, min(0.05 * 2**attempt, 2)))  # noqa: S311 - only to stop moving in step


@contextmanager
def _errors_of(action: str, what: str) -> Iterator[None]:
    """Raise what Glue answers as one of the errors of this module, or as `StorageError` with what to do."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        yield
    except (ClientError, BotoCoreError) as error:
        match code_of(error):
            case "EntityNotFoundException":
                raise MissingError(what) from error
            case code if code in _RACES:
                raise RaceError(what) from error
        raise refusal(action, what, error) from error
