"""The stack for Terraform: `python -m deploy.as_terraform` writes deploy/terraform/main.tf.json from the templates.

Terraform only keeps the stacks of CloudFormation, so that there is one description of what is made. Not here: what
deploy.sh does besides, which is to show changes, to take them back by alarms, and the smoke test.
"""

import json
from pathlib import Path

from deploy.templates import ALL_PARTS, DEFAULT_PARTS, Template, read

FILE = Path(__file__).parent / "terraform" / "main.tf.json"
_TEXTS = {
    "name": "begins the name of everything, such as lakedev",
    "region": "where, such as us-east-1",
    "environment": "a tag of everything, such as dev",
    "owner": "a tag of everything",
}


def stack(part: str) -> Template:
    """Return the resource of a part: its template, and those of the given parameters that it has."""
    known = json.dumps(sorted(read(part)["Parameters"]))
    given = "merge(var.parameters, {Name = var.name})"
    at = ALL_PARTS.index(part)
    return {
        "count": f'${{contains(var.parts, "{part}") ? 1 : 0}}',
        "name": f"${{var.name}}-{part}",
        "template_body": f'${{file("${{path.module}}/../stack/{part}.yaml")}}',
        "parameters": f"${{{{for key, value in {given} : key => value if contains({known}, key)}}}}",
        "capabilities": ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        "tags": {"lake": "${var.name}", "environment": "${var.environment}", "owner": "${var.owner}"},
        "depends_on": [f"aws_cloudformation_stack.{one}" for one in ALL_PARTS[:at][-1:]],
    }


def configuration() -> Template:
    """Return what the file says."""
    texts = {name: {"type": "string", "description": what} for name, what in _TEXTS.items()}
    return {
        "//": "Made by `python -m deploy.as_terraform`. docs/deploy.md says how it is used.",
        "terraform": {"required_providers": {"aws": {"source": "hashicorp/aws", "version": ">= 5.0"}}},
        "provider": {"aws": {"region": "${var.region}"}},
        "variable": texts
        | {
            "parts": {"type": "list(string)", "description": "which are made", "default": list(DEFAULT_PARTS)},
            "parameters": {"type": "map(string)", "description": "of the templates, which explain them", "default": {}},
        },
        "resource": {"aws_cloudformation_stack": {part: stack(part) for part in ALL_PARTS}},
    }


def text() -> str:
    """Return the file."""
    return json.dumps(configuration(), indent=2) + "\n"


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(text(), encoding="utf-8")
