"""docs/cost.md says what the templates and the list of prices say, and the default parts stay below the limit."""

from deploy import cost
from deploy.templates import DEFAULT_PARTS, OPTIONAL_PARTS, resources

LIMIT_USD = 60
FREE = {
    "AWS::Athena::WorkGroup", "AWS::Budgets::Budget", "AWS::CloudWatch::Dashboard", "AWS::DynamoDB::Table",
    "AWS::EC2::FlowLog", "AWS::EC2::InternetGateway", "AWS::EC2::Route", "AWS::EC2::RouteTable",
    "AWS::EC2::SecurityGroup", "AWS::EC2::SecurityGroupEgress", "AWS::EC2::SecurityGroupIngress", "AWS::EC2::Subnet",
    "AWS::EC2::SubnetRouteTableAssociation", "AWS::EC2::VPC", "AWS::EC2::VPCGatewayAttachment", "AWS::ECR::Repository",
    "AWS::ECS::Cluster", "AWS::ECS::TaskDefinition", "AWS::ElasticLoadBalancingV2::Listener",
    "AWS::ElasticLoadBalancingV2::TargetGroup", "AWS::Events::EventBus", "AWS::Events::Rule", "AWS::Glue::Database",
    "AWS::Glue::SecurityConfiguration", "AWS::IAM::ManagedPolicy", "AWS::IAM::Role", "AWS::KMS::Alias",
    "AWS::CloudTrail::Trail", "AWS::Logs::LogGroup", "AWS::RDS::DBParameterGroup", "AWS::RDS::DBSubnetGroup",
    "AWS::S3::Bucket", "AWS::S3::BucketPolicy", "AWS::SNS::Subscription", "AWS::SNS::Topic", "AWS::SNS::TopicPolicy",
    "AWS::SQS::Queue", "AWS::SQS::QueuePolicy",
}  # fmt: skip
"""Kinds of resources that cost nothing while nobody uses them."""
PRICED = {
    "AWS::CloudWatch::Alarm", "AWS::EC2::VPCEndpoint", "AWS::ECS::Service", "AWS::Glue::Crawler", "AWS::KMS::Key",
    "AWS::ElasticLoadBalancingV2::LoadBalancer", "AWS::RDS::DBInstance", "AWS::SecretsManager::Secret",
}  # fmt: skip


def test_the_page_is_current() -> None:
    assert cost.PAGE.read_text(encoding="utf-8") == cost.page(), "python -m deploy.cost"


def test_an_idle_month_of_the_default_parts_is_below_the_limit() -> None:
    assert sum(one.usd for one in cost.default_month()) < LIMIT_USD


def test_each_kind_of_resource_is_priced_or_known_to_be_free() -> None:
    used = {
        one["Type"]
        for part in (*DEFAULT_PARTS, *OPTIONAL_PARTS)
        for one in resources(part).values()
        if isinstance(one, dict)
    }
    assert used == FREE | PRICED


def test_a_resource_more_costs_more() -> None:
    assert sum(one.usd for one in cost.per_month("endpoints", {"Zones": "2"})) > 2 * 12 * 7
    assert cost.per_month("database", {"DatabaseInTwoZones": "true"}) != cost.per_month("database")
