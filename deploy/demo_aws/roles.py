"""The policies of deploy/policies in an account, and users that may do what these say and nothing else.

Not here: what the policies say, and who uses them.
"""

import json
from pathlib import Path
from string import Template
from typing import Any

from deploy.demo_aws.account import Account, Clients

POLICIES = Path(__file__).parent.parent / "policies"
Policy = dict[str, Any]
_BATCHES = {f"sqs:{one}": f"sqs:{one}Batch" for one in ("DeleteMessage", "ChangeMessageVisibility")}


def policy(role: str, account: Account) -> Policy:
    """Return the policy of a role with the names of an account in place of its parameters."""
    text = (POLICIES / f"{role}.json").read_text(encoding="utf-8")
    filled: Policy = json.loads(Template(text).substitute(parameters(account)))
    return filled


def parameters(account: Account) -> dict[str, str]:
    """Return the parameters of the policies, as docs/aws.md explains them."""
    region, number, topic = account.topic.split(":")[3:]
    bucket, _, prefix = account.settings["LAKEHOUSE_ROOT"].removeprefix("s3://").partition("/")
    return {
        "ACCOUNT": number,
        "REGION": region,
        "BUCKET": bucket,
        "PREFIX": prefix,
        "FEED": "sales",
        "QUEUE": account.queue.rpartition("/")[2],
        "DEAD_LETTERS": account.dead_letters.rpartition("/")[2],
        "GLUE_PREFIX": account.settings["LAKEHOUSE_GLUE_PREFIX"],
        "WORKGROUP": account.name,
        "CRAWLER": account.name,
        "CRAWLER_DATABASE": f"{account.settings['LAKEHOUSE_GLUE_PREFIX']}_landing",
        "TOPIC": topic,
        "BUS": account.settings["LAKEHOUSE_EVENT_BUS"],
        "ERRORS_TABLE": account.settings["LAKEHOUSE_ERRORS_TABLE"],
        "SERVING_TABLE": account.settings["LAKEHOUSE_SERVING_TABLE"],
        "SECRETS": account.name,
        "METRICS_NAMESPACE": account.settings["LAKEHOUSE_METRICS_NAMESPACE"],
    }


def as_emulated(said: Policy) -> Policy:
    """Return a policy as the emulator has to be told it. AWS takes it as it is.

    - AWS lets who may delete one message delete ten; the emulator asks for actions that AWS does not have.
    - The emulator does not know the condition `cloudwatch:namespace`, and so would refuse every metric.
    - It takes a crawler for a table, and does not see which workgroup is to be made.
    """
    return {**said, "Statement": [_as_emulated(statement) for statement in said["Statement"]]}


def _as_emulated(statement: Policy) -> Policy:
    actions = statement["Action"]
    changed = {**statement, "Action": actions + [_BATCHES[action] for action in actions if action in _BATCHES]}
    if "cloudwatch:namespace" in json.dumps(statement):
        del changed["Condition"]
    if {"athena:CreateWorkGroup", "glue:StartCrawler"}.intersection(actions):
        changed["Resource"] = "*"
    return changed


def make_user(clients: Clients, name: str, *policies: Policy) -> dict[str, str]:
    """Make a user with some policies; return the key and secret, by the names of their environment variables."""
    iam = clients("iam")
    iam.create_user(UserName=name)
    for number, said in enumerate(policies):
        document = json.dumps(as_emulated(said))
        iam.put_user_policy(UserName=name, PolicyName=f"{name}-{number}", PolicyDocument=document)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
