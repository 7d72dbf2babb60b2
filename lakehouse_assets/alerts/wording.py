"""Facts as messages for people: subject and body, repeats folded, a burst as one digest. Not here: sending them."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from lakehouse_assets.alerts.facts import IN_WORDS, Fact, Severity
from lakehouse_assets.contracts.wording import counted

AT_ONCE = 10
"""Messages of one severity that one delivery sends at most; more become a digest."""
_SHOWN = 20
_LONGEST_SUBJECT = 100
_NOT_PLAIN = re.compile(r"[^\x20-\x7e]+")


@dataclass(frozen=True)
class Message:
    """What is sent at once: the facts that it tells, at least one, in order."""

    subject: str
    body: str
    facts: tuple[Fact, ...]


def messages(facts: Iterable[Fact]) -> list[Message]:
    """Return the messages that tell some facts, worst first; each severity in order."""
    by_severity: dict[Severity, list[Fact]] = {Severity.ERROR: [], Severity.WARNING: [], Severity.INFO: []}
    for fact in facts:
        by_severity[fact.severity].append(fact)
    found = []
    for some in by_severity.values():
        folded = _folded(some)
        found += [_single(same) for same in folded] if len(folded) <= AT_ONCE else [_digest(some, folded)]
    return found


def _folded(facts: Iterable[Fact]) -> list[list[Fact]]:
    """Return the facts that say the same thing together, in order of the first of each."""
    groups: dict[tuple[str, str, tuple[str, ...]], list[Fact]] = {}
    for fact in facts:
        groups.setdefault((fact.kind, fact.fingerprint, fact.dates), []).append(fact)
    return list(groups.values())


def _single(same: Sequence[Fact]) -> Message:
    fact, often = same[-1], f" ({len(same)} times)" if len(same) > 1 else ""
    first = f"{same[0].at:%Y-%m-%d %H:%M:%S} to " if len(same) > 1 else ""
    lines = {
        "Cause": fact.cause.replace("\n", "\n         "),
        "Next": fact.command,
        "Run": " ".join(part for part in (fact.run_id, fact.link) if part),
        "Time": f"{first}{fact.at:%Y-%m-%d %H:%M:%S} UTC",
        "Lake": fact.lake,
        "Id": ", ".join(one.id for one in same[:AT_ONCE]),
    }
    body = "\n".join(f"{name + ':':<8} {text}" for name, text in lines.items() if text)
    title = f"{fact.headline}{often}"
    return Message(_subject(fact.severity, title), f"{title}\n\n{body}\n", tuple(same))


def _digest(facts: Sequence[Fact], folded: Sequence[Sequence[Fact]]) -> Message:
    counts = Counter((IN_WORDS[fact.kind], replace(fact, dates=(), date_count=0).what) for fact in facts)
    lines = [f"{count:>6,}  {kind}: {what}" for (kind, what), count in counts.most_common(_SHOWN)]
    if len(counts) > _SHOWN:
        lines.append(f"        and {counted(len(counts) - _SHOWN, 'more kind')} of facts")
    lines += ["", "First of them:", *(f"- {same[0].headline}" for same in folded[:_SHOWN])]
    if len(folded) > _SHOWN:
        lines.append(f"- and {len(folded) - _SHOWN:,} more")
    first, last = facts[0], facts[-1]
    commands = Counter(fact.command for fact in facts if fact.command)
    lines += [
        "",
        f"Next:    {commands.most_common(1)[0][0]}" if len(commands) == 1 else "Next:    lakehouse status",
        f"Time:    {first.at:%Y-%m-%d %H:%M:%S} to {last.at:%Y-%m-%d %H:%M:%S} UTC",
        f"Lake:    {first.lake}",
        f"Ids:     {first.id} to {last.id}",
    ]
    title = f"{counted(len(facts), 'fact')}, {counts.most_common(1)[0][0][0]} most of all"
    return Message(_subject(first.severity, title), f"{title}\n\n" + "\n".join(lines) + "\n", tuple(facts))


def _subject(severity: Severity, text: str) -> str:
    """Return a subject as SNS takes it: one line of at most 100 printable ASCII characters."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    whole = f"[{severity}] {_NOT_PLAIN.sub(' ', plain)}"
    return whole if len(whole) <= _LONGEST_SUBJECT else f"{whole[: _LONGEST_SUBJECT - 3]}..."
