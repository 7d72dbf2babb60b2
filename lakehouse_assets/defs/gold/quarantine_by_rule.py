"""How many records each rule keeps out of silver, by business date: where the data goes wrong, and since when.

It is made of counts and not of the quarantined rows, so that what was does not change when rows expire.
"""

import dataframely as dy

from lakehouse_assets.contracts.declare import Model


class QuarantineByRule(dy.Schema):
    """One row per business date and rule that some record of the date breaks now, of every feed."""

    feed = dy.String(nullable=False, description="Feed of the records.")
    dt = dy.Date(nullable=True, description="Business date; null where it cannot be read.")
    rule = dy.String(nullable=False, description="Rule that they break; a record may break several.")
    records = dy.Int64(nullable=False, min=1, description="Distinct records.")


MODEL = Model(
    name="quarantine_by_rule",
    schema=QuarantineByRule,
    description="Records in quarantine of every feed, per business date and rule.",
    owner="team:data-platform",
    plot="records",
    plot_over="dt",
)
