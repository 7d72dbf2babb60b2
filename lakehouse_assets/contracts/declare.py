"""What a module in `defs/` needs to declare a table once; everything else derives from the declaration.

A feed declares its contract, from which its bronze, silver and quarantine tables follow; a model declares a gold
table, whose content is a SQL file. Not here: how contracts are evaluated, stored or shown.
"""

from lakehouse_assets.contracts.drift import DriftPolicy, Policy
from lakehouse_assets.contracts.feed import Feed
from lakehouse_assets.contracts.file_format import Csv, Excel, FixedWidth, Format, Json
from lakehouse_assets.contracts.kinesis import KinesisStream
from lakehouse_assets.contracts.model import Model
from lakehouse_assets.contracts.rest_api import ApiKey, Bearer, Cursor, NextUrl, Offset, Pages, RestApi, UpdatedSince
from lakehouse_assets.contracts.serving import Serving
from lakehouse_assets.contracts.source import (
    SEMANTICS,
    Contract,
    ContractError,
    Derived,
    Normaliser,
    Source,
    derived,
    drop_point_zero,
    source,
    upper,
)
from lakehouse_assets.contracts.table import PROVENANCE, Column, Table
from lakehouse_assets.contracts.usual_rows import UsualRows

__all__ = [
    "PROVENANCE",
    "SEMANTICS",
    "ApiKey",
    "Bearer",
    "Column",
    "Contract",
    "ContractError",
    "Csv",
    "Cursor",
    "Derived",
    "DriftPolicy",
    "Excel",
    "Feed",
    "FixedWidth",
    "Format",
    "Json",
    "KinesisStream",
    "Model",
    "NextUrl",
    "Normaliser",
    "Offset",
    "Pages",
    "Policy",
    "RestApi",
    "Serving",
    "Source",
    "Table",
    "UpdatedSince",
    "UsualRows",
    "derived",
    "drop_point_zero",
    "source",
    "upper",
]
