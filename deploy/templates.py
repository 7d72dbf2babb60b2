"""The templates of deploy/stack as data, with the short forms of CloudFormation's functions written out.

Not here: what they say, and what is made from them.
"""

from pathlib import Path
from typing import Any

import yaml

STACK = Path(__file__).parent / "stack"
Template = dict[str, Any]
DEFAULT_PARTS = (
    "storage", "network", "registry", "policies", "errors", "events", "catalog", "database", "roles", "web", "service",
    "alerts",
)  # fmt: skip
"""In the order in which they are made: a part takes values of those before it."""
OPTIONAL_PARTS = (
    "endpoints", "serving", "serving-api", "ingest", "warehouse", "forecast", "spark", "grants", "audit", "quicksight",
    "cicd",
)  # fmt: skip
ALL_PARTS = (
    "storage", "network", "endpoints", "registry", "policies", "errors", "serving", "serving-api", "events", "catalog",
    "database", "roles", "web", "warehouse", "forecast", "spark", "grants", "service", "alerts", "ingest", "audit",
    "quicksight", "cicd",
)  # fmt: skip
"""In an order in which they can be made."""


class _Loader(yaml.CSafeLoader):
    """YAML with the tags of CloudFormation."""


def _function(loader: _Loader, name: str, node: yaml.Node) -> Template:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        if name == "GetAtt":
            value = value.split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    return {name if name in {"Ref", "Condition"} else f"Fn::{name}": value}


_Loader.add_multi_constructor("!", _function)


def read(part: str) -> Template:
    """Return the template of a part, such as `storage`."""
    made: Template = yaml.load((STACK / f"{part}.yaml").read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a safe one
    return made


def resources(part: str) -> dict[str, Template]:
    """Return the resources of a part by their names."""
    found: dict[str, Template] = read(part)["Resources"]
    return found


def types_of(one: Template | list[Any]) -> set[str]:
    """Return the type of a resource, or those that a loop makes."""
    made = one[2].values() if isinstance(one, list) else [one]
    return {found["Type"] for found in made}
