"""What Glue says of each table: from the declaration and the stored Delta schema to a `TableInput`, and comparing two.

Bronze is Parquet with partition projection; every other table is a native Delta table of Athena engine version 3.
No call is made here.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lakehouse_assets.catalog.lake_formation import open_columns
from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.declare import Feed, Table
from lakehouse_assets.contracts.partitioning import Partitioning, bucket_name
from lakehouse_assets.ledger.ledger import TABLE as LEDGER
from lakehouse_assets.pipeline.accounting import TABLE as ACCOUNTING
from lakehouse_assets.pipeline.inputs import fingerprint
from lakehouse_assets.pipeline.packs import TABLE as PACKS
from lakehouse_assets.storage import delta, delta_log
from lakehouse_assets.storage.delta_types import delta_type, hive_type

MARK = "lakehouse.root"
"""The parameter whose value, the root of the lake, says that a table in Glue is the lake's own."""
_CONTRACT = "lakehouse.contract"
_OWNED = ("EXTERNAL", "classification", "table_type", "spark.sql.sources.provider")
_OWNED_PREFIXES = ("lakehouse.", "projection.")
_COMMENT, _DESCRIPTION, _NAME = 255, 2048, 255
_BRONZE = "Records of all versions of all objects that landed: those that count are named in ops.ledger."
_PARQUET = {
    "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
    "SerdeInfo": {"SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"},
}
_DELTA = {"classification": "delta", "table_type": "DELTA", "spark.sql.sources.provider": "delta"}


class NoPlaceInGlueError(Exception):
    """Glue cannot hold a table with these columns; the message names the column and what to do."""


@dataclass(frozen=True)
class Wanted:
    """A table that Glue is to hold.

    Attributes:
        database: In Glue.
        version: Of its contract; empty for the lake's own tables.
        basis: What its `TableInput` follows from, as a fingerprint: while it stays the same, no schema is read.
    """

    table: Table
    feed: Feed | None
    database: str
    version: str
    basis: int

    @property
    def name(self) -> tuple[str, str]:
        """Database and table in Glue."""
        return self.database, self.table.name.lower()

    @property
    def is_stored(self) -> bool:
        """Whether there is a Delta table, and not only the folder of a bronze table."""
        return self.table.layer != "bronze"


def tables_of(lake: Lake) -> list[Table]:
    """Return all tables that Glue is to hold once they are stored."""
    return [*lake.registry.tables(), ACCOUNTING, LEDGER, PACKS]


def wanted(lake: Lake, prefix: str, personal_tag: str = "") -> list[Wanted]:
    """Return the tables that Glue is to hold now: bronze of every feed, and what is stored of the others.

    Args:
        personal_tag: That of Lake Formation, which the columns are to bear; empty for none.
    """
    feeds = {table.full_name: feed for feed in lake.registry.feeds.values() for table in feed.tables}
    versions = {name: feed.version for name, feed in feeds.items()}
    versions |= {model.table.full_name: model.version for model in lake.registry.models.values()}
    found = []
    for table in tables_of(lake):
        log = delta_log.read(lake.store, table.path) if table.layer != "bronze" else None
        if log is None or log.version >= 0:
            feed, version = feeds.get(table.full_name), versions.get(table.full_name, "")
            database = f"{prefix}_{table.layer}"
            said = [lake.settings.root, database, version, *_declaration(table), _projection(table, feed)]
            tagged = [[personal_tag, *sorted(open_columns(lake.registry, table))]] if personal_tag else []
            basis = fingerprint([said, log.identity if log else None, *tagged])
            found.append(Wanted(table, feed, database, version, basis))
    return found


def _declaration(table: Table) -> list[object]:
    """Return what is said of a table."""
    columns = [[name, str(c.dtype), c.description, c.personal] for name, c in table.columns.items()]
    return [table.full_name, table.path, table.description, table.owner, table.partitioning.value, columns]


def entry(lake: Lake, one: Wanted) -> dict[str, Any]:
    """Return the `TableInput` of a table. Reads the schema of a Delta table; raises `NoPlaceInGlueError`."""
    table, root = one.table, lake.settings.root
    parameters = {"EXTERNAL": "TRUE", MARK: root} | ({_CONTRACT: one.version} if one.version else {})
    is_bronze = table.layer == "bronze"
    if is_bronze:
        parameters |= {"classification": "parquet"} | _projection(table, one.feed)
        fields = [(name, delta_type(column.dtype)) for name, column in table.columns.items()]
        place = f"{root}/{table.path}/"  # with its slash: another feed's name may begin with this one's
    else:
        parameters |= _DELTA
        stored = json.loads(delta.latest(lake.store, table.path).schema().to_json())["fields"]
        fields = [(field["name"], field["type"]) for field in stored]
        place = f"{root}/{table.path}"
    partitions = set(table.partitioning.columns) if is_bronze else set()
    _refuse(table, fields)
    columns = [_column(table, name, kind) for name, kind in fields if name not in partitions]
    storage = {"Columns": columns, "Location": place} | (_PARQUET if is_bronze else {})
    return {
        "Name": one.name[1],
        "Description": _line(f"{table.description} {_BRONZE if is_bronze else ''}", _DESCRIPTION),
        "Owner": table.owner[:_NAME],
        "TableType": "EXTERNAL_TABLE",
        "Parameters": parameters,
        # The name of a folder is text, whatever the column is elsewhere.
        "PartitionKeys": [_column(table, name, "string") for name, _ in fields if name in partitions],
        "StorageDescriptor": storage,
    }


