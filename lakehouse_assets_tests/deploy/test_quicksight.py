"""The part `quicksight` is what the contracts say, has nothing of a person, and is a request that AWS's client takes.

Not here: what QuickSight makes of it, which no emulator shows.
"""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.validate import ParamValidator

from deploy import quicksight
from deploy.templates import read, resources
from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.registry import registry
from lakehouse_assets.pages.report import Report
from lakehouse_assets.pipeline.accounting import TABLE as ACCOUNTING
from lakehouse_assets.settings import settings
from lakehouse_assets.storage.delta_types import spark_type

_OF_SPARK = {"string": "STRING", "bigint": "INTEGER", "double": "DECIMAL", "decimal": "DECIMAL", "date": "DATETIME"}
ACCOUNT, REGION = "123456789012", "us-east-1"


def _properties(kind: str) -> dict[str, dict[str, Any]]:
    """Return the properties of each resource of a kind, such as `DataSet`."""
    made = resources("quicksight")
    return {name: one["Properties"] for name, one in made.items() if one["Type"] == f"AWS::QuickSight::{kind}"}


def _stored() -> list[dict[str, Any]]:
    return [one["PhysicalTableMap"]["stored"]["RelationalTable"] for one in _properties("DataSet").values()]


def _columns() -> dict[str, dict[str, str]]:
    return {one["Name"]: {each["Name"]: each["Type"] for each in one["InputColumns"]} for one in _stored()}


def _below(said: Any, key: str) -> Iterator[Any]:
    """Yield what stands under a key, anywhere."""
    for name, value in said.items() if isinstance(said, dict) else enumerate(said) if isinstance(said, list) else ():
        if name == key:
            yield value
        yield from _below(value, key)


def _plain(said: Any) -> Any:
    """Return a part of the template with a text where a function of CloudFormation stands."""
    if isinstance(said, dict):
        return f"arn:aws:made:::{said}" if {"Ref", "Fn::Sub", "Fn::GetAtt"} & said.keys() else _each(said)
    return [_plain(one) for one in said] if isinstance(said, list) else said


def _each(said: dict[str, Any]) -> dict[str, Any]:
    return {key: ACCOUNT if key == "AwsAccountId" else _plain(value) for key, value in said.items()}


@pytest.mark.slow(covered=True)
def test_the_template_is_made_from_the_contracts_and_short_enough_to_be_sent() -> None:
    assert quicksight.FILE.read_text(encoding="utf-8") == quicksight.text(), "python -m deploy.quicksight"
    assert quicksight.FILE.stat().st_size < quicksight.LONGEST_BYTES


def test_each_data_set_has_the_columns_of_its_contract_without_those_of_a_person() -> None:
    declared = {model.table.full_name: model.table for model in registry().models.values()}
    declared |= {ACCOUNTING.full_name: ACCOUNTING}
    for one in _stored():
        table = declared[f"{one['Schema']['Fn::Sub'].removeprefix('${Name}_')}.{one['Name']}"]
        spark = {name: spark_type(column.dtype).lower().partition("(")[0] for name, column in table.columns.items()}
        expected = {name: _OF_SPARK[kind] for name, kind in spark.items() if name != "customer_id"}
        assert {column["Name"]: column["Type"] for column in one["InputColumns"]} == expected
    assert "customer_id" in declared["gold.customer_insights"].columns
    assert "customer_id" not in quicksight.FILE.read_text(encoding="utf-8")


def test_the_tables_are_those_of_the_page(lake: Lake) -> None:
    page = {table.name for table in Report().tables(lake)}
    assert len(page) > 5
    assert _columns().keys() == page | {"accounting"}


