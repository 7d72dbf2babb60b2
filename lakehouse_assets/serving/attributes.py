"""A value of a gold table as DynamoDB's attribute, and that as JSON: every answer is written from attributes.

So an answer from the lake and one from DynamoDB are the same text. Not here: rows and keys.
"""

import datetime as dt
import decimal
import json
import math
from collections.abc import Mapping
from typing import Any, TypeAlias

Attribute: TypeAlias = dict[str, Any]
"""One value with its type, such as `{"N": "12.5"}`."""


def attribute(value: object) -> Attribute:
    """Return a value as an attribute: numbers exact, times ISO 8601, NaN and infinity null."""
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case int() | decimal.Decimal():
            return _number(value)
        case float():
            return _number(decimal.Decimal(repr(value))) if math.isfinite(value) else {"NULL": True}
        case str():
            return {"S": value}
        case dt.date():  # a moment is one, too
            return {"S": value.isoformat()}
        case Mapping():
            return {"M": {str(name): attribute(part) for name, part in value.items()}}
        case list() | tuple():
            return {"L": [attribute(part) for part in value]}
        case _:
            msg = f"{type(value).__name__} is no type of a gold table"
            raise TypeError(msg)


def canonical(found: Attribute) -> Attribute:
    """Return an attribute as `attribute` writes it: DynamoDB may write a number in another way."""
    match found:
        case {"N": text}:
            return _number(decimal.Decimal(text))
        case {"M": parts}:
            return {"M": {name: canonical(part) for name, part in parts.items()}}
        case {"L": parts}:
            return {"L": [canonical(part) for part in parts]}
        case _:
            return found


def as_json(found: Attribute) -> str:
    """Return the JSON of an attribute; the entries of a map are in the order of their names."""
    match found:
        case {"N": text}:
            return str(text)
        case {"M": parts}:
            return object_of({name: parts[name] for name in sorted(parts)})
        case {"L": parts}:
            return "[" + ", ".join(map(as_json, parts)) + "]"
        case {"NULL": _}:
            return "null"
        case _:
            [value] = found.values()
            return json.dumps(value, ensure_ascii=False)


def object_of(values: Mapping[str, Attribute]) -> str:
    """Return a JSON object of some attributes."""
    return "{" + ", ".join(f"{json.dumps(n, ensure_ascii=False)}: {as_json(v)}" for n, v in values.items()) + "}"


def _number(value: int | decimal.Decimal) -> Attribute:
    text = format(decimal.Decimal(value), "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return {"N": "0" if text == "-0" else text}
