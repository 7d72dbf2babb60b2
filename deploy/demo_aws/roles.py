"""The policies of deploy/policies in an account, and users that may do what these say and nothing else.

Not here: what the policies say, and who uses them.
"""

import json
from pathlib import Path
from typing import Any

from deploy.demo_aws.account import Account, stream_of
from deploy.demo_aws.stacks import Clients
from deploy.render import NAMES

POLICIES = Path(__file__).parent.parent / "policies"
Policy = dict[str, Any]
_BATCHES = {f"sqs:{one}": f"sqs:{one}Batch" for one in ("DeleteMessage", "ChangeMessageVisibility")}

_UNKNOWN = ("cloudwatch:namespace", "s3:if-none-match")


def policy(role: str, account: Account) -> Policy:
    """Return the policy of a role with the names of an account in place of its parameters."""
    text = (POLICIES / f"{role}.json").read_text(encoding="utf-8")
    region, number = account.topic.split(":")[3:5]
    names = {
        "Name": account.name,
        "AWS::AccountId": number,
        "AWS::Region": region,
        "StreamToRead": stream_of(account.name),
    }
    for parameter, name in {**NAMES, "FEED": "sales"}.items():
        text = text.replace(f"${{{parameter}}}", name)
    for parameter, name in names.items():
        text = text.replace(f"${{{parameter}}}", name)
    filled: Policy = json.loads(text)
    return filled


def made_policy(clients: Clients, role: str, account: Account) -> Policy:
    """Return the policy of a role as the stack has made it in an account."""
    arn = f"arn:aws:iam::{account.topic.split(':')[4]}:policy/{account.name}-{role}"
    version = clients("iam").get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    found = clients("iam").get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    made: Policy = json.loads(found) if isinstance(found, str) else found
    return made


def as_emulated(said: Policy) -> Policy:
    """Return a policy as the emulator has to be told it. AWS takes it as it is.

    - AWS lets who may delete one message delete ten; the emulator asks for actions that AWS does not have.
    - The emulator does not know the condition `cloudwatch:namespace`, and so would refuse every metric.
    - The same with `s3:if-none-match`, and every object of an extraction.
    - It takes a crawler for a table, and does not see which workgroup is to be made, or whose records are read.
    """
    return {**said, "Statement": [_as_emulated(statement) for statement in said["Statement"]]}


def _as_emulated(statement: Policy) -> Policy:
    actions = statement["Action"]
    changed = {**statement, "Action": actions + [_BATCHES[action] for action in actions if action in _BATCHES]}
    if "Condition" in statement:
        changed["Condition"] = _known(statement["Condition"])
    if {"athena:CreateWorkGroup", "glue:StartCrawler", "kinesis:GetRecords"}.intersection(actions):
        changed["Resource"] = "*"
    return changed


def _known(condition: Policy) -> Policy:
    kept = {test: {key: one for key, one in keys.items() if key not in _UNKNOWN} for test, keys in condition.items()}
    return {test: keys for test, keys in kept.items() if keys}


def make_user(clients: Clients, name: str, *policies: Policy) -> dict[str, str]:
    """Make a user with some policies; return the key and secret, by the names of their environment variables."""
    iam = clients("iam")
    iam.create_user(UserName=name)
    for number, said in enumerate(policies):
        document = json.dumps(as_emulated(said))
        iam.put_user_policy(UserName=name, PolicyName=f"{name}-{number}", PolicyDocument=document)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
