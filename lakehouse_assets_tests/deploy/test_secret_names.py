"""The secrets that the documentation and the declarations name are those that the policies let be read."""

import json
import re
from fnmatch import fnmatchcase

import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.rest_api import RestApi
from lakehouse_assets.lake_settings import PROJECT

OF_CODE = re.compile(r'(?:\bsecret|Bearer|ApiKey)\("([^"]+)"')
OF_CALLERS = re.compile(r"(?:LAKEHOUSE_SERVE_KEY_NAME=|create-secret --name )(\S+)")


def named(pattern: re.Pattern[str]) -> set[str]:
    """Return the secrets that the pages name, with the name that docs/aws.md gives the lake."""
    pages = [page.read_text(encoding="utf-8") for page in (PROJECT / "docs").rglob("*.md")]
    return {re.sub("^NAME/", "lake/", name) for page in pages for name in pattern.findall(page)}


def may_read(policy: str, name: str) -> bool:
    text = (PROJECT / "deploy" / "policies" / f"{policy}.json").read_text(encoding="utf-8")
    statements = json.loads(text.replace("${SECRETS}", "lake"))["Statement"]
    [allowed] = [found for found in statements if "secretsmanager:GetSecretValue" in found["Action"]]
    [resource] = allowed["Resource"]
    # The address of a secret ends with six characters of AWS's own.
    return fnmatchcase(f"{name.partition('#')[0]}-a1B2c3", resource.partition(":secret:")[2])


def test_who_answers_callers_may_read_their_key_and_no_other() -> None:
    assert "SECRETS=lake " in (PROJECT / "docs" / "aws.md").read_text(encoding="utf-8")
    assert named(OF_CALLERS) == {"lake/api-key"}
    assert may_read("api", "lake/api-key")


def test_runs_may_read_each_secret_that_the_pages_ask_for_by_code() -> None:
    found = named(OF_CODE)
    assert found >= {"lake/crm-key", "lake/crm-token"}
    assert {name: (may_read("run", name), may_read("api", name)) for name in found} == dict.fromkeys(
        found, (True, False)
    )


@pytest.mark.usefixtures("every_table")
def test_the_keys_of_apis_that_feeds_ask_are_for_runs_alone(lake: Lake) -> None:
    asked = [feed.extract for feed in lake.registry.feeds.values() if isinstance(feed.extract, RestApi)]
    found = {api.auth.secret for api in asked if api.auth is not None}
    assert found
    assert {name: (may_read("run", name), may_read("api", name)) for name in found} == dict.fromkeys(
        found, (True, False)
    )
