"""Credentials: from the environment or Secrets Manager, kept for a time, rotated, and never shown."""

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import boto3
import dagster as dg
import pytest
from moto import mock_aws

from lakehouse_assets import credentials
from lakehouse_assets.context import Lake, current
from lakehouse_assets.credentials import Credentials, NoAnswerError, SecretError, renewed, secret, variable
from lakehouse_assets.orchestration.instance import opened
from lakehouse_assets.serving.lake_source import LakeSource
from lakehouse_assets.settings import SettingsError, settings
from lakehouse_assets_tests.conftest import Lakehouse
from lakehouse_assets_tests.erasure.traces import traces
from lakehouse_assets_tests.forked import Forked
from lakehouse_assets_tests.serving.test_http import server

NAME, PLANTED = "lake/api-key", "Quillfeather-planted"


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    settings.cache_clear()
    credentials._credentials.cache_clear()
    yield
    settings.cache_clear()


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of an empty Secrets Manager in this process, which the settings choose."""
    monkeypatch.setenv("LAKEHOUSE_SECRETS", "aws")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    settings.cache_clear()
    with mock_aws():
        yield boto3.client("secretsmanager")


def test_without_the_setting_a_credential_is_an_environment_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [variable(name) for name in (NAME, "shop.token", "lake/shop#token")] == [
        "LAKE_API_KEY",
        "SHOP_TOKEN",
        "LAKE_SHOP_TOKEN",
    ]
    with pytest.raises(SecretError, match=r"no credential 'lake/api-key': LAKE_API_KEY is not set\. What needs it was"):
        secret(NAME)
    monkeypatch.setenv("LAKE_API_KEY", " first\n")
    assert secret(NAME) == "first"
    monkeypatch.setenv("LAKE_API_KEY", "second")
    assert secret(NAME) == "second"
    assert renewed(NAME, "second") is None


def test_secrets_manager_has_texts_and_parts_of_json(manager: Any) -> None:
    manager.create_secret(Name=NAME, SecretString="one\n")
    manager.create_secret(Name="lake/shop", SecretString=json.dumps({"token": "two", "port": 5432}))
    manager.create_secret(Name="lake/picture", SecretBinary=b"three")
    assert secret(NAME) == "one"
    assert secret("lake/shop#token") == "two"
    for name, why in (
        ("lake/none", "refused secretsmanager:GetSecretValue of 'lake/none': .*ResourceNotFound.*check the name"),
        ("lake/shop#port", "The secret 'lake/shop' in AWS Secrets Manager has no text 'port' in a JSON object"),
        (f"{NAME}#token", f"The secret '{NAME}' in AWS Secrets Manager has no text 'token' in a JSON object"),
        ("lake/picture", "has no text. What needs it was not done; store it there"),
    ):
        with pytest.raises(SecretError, match=why):
            secret(name)


class Place:
    """Where one credential is looked up, and how often it was."""

    def __init__(self) -> None:
        self.value, self.asked, self.is_out = "old", 0, False

    def look_up(self, name: str) -> str:
        self.asked += 1
        if self.is_out:
            raise NoAnswerError(name)
        return self.value


@pytest.fixture
def place() -> Place:
    return Place()


@pytest.fixture
def pass_s(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return a function that lets seconds pass."""
    now = [0.0]
    monkeypatch.setattr(credentials, "monotonic", lambda: now[0])

    def later(seconds: float) -> None:
        now[0] += seconds

    return later


def test_a_credential_is_kept_until_it_expires(place: Place, pass_s: Callable[[float], None]) -> None:
    kept = Credentials(place.look_up, 300)
    assert [kept.get(NAME), kept.get(NAME), place.asked] == ["old", "old", 1]
    place.value = "new"
    pass_s(299)
    assert kept.get(NAME) == "old"
    pass_s(1)
    assert [kept.get(NAME), place.asked] == ["new", 2]


def test_a_refused_credential_is_asked_for_again_once_in_ten_seconds(
    place: Place, pass_s: Callable[[float], None]
) -> None:
    kept = Credentials(place.look_up, 300)
    kept.get(NAME)
    place.value = "new"
    assert kept.renewed(NAME, "old") == "new"
    assert [kept.renewed(NAME, "old"), kept.get(NAME), place.asked] == ["new", "new", 2]
    assert [kept.renewed(NAME, "new"), kept.renewed(NAME, "new"), place.asked] == [None, None, 2]
    pass_s(10)
    place.is_out = True
    assert [kept.renewed(NAME, "new"), kept.renewed(NAME, "new"), place.asked] == [None, None, 3]


def test_a_strangers_wrong_key_does_not_keep_a_new_one_from_being_seen(
    place: Place, pass_s: Callable[[float], None]
) -> None:
    kept = Credentials(place.look_up, 300)
    assert kept.renewed(NAME, kept.get(NAME)) is None
    place.value = "new"
    pass_s(10)
    assert kept.renewed(NAME, "old") == "new"


