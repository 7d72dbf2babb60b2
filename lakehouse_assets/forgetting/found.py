"""What was found of a person, as a command shows it and a report keeps it. Not here: the search."""

from dataclasses import dataclass, field


@dataclass
class Found:
    """What there is, or was, of a person: counts by place, and where nobody could look.

    Attributes:
        counts: Place and what is counted there, to how many.
        objects: Key, hash before and hash after of the source objects from which records were taken.
        unsearched: What could not be searched, each with the reason.
        partitions: The partitions that held their records.
        problems: Why the erasure is not finished; nothing when it is.
        report: Where the report of a finished erasure lies.
    """

    counts: dict[tuple[str, str], int] = field(default_factory=dict)
    objects: list[tuple[str, str, str]] = field(default_factory=list)
    unsearched: list[str] = field(default_factory=list)
    partitions: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    report: str | None = None

    def add(self, place: str, what: str, count: int) -> None:
        """Count more of something; a count of 0 gets no line."""
        if count:
            self.counts[place, what] = self.counts.get((place, what), 0) + count
