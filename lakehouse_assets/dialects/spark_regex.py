"""Regular expressions that mean the same to RE2 (DuckDB), Java (Spark) and Rust (Sail). Not here: the functions."""

import re

from lakehouse_assets.dialects.spark_types import NotInSparkError

_CLASSES = {"d": "0-9", "w": "0-9A-Za-z_", "s": "\\t\\n\\f\\r "}
_PLAIN = set(" !\"#%&',/:;<=>@_`~-") | {chr(at) for at in range(ord("0"), ord("z") + 1) if chr(at).isalnum()}
_TOKEN = re.compile(
    r"""\\(?P<escaped>.)|\[(?P<negated>\^?)(?P<members>(?:\\.|[^\]\\\[&~])+)\]|(?P<repeat>\{\d+(?:,\d*)?\}\??|[?*+]\??)
    |(?P<group>\((?:\?:)?|\)|\|)|(?P<anchor>[\^$])|(?P<any>\.)|(?P<plain>.)""",
    re.VERBOSE | re.DOTALL,
)


def portable(pattern: str) -> str:
    """Return a pattern that means to each engine what it means to DuckDB. Raises `NotInSparkError`."""
    return "".join(_token(found, pattern) for found in _TOKEN.finditer(pattern))


def _token(found: re.Match[str], pattern: str) -> str:
    match found.lastgroup:
        case "escaped":
            return _escaped(found["escaped"], pattern, "[{}]")
        case "members":
            inside = re.sub(r"\\(.)", lambda one: _escaped(one[1], pattern, "{}"), found["members"])
            if not inside.isascii() or inside.startswith("^"):
                raise _refused(pattern, found[0])
            return f"[{found['negated']}{inside}]"
        case "repeat" | "group":
            return found[0]
        case "anchor":
            return "\\A" if found[0] == "^" else "\\z"
        case "any":
            return "[^\\n]"
    if found[0] in _PLAIN or (not found[0].isascii() and found[0].isprintable()):
        return found[0]
    raise _refused(pattern, found[0])


def _escaped(character: str, pattern: str, around: str) -> str:
    if character in _CLASSES:
        return around.format(_CLASSES[character])
    if character in "ntfr" or not (character.isalnum() or not character.isascii()):
        return "\\" + character
    raise _refused(pattern, "\\" + character)


def _refused(pattern: str, part: str) -> NotInSparkError:
    return NotInSparkError(f"the pattern {pattern!r}", f"{part!r} may mean something else in Spark; write it out")
