"""How many rows a date of a table usually has: `Feed(usual_rows=UsualRows())`. Not here: counting them."""

from dataclasses import dataclass

from lakehouse_assets.contracts.source import ContractError

FEWEST_WEEKS = 3


@dataclass(frozen=True)
class UsualRows:
    """A date is compared with the median of the same weekday in the weeks before it; an odd one is reported, not held.

    Attributes:
        weeks: How many weeks to look back. With fewer than three such dates nothing is said.
        factor: A date is odd with fewer than a `factor`-th, or more than `factor` times, of the median.
    """

    weeks: int = 8
    factor: float = 3

    def __post_init__(self) -> None:
        if self.weeks < FEWEST_WEEKS:
            msg = f"UsualRows(weeks={self.weeks}): it is a number from {FEWEST_WEEKS}; correct it."
            raise ContractError(msg)
        if not self.factor > 1:
            msg = f"UsualRows(factor={self.factor}): it is a number above 1; correct it."
            raise ContractError(msg)
