"""The templates of deploy/stack: linters find nothing, and what stands in two places is the same.

Not here: what becomes of them on an emulator, costs, and the scripts.
"""

import base64
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import airspeed
import pytest
import yaml

from deploy import render
from deploy.templates import DEFAULT_PARTS, OPTIONAL_PARTS, STACK, read, resources
from lakehouse_assets.lake_settings import PROJECT
from lakehouse_assets.serving.items import DESCRIBED
from lakehouse_assets.settings import Settings

PARTS = [*DEFAULT_PARTS, *OPTIONAL_PARTS]
CHECKOV = Path(sys.prefix) / "checkov" / "bin" / "checkov"
_LONGEST_POLICY = 6_144


def test_each_template_belongs_to_the_default_set_or_is_optional() -> None:
    assert sorted(PARTS) == sorted(path.stem for path in STACK.glob("*.yaml"))


@pytest.mark.slow
def test_cfn_lint_finds_nothing() -> None:
    lint = [Path(sys.prefix) / "bin" / "cfn-lint", *sorted(STACK.glob("*.yaml"))]
    done = subprocess.run(lint, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.slow
def test_checkov_fails_nothing_and_each_exception_is_needed() -> None:
    if not CHECKOV.exists():
        pytest.skip("checkov is not installed: make .venv/checkov")
    command = [str(CHECKOV), "-d", str(STACK), "--framework", "cloudformation", "-o", "json", "--skip-download"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = json.loads(done.stdout)
    assert said["summary"]["passed"] > 100
    assert [(one["check_id"], one["resource"]) for one in said["results"]["failed_checks"]] == []
    skipped = {(one["resource"].rpartition(".")[2], one["check_id"]) for one in said["results"]["skipped_checks"]}
    assert skipped == {
        (name, skip["id"])
        for part in PARTS
        for name, resource in resources(part).items()
        if not name.startswith("Fn::ForEach")
        for skip in resource.get("Metadata", {}).get("checkov", {}).get("skip", [])
    }


@pytest.mark.parametrize("part", PARTS)
def test_each_parameter_is_explained_and_bounded(part: str) -> None:
    for name, parameter in read(part)["Parameters"].items():
        assert parameter["Description"]
        assert "Default" in parameter or name in {"Image", "QuickSightReaders", "QuickSightAuthors"}
        assert {"AllowedPattern", "AllowedValues", "MinValue"} & parameter.keys()


def test_a_parameter_is_the_same_wherever_it_is() -> None:
    found: dict[str, set[str]] = {}
    for part in PARTS:
        for name, parameter in read(part)["Parameters"].items():
            found.setdefault(name, set()).add(json.dumps(parameter, sort_keys=True))
    assert [name for name, versions in found.items() if len(versions) > 1] == []


def test_what_is_made_from_other_files_is_current() -> None:
    for path, text in render.templates().items():
        assert path.read_text(encoding="utf-8") == text, "python -m deploy.render"


def test_other_routes_are_another_deployment() -> None:
    for part in ("ingest", "serving-api"):
        made = (STACK / f"{part}.yaml").read_text(encoding="utf-8")
        assert len(set(re.findall(r"Deployment[0-9a-f]{8}", made))) == 1
        assert render.deployed(made, "other routes") != made


@pytest.mark.parametrize("kind", ["application/json", "application/x-ndjson"])
def test_a_post_is_one_record_of_firehose_byte_for_byte(kind: str) -> None:
    integration = resources("ingest")["Post"]["Properties"]["Integration"]
    body = '{"event_id": "1", "note": "1.10 \\u00e9 \'q\' $x #end"}\n{"event_id": "2"}'
    util = {"base64Encode": lambda text: base64.b64encode(str(text).encode()).decode()}
    template = integration["RequestTemplates"][kind]["Fn::Sub"].replace("${Posted}", "lake-posted")
    asked = json.loads(airspeed.Template(template).merge({"util": util, "input": {"body": body}}))
    assert asked["DeliveryStreamName"] == "lake-posted"
    assert base64.b64decode(asked["Record"]["Data"]).decode() == body


def test_both_ways_of_events_end_in_the_same_folder_of_landing() -> None:
    made = resources("ingest")
    posted, streamed = (
        made[name]["Properties"]["ExtendedS3DestinationConfiguration"] for name in ("Posted", "Streamed")
    )
    assert posted == streamed
    assert posted["Prefix"]["Fn::Sub"].startswith("lake/landing/${EventFeed}/")
    assert not posted["ErrorOutputPrefix"].startswith("lake/")
    rules = resources("storage")["Lake"]["Properties"]["LifecycleConfiguration"]["Rules"]
    assert "ingest-errors/" in {rule.get("Prefix") for rule in rules}


def _filled(said: Any) -> Any:
    """Return a policy with the longest names, and with every optional statement."""
    if isinstance(said, list):
        return [_filled(one) for one in said]
    if not isinstance(said, dict):
        return said
    if "Fn::Sub" in said:
        names = {
            "Name": "n" * 20,
            "AWS::AccountId": "1" * 12,
            "AWS::Region": "ap-northeast-1",
            "StreamToRead": "s" * 128,
        }
        return re.sub(r"\$\{([\w:]+)\}", lambda found: names[found[1]], said["Fn::Sub"])
    if "Fn::If" in said:
        return _filled(said["Fn::If"][1])
    return {key: _filled(value) for key, value in said.items()}


@pytest.mark.parametrize("name", list(resources("policies")))
def test_each_policy_is_short_enough_for_aws(name: str) -> None:
    policy = resources("policies")[name]["Properties"]["PolicyDocument"]
    assert len(json.dumps(_filled(policy), separators=(",", ":"))) <= _LONGEST_POLICY


def test_each_resource_of_everything_has_its_reason_beside_it() -> None:
    made_by_hand = [part for part in PARTS if part not in {"policies", "storage"}]  # a policy of a key names the key so
    lines = [line for name in made_by_hand for line in (STACK / f"{name}.yaml").read_text().splitlines()]
    everything = [line for line in lines if 'Resource: "*"' in line]
    assert len(everything) > 1
    assert all("# AWS knows no resource" in line for line in everything)


def _environment(container: Any) -> dict[str, Any]:
    return {one["Name"]: one["Value"] for one in container["Environment"]} | {
        one["Name"]: one["ValueFrom"] for one in container["Secrets"]
    }


def test_each_container_has_what_its_image_reads() -> None:
    instance = (PROJECT / "deploy" / "dagster.yaml").read_text(encoding="utf-8")
    wanted = set(re.findall(r"\{env: (\w+)\}", instance)) | {"AWS_DEFAULT_REGION"}
    tasks = [resources("service")[name]["Properties"] for name in ("ServiceTask", "RunTask")]
    containers = {one["Name"]: one for task in tasks for one in task["ContainerDefinitions"]}
    assert containers.keys() == {"code", "daemon", "web", "run"}
    for container in containers.values():
        assert wanted <= _environment(container).keys()
        assert container["ReadonlyRootFilesystem"] is True
    for name in ("daemon", "web"):
        assert _environment(containers[name])["DAGSTER_CODE_HOST"] == "127.0.0.1"


def test_sensors_and_runs_have_the_same_settings_of_the_lake() -> None:
    tasks = [resources("service")[name]["Properties"] for name in ("ServiceTask", "RunTask")]
    code, run = (_environment(task["ContainerDefinitions"][0]) for task in tasks)
    assert code == run
    settings = {f"LAKEHOUSE_{name}".upper() for name in Settings.model_fields}
    assert {name for name in code if name.startswith("LAKEHOUSE_")} <= settings


def test_the_table_of_served_rows_is_the_one_that_the_lake_describes() -> None:
    made = resources("serving")["Serving"]["Properties"]
    assert {name: made[name] for name in DESCRIBED} == DESCRIBED


def test_what_runs_are_allowed_is_what_their_task_has() -> None:
    roles = resources("roles")
    for role, policy in (("ServiceRole", "sensors"), ("RunRole", "run")):
        attached = yaml.safe_dump(roles[role]["Properties"]["ManagedPolicyArns"])
        assert f"policy/${{Name}}-{policy}" in attached
        assert "policy/${Name}-key" in attached
