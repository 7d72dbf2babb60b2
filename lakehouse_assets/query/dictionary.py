"""The data dictionary, as Markdown, from the declarations alone."""

from lakehouse_assets.contracts.declare import Table
from lakehouse_assets.contracts.registry import Registry
from lakehouse_assets.contracts.rules import rules_of
from lakehouse_assets.query.tables import described
from lakehouse_assets.storage.delta_types import spark_type


def as_markdown(registry: Registry) -> str:
    """Return every table with its columns, and every contract with its rules."""
    parts = ["# Data dictionary"]
    for table in (*registry.tables(), *described()):
        parts.append(_table(table))
        if table.layer == "silver" and table.name in registry.feeds:
            rules = {rule.id: rule.text for rule in registry.feeds[table.name].rules.values()}
            gate = registry.feeds[table.name].gate
            parts.append(f"Rules (a record that breaks one is in quarantine; gate {gate:.2%}):\n\n{_rules(rules)}")
        elif table.layer == "gold":
            model = registry.models[table.name]
            rules = {rule.id: rule.text for rule in rules_of(model.schema)}
            parts.append(f"Rules (a result that breaks one is not published):\n\n{_rules(rules)}")
            how = f":\n\n```sql\n{model.query.strip()}\n```" if model.sql is not None else " Python."
            parts.append(f"Made by `{model.code}`{how}")
    return "\n\n".join(parts)


def _table(table: Table) -> str:
    rows = [
        f"| `{name}` | `{spark_type(column.dtype)}` "
        f"| {'yes' if column.nullable else 'no'} | {_cell(column.description)}"
        f"{' **Personal data.**' if column.personal else ''} |"
        for name, column in table.columns.items()
    ]
    head = ["| column | type | nullable | description |", "| --- | --- | --- | --- |"]
    about = f"Owner: {table.owner}. Partitioning: {table.partitioning.value}."
    return "\n\n".join([f"## {table.full_name}", table.description, about, "\n".join(head + rows)])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _rules(rules: dict[str, str]) -> str:
    return "\n".join(f"- `{rule}`: {_cell(text)}" for rule, text in rules.items()) or "- none"