def test_an_outage_keeps_what_is_known(place: Place, pass_s: Callable[[float], None]) -> None:
    kept = Credentials(place.look_up, 300)
    kept.get(NAME)
    place.is_out = True
    pass_s(300)
    assert [kept.get(NAME), kept.get(NAME), place.asked] == ["old", "old", 2]
    assert kept.renewed(NAME, "old") is None
    place.is_out, place.value = False, "new"
    pass_s(30)
    assert kept.get(NAME) == "new"
    place.is_out = True
    with pytest.raises(NoAnswerError):
        kept.get("lake/other")


def test_no_answer_is_told_from_a_refusal(manager: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    manager.create_secret(Name=NAME, SecretString="one")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://127.0.0.1:1")
    with mock_aws(config={"core": {"passthrough": {"urls": ["http://127.0.0.1:1"]}}}), pytest.raises(NoAnswerError):
        secret(NAME)


def test_the_setting_names_a_credential(lakehouse: Lakehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEHOUSE_SERVE_KEY_NAME", NAME)
    refused = lakehouse("serve", "--port", "0")
    assert (refused.code, "There is no credential 'lake/api-key'" in refused.err) == (1, True)
    found = json.loads(lakehouse("serve", "--openapi").out)
    assert found["components"]["securitySchemes"]["key"] == {"type": "apiKey", "in": "header", "name": "X-Api-Key"}
    monkeypatch.setenv("LAKEHOUSE_SERVE_KEY_NAME", "two words")
    settings.cache_clear()
    with pytest.raises(SettingsError, match=r"name \(not value\) of the credential"):
        settings()


def test_callers_send_the_key_and_it_is_rotated_while_the_server_runs(lake: Lake, manager: Any) -> None:
    manager.create_secret(Name=NAME, SecretString="old")
    keyed = replace(lake, settings=lake.settings.model_copy(update={"serve_key_name": NAME}))
    with server(keyed, LakeSource(keyed)) as get:
        answers = []
        for key in (None, "no", "old", "new", "old", "ü"):
            if key == "new":
                credentials._credentials.cache_clear()  # the key "no" was the one question of this time
                secret(NAME)
                manager.put_secret_value(SecretId=NAME, SecretString="new")
            answers.append(get("/openapi.json", key=key))
        assert [status for status, _ in answers] == [401, 401, 200, 200, 401, 401]
        assert json.loads(answers[0][1]) == {"error": "send the key in the header X-Api-Key"}
        manager.delete_secret(SecretId=NAME, ForceDeleteWithoutRecovery=True)
        credentials._credentials.cache_clear()
        assert get("/metrics", key="new")[0] == 503


def use_everywhere() -> None:
    """Use a planted credential in a run that succeeds, runs that fail and a server, with every logger at DEBUG."""
    logging.basicConfig(level=logging.DEBUG, stream=sys.stdout)
    lake = current()

    @dg.asset
    def works(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        context.log.info("a key of %s characters, %s", len(secret(NAME)), credentials._credentials(settings()).__dict__)
        return dg.MaterializeResult(metadata={"key": NAME})

    @dg.asset
    def fails() -> None:
        key = secret(NAME)
        msg = f"the shop refused the key {NAME} ({len(key)} characters)"
        raise RuntimeError(msg)

    @dg.asset
    def has_no_part() -> None:
        secret(f"{NAME}#token")

    @dg.asset
    def is_not_there() -> None:
        secret("lake/none")

    with mock_aws(), opened(lake.settings) as instance:
        boto3.client("secretsmanager").create_secret(Name="lake/none-yet", SecretString="x")
        logging.getLogger("botocore").setLevel(logging.INFO)  # what is written is not what is tested
        boto3.client("secretsmanager").create_secret(Name=NAME, SecretString=PLANTED)
        logging.getLogger("botocore").setLevel(logging.DEBUG)
        assets = [works, fails, has_no_part, is_not_there]
        done = dg.materialize(assets, instance=instance, raise_on_error=False, tags={"key": NAME})
        assert len(done.get_step_failure_events()) == 3
        with server(lake, LakeSource(lake)) as get:
            codes = [get("/openapi.json", key=key)[0] for key in ("wrong", PLANTED)]
            sys.stdout.write(f"answered {codes}\n")


@pytest.mark.slow
def test_a_planted_credential_stands_nowhere(lake: Lake) -> None:
    environment = os.environ | {"LAKEHOUSE_SECRETS": "aws", "AWS_DEFAULT_REGION": "eu-central-1"}
    environment |= {"LAKEHOUSE_ROOT": lake.settings.root, "LAKEHOUSE_SERVE_KEY_NAME": NAME}
    found = Forked(program=use_everywhere, env=environment).finish()
    assert found.returncode == 0, found.stdout + found.stderr
    assert "answered [401, 200]" in found.stdout
    for said in ("a key of 20 characters", "has no text 'token'", "DEBUG:botocore"):
        assert said in found.stdout + found.stderr
    assert PLANTED not in found.stdout + found.stderr
    assert traces(lake, "a key of 20 characters")
    assert traces(lake, PLANTED) == []
