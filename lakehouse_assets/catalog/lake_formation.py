"""Which columns hold personal data, as Lake Formation knows it: by a tag on each column of a table in Glue.

The databases bear the tag with `yes`, so a column is closed until it is known to be open. Not here: who may read what
(deploy/stack/grants.yaml), and what stands in Glue.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lakehouse_assets import aws
from lakehouse_assets.catalog.aws_refusals import refusal
from lakehouse_assets.contracts.declare import Table
from lakehouse_assets.contracts.lineage import personal_of_model
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.storage.stores import StorageError

GOVERNED = ("silver", "gold", "ops")
"""Layers in which people are let in by column. Bronze and quarantine hold records as they came: they are closed."""
_ACTION = "lakeformation:AddLFTagsToResource"


def open_columns(registry: Registry, table: Table) -> set[str]:
    """Return the declared columns of a table that hold no personal data."""
    personal = {name for name, column in table.columns.items() if column.personal}
    if table.layer == "gold" and (model := registry.models.get(table.name)):
        personal |= personal_of_model(model, registry)
    return set(table.columns) - personal


@dataclass(frozen=True)
class PersonalTag:
    """A tag of Lake Formation with the values `yes` and `no`."""

    key: str
    region: str | None

    @cached_property
    def _client(self) -> Any:  # noqa: ANN401 - made by boto3 at run time
        return aws.client("lakeformation", aws.STEADY, self.region)

    def put(self, database: str, table: str, columns: Iterable[str], opened: Iterable[str]) -> None:
        """Say of each column of a table in Glue whether it holds personal data.

        Args:
            opened: Those that hold none. All others do, also what nobody declared.

        Raises:
            StorageError: It could not be said of some; these stay as they were, or closed.
        """
        is_open = {name.lower() for name in opened}
        named = sorted(columns)
        for value, some in (
            ("yes", [c for c in named if c not in is_open]),
            ("no", [c for c in named if c in is_open]),
        ):
            if some:
                self._put(value, {"DatabaseName": database, "Name": table, "ColumnNames": some})

    def _put(self, value: str, columns: dict[str, Any]) -> None:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        what = f"{columns['DatabaseName']}.{columns['Name']}"
        tags = [{"TagKey": self.key, "TagValues": [value]}]
        try:
            said = self._client.add_lf_tags_to_resource(Resource={"TableWithColumns": columns}, LFTags=tags)
        except (ClientError, BotoCoreError) as error:
            raise refusal(_ACTION, what, error) from error
        if failures := said.get("Failures"):
            why = failures[0].get("Error", {}).get("ErrorMessage", "it says no reason")
            raise refusal(_ACTION, what, StorageError(f"the tag {self.key}={value}: {why}"))
