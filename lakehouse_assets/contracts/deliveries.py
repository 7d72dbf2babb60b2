"""When a delivery was made, as its key says it. Not here: which deliveries there are."""

import datetime as dt
import re

_DIRECTIVES = {"%Y": r"\d{4}", "%m": r"\d{2}", "%d": r"\d{2}", "%H": r"\d{2}", "%M": r"\d{2}", "%S": r"\d{2}"}
_TOKEN = re.compile(r"%.?|[^%]+")


def delivered_at(key: str, pattern: str) -> str | None:
    """Return the date and time in a key as ISO text, from the last place of the pattern's form; None without one.

    Args:
        pattern: Text with the directives `%Y %m %d %H %M %S`, such as `products-%Y-%m-%d`.
    """
    tokens: list[str] = _TOKEN.findall(pattern)
    form = "".join(_DIRECTIVES.get(token, re.escape(token)) for token in tokens)
    for found in reversed(re.findall(rf"(?<!\d)(?={form}(?!\d))({form})", key)):
        try:
            return dt.datetime.strptime(found, pattern).isoformat()  # noqa: DTZ007 - compared with other keys only
        except ValueError:
            continue
    return None


def refusal(pattern: str) -> str | None:
    """Return why a pattern cannot order deliveries, and what to change; None if it can."""
    tokens: list[str] = _TOKEN.findall(pattern)
    used = [token for token in tokens if token.startswith("%")]
    if odd := next((token for token in used if token not in _DIRECTIVES or used.count(token) > 1), None):
        what = f"has {odd!r}"
    elif set(used) != set(list(_DIRECTIVES)[: len(used)]) or not used:
        what = "leaves a gap"
    else:
        return None
    return f"delivered_at={pattern!r} {what}; write %Y, then %m, %d, %H, %M, %S as far as the keys say them."
