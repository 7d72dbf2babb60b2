"""docs/cost.md says what the templates and the list of prices say, and the default parts stay below the limit."""

from pathlib import Path

import pytest

from deploy import cost, prices
from deploy.templates import DEFAULT_PARTS, OPTIONAL_PARTS, resources, types_of

LIMIT_USD = 60
FREE = {
    "AWS::ApiGateway::ApiKey", "AWS::ApiGateway::Deployment", "AWS::ApiGateway::Method", "AWS::ApiGateway::Resource",
    "AWS::ApiGateway::RestApi", "AWS::ApiGateway::Stage", "AWS::ApiGateway::UsagePlan",
    "AWS::ApiGateway::UsagePlanKey", "AWS::IAM::Policy", "AWS::KinesisFirehose::DeliveryStream", "AWS::Logs::LogStream",
    "AWS::Athena::WorkGroup", "AWS::Budgets::Budget", "AWS::CloudWatch::Dashboard", "AWS::DynamoDB::Table",
    "AWS::EC2::FlowLog", "AWS::EC2::InternetGateway", "AWS::EC2::Route", "AWS::EC2::RouteTable",
    "AWS::EC2::SecurityGroup", "AWS::EC2::SecurityGroupEgress", "AWS::EC2::SecurityGroupIngress", "AWS::EC2::Subnet",
    "AWS::EC2::SubnetRouteTableAssociation", "AWS::EC2::VPC", "AWS::EC2::VPCGatewayAttachment", "AWS::ECR::Repository",
    "AWS::ECS::Cluster", "AWS::ECS::TaskDefinition", "AWS::ElasticLoadBalancingV2::Listener",
    "AWS::ElasticLoadBalancingV2::TargetGroup", "AWS::Events::EventBus", "AWS::Events::Rule", "AWS::Glue::Database",
    "AWS::Glue::SecurityConfiguration", "AWS::IAM::ManagedPolicy", "AWS::IAM::Role", "AWS::KMS::Alias",
    "AWS::CloudTrail::Trail", "AWS::CodeBuild::Project", "AWS::CodeConnections::Connection",
    "AWS::CodePipeline::Pipeline", "AWS::Logs::LogGroup", "AWS::RDS::DBParameterGroup", "AWS::RDS::DBSubnetGroup",
    "AWS::S3::Bucket", "AWS::S3::BucketPolicy", "AWS::SNS::Subscription", "AWS::SNS::Topic", "AWS::SNS::TopicPolicy",
    "AWS::LakeFormation::PrincipalPermissions", "AWS::LakeFormation::Resource", "AWS::LakeFormation::Tag",
    "AWS::LakeFormation::TagAssociation", "AWS::SQS::Queue", "AWS::SQS::QueuePolicy",
    "AWS::RedshiftServerless::Workgroup", "AWS::QuickSight::Analysis", "AWS::QuickSight::Dashboard",
    "AWS::QuickSight::DataSet", "AWS::QuickSight::DataSource", "AWS::EMRServerless::Application",
}  # fmt: skip
"""Kinds of resources that cost nothing while nobody uses them."""
PRICED = {
    "AWS::CloudWatch::Alarm", "AWS::EC2::VPCEndpoint", "AWS::ECS::Service", "AWS::Glue::Crawler", "AWS::KMS::Key",
    "AWS::Kinesis::Stream", "AWS::RedshiftServerless::Namespace",
    "AWS::ElasticLoadBalancingV2::LoadBalancer", "AWS::RDS::DBInstance", "AWS::SecretsManager::Secret",
}  # fmt: skip


@pytest.mark.slow(covered=True)
def test_the_page_is_current() -> None:
    assert cost.PAGE.read_text(encoding="utf-8") == cost.page(), "python -m deploy.cost"


def test_an_idle_month_of_the_default_parts_is_below_the_limit() -> None:
    assert sum(one.usd for one in cost.default_month()) < LIMIT_USD


def test_each_kind_of_resource_is_priced_or_known_to_be_free() -> None:
    used = {
        kind for part in (*DEFAULT_PARTS, *OPTIONAL_PARTS) for one in resources(part).values() for kind in types_of(one)
    }
    assert used == FREE | PRICED


def test_each_price_is_used_and_all_of_an_idle_month_are_those_of_a_page() -> None:
    text = Path(cost.__file__).read_text(encoding="utf-8")
    of_a_choice = ("db.t4g", "ARM64", "X86_64", "BUILD_GENERAL1")
    assert [name for name in prices.PRICES if name not in text and not name.startswith(of_a_choice)] == []
    from_memory = {name for name, price in prices.PRICES.items() if not price.page}
    assert all(bool(price.page) or not price.of for price in prices.PRICES.values())
    assert from_memory == {"GB into Firehose", "GB of flow logs in S3", "ml.m5.large of SageMaker, an hour"}


def test_a_resource_more_costs_more() -> None:
    assert sum(one.usd for one in cost.per_month("endpoints", {"Zones": "2"})) > 2 * 12 * 7
    assert sum(one.usd for one in cost.per_month("ingest", {"HasEventStream": "true", "EventShards": "2"})) > 2 * 10
    assert not [one for one in cost.per_month("ingest") if one.what == "Kinesis stream"]
    assert cost.per_month("database", {"DatabaseInTwoZones": "true"}) != cost.per_month("database")
