"""deploy/terraform is what the templates say, in an order in which they can be made.

No Terraform runs here: what is tested is the file, which is plain JSON, and what it refers to.
"""

import json
import re

import pytest

from deploy import as_terraform
from deploy.templates import ALL_PARTS, DEFAULT_PARTS, OPTIONAL_PARTS, STACK, read

MADE = json.loads(as_terraform.FILE.read_text(encoding="utf-8"))
_TAKEN = r'ImportValue \{"Fn::Sub": "(.*?)"\}'
STACKS = MADE["resource"]["aws_cloudformation_stack"]


def test_the_file_is_that_of_the_templates() -> None:
    assert as_terraform.FILE.read_text(encoding="utf-8") == as_terraform.text(), "python -m deploy.as_terraform"


def test_it_has_every_part_and_makes_the_default_ones() -> None:
    assert sorted(STACKS) == sorted({*DEFAULT_PARTS, *OPTIONAL_PARTS}) == sorted(ALL_PARTS)
    assert MADE["variable"]["parts"]["default"] == list(DEFAULT_PARTS)


@pytest.mark.parametrize("part", ALL_PARTS)
def test_a_stack_has_the_template_of_its_part_and_takes_exactly_its_parameters(part: str) -> None:
    [file] = re.findall(r'file\("\${path.module}/(.*?)"\)', STACKS[part]["template_body"])
    assert (as_terraform.FILE.parent / file).resolve() == STACK / f"{part}.yaml"
    [taken] = re.findall(r"contains\((\[.*?\]), key\)", STACKS[part]["parameters"])
    assert set(json.loads(taken)) == set(read(part)["Parameters"])
    used = set(re.findall(r"var\.(\w+)", json.dumps(STACKS[part])))
    assert used <= set(MADE["variable"])


def test_a_part_takes_values_only_of_parts_that_it_waits_for() -> None:
    taken = {part: set(re.findall(_TAKEN, (STACK / f"{part}.yaml").read_text(encoding="utf-8"))) for part in ALL_PARTS}
    assert len(taken["service"]) > 3
    given: set[str] = set()
    for before, part in zip(("", *ALL_PARTS), ALL_PARTS, strict=False):
        assert STACKS[part]["depends_on"] == [f"aws_cloudformation_stack.{before}"] * bool(before)
        assert taken[part] <= given, part
        outputs = read(part).get("Outputs", {}).values()
        given |= {one["Export"]["Name"]["Fn::Sub"] for one in outputs if "Export" in one}
