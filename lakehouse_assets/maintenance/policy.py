"""How long things are kept, as a person asks for it. Not here: doing it."""

import datetime as dt
from dataclasses import dataclass

from lakehouse_assets.maintenance.leftovers import WEEK


class PolicyError(Exception):
    """The policy would break readers and was not confirmed. Nothing was done."""


@dataclass(frozen=True)
class Policy:
    """How long things are kept, and what is worth doing.

    Attributes:
        retention: How long the files of earlier versions stay: for readers under way, restores and queries of the past.
        below_seven_days: Confirms a retention of less than a week.
        rejected: Age at which the landed originals of rejected objects go; None keeps them for good.
        quarantine: Age of its business date at which a quarantined row goes; None keeps what no decision expires.
        who: In whose name the expiry of quarantine is decided; by default, who is logged in.
        small_files: A closed date is compacted, or packed in bronze, when it has more files than this below
            `small_bytes`.
        pack_after: A date is closed for bronze when it ended so long ago; where there is no date, the age of a file.
    """

    retention: dt.timedelta = WEEK
    below_seven_days: bool = False
    rejected: dt.timedelta | None = None
    quarantine: dt.timedelta | None = None
    who: str | None = None
    small_files: int = 4
    small_bytes: int = 32 * 2**20
    pack_after: dt.timedelta = dt.timedelta(days=3)

    @classmethod
    def asked_for(
        cls,
        retention_hours: int,
        expire_rejected_days: int | None,
        expire_quarantine_days: int | None,
        *,
        below_seven_days: bool,
        who: str | None = None,
        pack_after_days: int,
    ) -> "Policy":
        """Return the policy that a person asks for in hours and days; no days, or None, keep for good.

        Raises:
            PolicyError: The retention is too short and not confirmed.
        """
        rejected, quarantine = (
            dt.timedelta(days=days) if days else None for days in (expire_rejected_days, expire_quarantine_days)
        )
        retention, packed = dt.timedelta(hours=retention_hours), dt.timedelta(days=pack_after_days)
        return cls(retention, below_seven_days, rejected, quarantine, who, pack_after=packed)

    def __post_init__(self) -> None:
        if self.retention < WEEK and not self.below_seven_days:
            msg = (
                "a retention below 7 days (168 hours) breaks readers that are under way, and earlier versions. "
                "Nothing was done; say --below-seven-days-really to have it all the same."
            )
            raise PolicyError(msg)
