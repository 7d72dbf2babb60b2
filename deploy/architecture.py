"""The parts of the stack and who uses what of whom: `python -m deploy.architecture` writes docs/architecture.md.

A part uses another by a value that it exports, or by the name of what it makes. Not here: what the parts are for.
"""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deploy.templates import DEFAULT_PARTS, OPTIONAL_PARTS, read, resources

PAGE = Path(__file__).parent.parent / "docs" / "architecture.md"
_PARTS = (*DEFAULT_PARTS, *OPTIONAL_PARTS)
_LAKE = "${Name}-${AWS::AccountId}"
_NAME = re.compile(r"\$\{Name\}[-_](?:\$\{AWS::AccountId\}|[A-Za-z-]+(?:-\$\{AWS::AccountId\})?)")
_OF_ALL = {"${Name}-KeyArn", "${Name}-key"}
"""What nearly every part uses."""
_PLUMBING = {
    "BucketPolicy", "QueuePolicy", "TopicPolicy", "Alias", "Route", "RouteTable", "SubnetRouteTableAssociation",
    "VPCGatewayAttachment", "DBSubnetGroup", "DBParameterGroup", "SecurityConfiguration", "Subscription", "Listener",
    "SecurityGroupIngress", "SecurityGroupEgress", "TargetGroup", "LogGroup",
}  # fmt: skip
"""Kinds of resources that only complete another one."""


def _strings(said: Any) -> Iterator[str]:  # noqa: ANN401 - any part of a template
    if isinstance(said, dict):
        for value in said.values():
            yield from _strings(value)
    elif isinstance(said, list):
        for value in said:
            yield from _strings(value)
    elif isinstance(said, str):
        yield said


def given(part: str) -> set[str]:
    """Return the names that a part gives what it makes, and those of the values that it exports."""
    names = {
        name
        for one in resources(part).values()
        if isinstance(one, dict)
        for key, value in _flat(one.get("Properties", {}))
        if key.endswith("Name")
        for name in _strings(value)
    }
    exports = {name for one in read(part).get("Outputs", {}).values() for name in _strings(one.get("Export", {}))}
    return {name for name in names | exports if _NAME.fullmatch(name)}


def _flat(properties: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the properties of a resource, and those of the database that Glue wants one level deeper."""
    yield from properties.items()
    yield from properties.get("DatabaseInput", {}).items()


def uses() -> dict[tuple[str, str], list[str]]:
    """Return the names by which one part uses another, by the two."""
    givers: dict[str, str] = {}
    for part in _PARTS:
        for name in given(part) - _OF_ALL:
            givers.setdefault(name, part)  # a later part that bears the name says where it points
    found: dict[tuple[str, str], set[str]] = {}
    for part in _PARTS:
        for name in (name for text in _strings(resources(part)) for name in _NAME.findall(text)):
            if givers.get(name, part) != part:
                found.setdefault((part, givers[name]), set()).add(name)
    return {pair: sorted(map(_plain, names)) for pair, names in sorted(found.items())}


def _plain(name: str) -> str:
    if name == _LAKE:
        return "the lake"
    return name.removeprefix("${Name}").lstrip("-_").removesuffix("-${AWS::AccountId}")


def _kinds(part: str) -> list[str]:
    """Return what a part makes, most important first, such as `S3 Bucket x 2`."""
    counts: Counter[str] = Counter()
    for one in resources(part).values():
        of_loop = [(made, len(one[1])) for made in one[2].values()] if isinstance(one, list) else [(one, 1)]
        for made, times in of_loop:
            service, kind = made["Type"].split("::")[1:]
            if kind not in _PLUMBING:
                counts[f"{service} {kind}"] += times
    return [f"{kind} x {count}" if count > 1 else kind for kind, count in counts.items()]


def page() -> str:
    """Return docs/architecture.md."""
    boxes = [f'  {part}["<b>{part}</b><br/>{"<br/>".join(_kinds(part))}"]' for part in _PARTS]
    arrows = [f'  {one} -->|"{"<br/>".join(names)}"| {other}' for (one, other), names in uses().items()]
    lines = [
        "# The parts of the stack",
        "",
        "Made by `python -m deploy.architecture` from the templates of `deploy/stack`. A box is a part and what it",
        "makes; an arrow goes from a part to one that it uses, with the names of what it uses there. Dashed parts are",
        "optional. Nearly every part uses the key of `storage`: these arrows are left out.",
        "[deploy.md](deploy.md) says what each is for, [how-it-works.md](how-it-works.md) how records travel.",
        "",
        "```mermaid",
        "flowchart LR",
        *boxes,
        *arrows,
        "  classDef optional stroke-dasharray: 5 5",
        f"  class {','.join(OPTIONAL_PARTS)} optional",
        "```",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