@pytest.mark.parametrize("kind", ["Analysis", "Dashboard"])
def test_what_is_shown_is_a_column_of_a_data_set(kind: str) -> None:
    [properties] = _properties(kind).values()
    shown, columns = properties["Definition"], _columns()
    assert {one["Identifier"] for one in shown["DataSetIdentifierDeclarations"]} == columns.keys()
    named = list(_below(shown, "Column"))
    assert len(named) > 20
    for one in named:
        assert one["ColumnName"] in columns[one["DataSetIdentifier"]]
    visuals = [visual for one in _below(shown, "Visuals") for each in one for visual in each.values()]
    ids = [one["VisualId"] for one in visuals]
    assert len(ids) == len(set(ids)) == 9
    assert {name for one in _below(shown, "VisualIds") for name in one} <= set(ids)
    for visual in visuals:
        wells = list(_below(visual["ChartConfiguration"]["FieldWells"], "FieldId"))
        assert len(wells) == len(set(wells))
        assert visual["Title"]["FormatText"]["PlainText"]
        sorted_by = list(_below(visual["ChartConfiguration"].get("SortConfiguration", {}), "FieldId"))
        assert set(sorted_by) <= set(wells)


@pytest.mark.slow(covered=True)
@pytest.mark.parametrize("kind", ["DataSource", "DataSet", "Analysis", "Dashboard"])
def test_the_client_of_aws_takes_it_as_a_request(kind: str) -> None:
    model = boto3.client("quicksight", region_name=REGION).meta.service_model
    request = model.operation_model(f"Create{kind}").input_shape
    for properties in _properties(kind).values():
        assert ParamValidator().validate(_plain(properties), request).generate_report() == ""
    broken = _plain(properties) | {"Name": 1}
    assert "Name" in ParamValidator().validate(broken, request).generate_report()


def test_readers_see_the_dashboard_and_nothing_else() -> None:
    made = resources("quicksight")
    allowed = {
        (name, one["Principal"]["Ref"]): set(one["Actions"])
        for name, resource in made.items()
        for one in resource["Properties"].get("Permissions", [])
    }
    of_readers = {name: actions for (name, group), actions in allowed.items() if group == "QuickSightReaders"}
    look = {"quicksight:DescribeDashboard", "quicksight:ListDashboardVersions", "quicksight:QueryDashboard"}
    assert of_readers == {"Dashboard": look}
    assert ("Source", "QuickSightAuthors") not in allowed  # who has the source reads columns that no data set has
    assert not any("UpdateDataSet" in action for actions in allowed.values() for action in actions)


def test_the_role_reads_the_tables_that_are_shown() -> None:
    [policy] = resources("quicksight")["Asking"]["Properties"]["Policies"]
    read_by = {
        arn["Fn::Sub"].rpartition(":::")[2].partition("/")[2]
        for one in policy["PolicyDocument"]["Statement"]
        if "s3:GetObject" in one["Action"]
        for arn in one["Resource"]
    }
    tables = {f"lake/{table.path}/*" for table in quicksight.tables().values()}
    assert read_by == tables | {"lake/athena-results/*"}
    assert all("*" not in arn for one in _below(policy, "Resource") for arn in one if isinstance(arn, str))


def test_both_groups_have_to_be_named() -> None:
    parameters = read("quicksight")["Parameters"]
    assert [name for name, one in parameters.items() if "Default" not in one] == [
        "QuickSightReaders",
        "QuickSightAuthors",
    ]


def test_a_column_without_a_type_in_quicksight_is_named() -> None:
    with pytest.raises(ValueError, match=r"gold\.daily_metrics: dimensions, .* have types"):
        quicksight.kinds(registry().models["daily_metrics"].table)


def test_what_a_lake_does_not_declare_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEHOUSE_DEFINITIONS", "lakehouse_assets_tests.sales_tables")
    settings.cache_clear()
    assert set(quicksight.tables()) == {"daily_sales", "product_performance", "accounting", "quarantine_by_rule"}
    shown = quicksight.template()["Resources"]["Dashboard"]["Properties"]["Definition"]
    assert [one["Name"] for one in shown["Sheets"]] == ["Sales", "Products", "Quality"]
    assert shown["FilterGroups"] == []
