"""The report page in QuickSight: `python -m deploy.quicksight` writes deploy/stack/quicksight.yaml from the contracts.

A data set has the columns of a table that hold no personal data, with their types and their meaning. A test compares.
Not here: what the columns mean, and the page itself, which `lakehouse_assets.pages` makes.
"""

import polars as pl
import yaml

from deploy.quicksight_visuals import SHEETS, OneLine, definition
from deploy.templates import STACK, Template, read
from lakehouse_assets.catalog.lake_formation import open_columns
from lakehouse_assets.contracts.declare import Table
from lakehouse_assets.contracts.registry import registry
from lakehouse_assets.pipeline.accounting import TABLE as ACCOUNTING

FILE = STACK / "quicksight.yaml"
LONGEST_BYTES = 51_200
"""Of a template that is sent with the request, as deploy.sh and Terraform do."""
_HEAD = """\
# Made from the contracts by `python -m deploy.quicksight`: change them, or what is shown, there.
AWSTemplateFormatVersion: "2010-09-09"
Description: >-
  Data sets, an analysis and a dashboard of QuickSight over gold, by Athena (docs/insight.md). Optional; the account
  needs a subscription to QuickSight, and the tables have to be in Glue.

"""
_TYPES: dict[type[pl.DataType], str] = {
    pl.String: "STRING", pl.Int64: "INTEGER", pl.Float64: "DECIMAL", pl.Decimal: "DECIMAL", pl.Date: "DATETIME",
}  # fmt: skip
_LONGEST_TEXT = 500
_ARN = "arn:${AWS::Partition}:%s:${AWS::Region}:${AWS::AccountId}:"
_BUCKET = "arn:${AWS::Partition}:s3:::${Name}-${AWS::AccountId}"
_OF_DATA_SETS = (
    "DescribeDataSet", "DescribeDataSetPermissions", "PassDataSet", "DescribeIngestion", "ListIngestions",
)  # fmt: skip
_OF_ANALYSES = (
    "DescribeAnalysis", "QueryAnalysis", "UpdateAnalysis", "DeleteAnalysis", "RestoreAnalysis",
    "DescribeAnalysisPermissions", "UpdateAnalysisPermissions",
)  # fmt: skip
_OF_DASHBOARDS = ("DescribeDashboard", "ListDashboardVersions", "QueryDashboard")


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - CloudFormation reads no anchors
        return True


_Dumper.add_representer(
    OneLine, lambda dumper, said: dumper.represent_mapping("tag:yaml.org,2002:map", said, flow_style=True)
)


def tables() -> dict[str, Table]:
    """Return the tables that are shown and declared, by name."""
    declared = {name: model.table for name, model in registry().models.items()} | {ACCOUNTING.name: ACCOUNTING}
    shown = dict.fromkeys(visual.table for visuals in SHEETS.values() for visual in visuals)
    return {name: declared[name] for name in shown if name in declared}


def kinds(table: Table) -> dict[str, str]:
    """Return the columns of a data set, each with its type in QuickSight.

    Raises:
        ValueError: QuickSight has no type for a column.
    """
    opened = open_columns(registry(), table)
    columns = {name: column.dtype for name, column in table.columns.items() if name in opened}
    if odd := [name for name, dtype in columns.items() if type(dtype) not in _TYPES]:
        msg = f"{table.full_name}: {', '.join(odd)} have types that QuickSight has no type for; show another table."
        raise ValueError(msg)
    return {name: _TYPES[type(dtype)] for name, dtype in columns.items()}


def template() -> Template:
    """Return the template as data."""
    shown = definition({name: kinds(table) for name, table in tables().items()}, _arns())
    group = {
        "Type": "String",
        "AllowedPattern": "^arn:aws[a-z-]*:quicksight:[a-z0-9-]+:[0-9]{12}:group/.+$",
        "ConstraintDescription": "an ARN such as arn:aws:quicksight:us-east-1:123456789012:group/default/readers",
    }
    region = "in the region that holds the users"
    return {
        "Parameters": {
            "Name": read("catalog")["Parameters"]["Name"],
            "QuickSightReaders": {"Description": f"ARN of the group, {region}, that sees the dashboard.", **group},
            "QuickSightAuthors": {
                "Description": f"ARN of the group, {region}, that also makes analyses of the data sets.",
                **group,
            },
        },
        "Resources": {
            "Asking": _role(),
            "Source": {
                "Type": "AWS::QuickSight::DataSource",
                "Properties": {
                    **_named("DataSource", "gold by Athena"),
                    "Type": "ATHENA",
                    "DataSourceParameters": {
                        "AthenaParameters": {"WorkGroup": {"Ref": "Name"}, "RoleArn": {"Fn::GetAtt": ["Asking", "Arn"]}}
                    },
                    "SslProperties": {"DisableSsl": False},
                },
            },
            **{_logical(name): _data_set(table) for name, table in tables().items()},
            "Analysis": {
                "Type": "AWS::QuickSight::Analysis",
                "Properties": {
                    **_named("Analysis", "sales report"),
                    "Permissions": [_may("QuickSightAuthors", _OF_ANALYSES)],
                    "Definition": shown,
                },
            },
            "Dashboard": {
                "Type": "AWS::QuickSight::Dashboard",
                "Properties": {
                    **_named("Dashboard", "sales report"),
                    "Permissions": [
                        _may(group, _OF_DASHBOARDS) for group in ("QuickSightReaders", "QuickSightAuthors")
                    ],
                    "DashboardPublishOptions": {"AdHocFilteringOption": {"AvailabilityStatus": "ENABLED"}},
                    "Definition": shown,
                },
            },
        },
        "Outputs": {
            "Dashboard": {
                "Value": {"Fn::Sub": "https://${AWS::Region}.quicksight.aws.amazon.com/sn/dashboards/${Name}-report"}
            }
        },
    }