def _column(table: Table, name: str, kind: Any) -> dict[str, str]:  # noqa: ANN401 - JSON of the Delta protocol
    column = table.columns.get(name)
    text = "" if column is None else f"{column.description} {'Personal data.' if column.personal else ''}"
    comment = _line(text, _COMMENT)
    return {"Name": name.lower(), "Type": hive_type(kind).lower()} | ({"Comment": comment} if comment else {})


def _line(text: str, longest: int) -> str:
    """Return a text as Glue takes it: on one line, and cut where it is too long."""
    line = " ".join(text.split())
    return line if len(line) <= longest else f"{line[: longest - 3]}..."


def _projection(table: Table, feed: Feed | None) -> dict[str, str]:
    """Return the parameters by which Athena knows the partitions of a bronze table without asking Glue for them."""
    if table.layer != "bronze" or feed is None or table.partitioning is Partitioning.SNAPSHOT:
        return {}
    if feed.keyed is not None:
        names = (bucket_name(bucket).removeprefix("bucket=") for bucket in range(feed.keyed.buckets))
        return {
            "projection.enabled": "true",
            "projection.bucket.type": "enum",
            "projection.bucket.values": ",".join(names),
        }
    return {
        "projection.enabled": "true",
        "projection.dt.type": "date",
        "projection.dt.format": "yyyy-MM-dd",
        "projection.dt.range": f"{feed.start_date.isoformat()},NOW+1DAYS",
        "projection.dt.interval": "1",
        "projection.dt.interval.unit": f"{feed.partition_by}s".upper(),
    }


def _refuse(table: Table, fields: list[tuple[str, Any]]) -> None:
    """Raise `NoPlaceInGlueError` for columns that Glue cannot hold."""
    seen: dict[str, str] = {}
    for name, kind in fields:
        lower = name.lower()
        if lower in seen:
            why = f"the columns {seen[lower]!r} and {name!r} differ in case only"
        elif not name or len(name) > _NAME or not name.isprintable():
            why = f"{name[:40]!r} is no name of a column in Glue (at most {_NAME} characters, all printable)"
        elif odd := next((field for field in _struct_fields(kind) if not re.fullmatch(r"\w+", field)), None):
            why = f"the column {name!r} has a field {odd!r}, and Glue knows letters, digits and _ there"
        else:
            seen[lower] = name
            continue
        msg = f"{table.full_name}: {why}. It is not in Glue; the other tables are. Rename it, or use `lakehouse query`."
        raise NoPlaceInGlueError(msg)


def _struct_fields(kind: Any) -> Iterator[str]:  # noqa: ANN401 - JSON of the Delta protocol
    """Yield the names of the fields of all structs in a type."""
    if isinstance(kind, dict):
        for part in ("elementType", "keyType", "valueType"):
            yield from _struct_fields(kind.get(part))
        for field in kind.get("fields", ()):
            yield field["name"]
            yield from _struct_fields(field["type"])


def is_ours(lake: Lake, found: Mapping[str, Any]) -> bool:
    """Return whether a table in Glue bears the mark of this lake."""
    return bool(found.get("Parameters", {}).get(MARK) == lake.settings.root)


def shape(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the lake says of a table, of all that stands in Glue or in a `TableInput`."""
    storage = found.get("StorageDescriptor", {})
    return {
        "description": found.get("Description", ""),
        "owner": found.get("Owner", ""),
        "type": found.get("TableType", ""),
        "columns": _columns(storage.get("Columns", [])),
        "partitions": _columns(found.get("PartitionKeys", [])),
        "location": storage.get("Location", ""),
        "format": [
            storage.get("InputFormat", ""),
            storage.get("OutputFormat", ""),
            storage.get("SerdeInfo", {}).get("SerializationLibrary", ""),
        ],
        "parameters": {k: v for k, v in found.get("Parameters", {}).items() if _is_owned(k)},
    }


def _columns(found: list[Mapping[str, str]]) -> dict[str, list[object]]:
    return {c["Name"]: [at, c.get("Type", ""), c.get("Comment", "")] for at, c in enumerate(found)}


def _is_owned(parameter: str) -> bool:
    return parameter in _OWNED or parameter.startswith(_OWNED_PREFIXES)


def merged(table_input: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """Return a `TableInput` that keeps what others added to the parameters of the table."""
    others = {k: v for k, v in found.get("Parameters", {}).items() if not _is_owned(k)}
    return {**table_input, "Parameters": others | table_input["Parameters"]}


def differences(found: Mapping[str, Any], said: Mapping[str, Any]) -> str:
    """Return in words where two shapes differ."""
    parts = []
    for what, value in said.items():
        if not isinstance(value, dict):
            parts += [what] if found[what] != value else []
        elif odd := sorted(k for k in {*value, *found[what]} if value.get(k) != found[what].get(k)):
            parts.append(f"{what} {', '.join(odd[:5])}{', ...' if len(odd) > 5 else ''}")  # noqa: PLR2004 - enough to see
    return "; ".join(parts)