def _logical(name: str) -> str:
    return name.title().replace("_", "")


def _arns() -> dict[str, Template]:
    return {name: {"Fn::GetAtt": [_logical(name), "Arn"]} for name in tables()}


def _named(kind: str, name: str, id_: str = "report") -> Template:
    return {
        "AwsAccountId": {"Ref": "AWS::AccountId"},
        f"{kind}Id": {"Fn::Sub": f"${{Name}}-{id_}"},
        "Name": {"Fn::Sub": f"${{Name}}: {name}"},
    }


def _may(group: str, actions: tuple[str, ...]) -> Template:
    return {"Principal": {"Ref": group}, "Actions": [f"quicksight:{action}" for action in actions]}


def _allow(actions: str, *arns: str, **more: Template) -> Template:
    return {"Effect": "Allow", "Action": actions.split(), "Resource": [{"Fn::Sub": arn} for arn in arns], **more}


def _role() -> Template:
    """Return the role with which QuickSight asks Athena: these tables, and nothing else.

    QuickSight takes a role of its own account only, and only from who may pass it.
    """
    shown, results = tables().values(), "lake/athena-results/*"
    paths = [f"lake/{table.path}/*" for table in shown]
    glue = dict.fromkeys(f"database/${{Name}}_{table.layer}" for table in shown)
    glue |= dict.fromkeys(f"table/${{Name}}_{table.layer}/{table.name}" for table in shown)
    trusted = {"Effect": "Allow", "Principal": {"Service": "quicksight.amazonaws.com"}, "Action": "sts:AssumeRole"}
    allowed = [
        _allow(
            "athena:GetWorkGroup athena:StartQueryExecution athena:GetQueryExecution athena:BatchGetQueryExecution "
            "athena:StopQueryExecution athena:GetQueryResults athena:GetQueryResultsStream",
            _ARN % "athena" + "workgroup/${Name}",
        ),
        _allow(
            "athena:GetDataCatalog athena:GetDatabase athena:GetTableMetadata athena:ListTableMetadata",
            _ARN % "athena" + "datacatalog/AwsDataCatalog",
        ),
        _allow(
            "glue:GetDatabase glue:GetTable glue:GetTables glue:GetPartitions",
            *(_ARN % "glue" + what for what in ("catalog", *glue)),
        ),
        _allow("s3:GetBucketLocation", _BUCKET),
        _allow("s3:ListBucket", _BUCKET, Condition={"StringLike": {"s3:prefix": [*paths, results]}}),
        _allow("s3:GetObject", *(f"{_BUCKET}/{path}" for path in (*paths, results))),
        _allow("s3:PutObject s3:AbortMultipartUpload s3:ListMultipartUploadParts", f"{_BUCKET}/{results}"),
    ]
    version = "2012-10-17"
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "RoleName": {"Fn::Sub": "${Name}-quicksight"},
            "AssumeRolePolicyDocument": {"Version": version, "Statement": [trusted]},
            "ManagedPolicyArns": [{"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:policy/${Name}-key"}],
            "Policies": [{"PolicyName": "ask", "PolicyDocument": {"Version": version, "Statement": allowed}}],
        },
    }


def _data_set(table: Table) -> Template:
    columns = kinds(table)
    meanings = {name: {"Text": table.columns[name].description[:_LONGEST_TEXT]} for name in columns}
    transforms = [
        OneLine(TagColumnOperation={"ColumnName": name, "Tags": [{"ColumnDescription": meaning}]})
        for name, meaning in meanings.items()
    ]
    return {
        "Type": "AWS::QuickSight::DataSet",
        "Properties": {
            **_named("DataSet", table.full_name, table.name),
            "ImportMode": "DIRECT_QUERY",
            "Permissions": [_may("QuickSightAuthors", _OF_DATA_SETS)],
            "PhysicalTableMap": {
                "stored": {
                    "RelationalTable": {
                        "DataSourceArn": {"Fn::GetAtt": ["Source", "Arn"]},
                        "Catalog": "AwsDataCatalog",
                        "Schema": {"Fn::Sub": f"${{Name}}_{table.layer}"},
                        "Name": table.name,
                        "InputColumns": [{"Name": name, "Type": kind} for name, kind in columns.items()],
                    }
                }
            },
            "LogicalTableMap": {
                "described": {
                    "Alias": table.name,
                    "Source": {"PhysicalTableId": "stored"},
                    "DataTransforms": transforms,
                }
            },
        },
    }


def text() -> str:
    """Return the file."""
    return _HEAD + yaml.dump(template(), Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=1_000_000)


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
