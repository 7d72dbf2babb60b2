"""Damage that somebody does to a lake by hand, and the finding that tells of it."""

import json
from collections.abc import Callable
from typing import NamedTuple

import polars as pl

from lakehouse_assets.context import Lake
from lakehouse_assets_tests.query.verify.tampering import (
    another_value,
    append,
    blank,
    catalog_file,
    cut,
    data_file,
    decision_file,
    delete,
    emptied_catalog,
    in_catalog,
    live_bronze,
    log_entries,
    path_of,
    rewrite,
    swap_bronze,
    update,
    wrong_ledger_rows,
)
from lakehouse_assets_tests.retail import DAY

NEXT, HELD, PINNED, RELEASED, MOVED = "2011-03-02", "2011-03-03", "2011-03-04", "2011-03-05", "2011-03-06"
STRANGE = "2011-12-24"
"""A date that nothing landed for."""


class Damage(NamedTuple):
    """What is done, and how the finding that tells of it begins.

    Attributes:
        is_alone: It shows in other tables, too, where it would pass for their own damage.
    """

    name: str
    done: Callable[[Lake], object]
    found: str
    is_alone: bool = False

    @property
    def place(self) -> tuple[str, str] | None:
        """Layers and date that nothing else may change in the same lake; None for what hides other damage."""
        table, _, partition = self.found.partition(" ")
        layer = table.partition(".")[0]
        if self.is_alone or layer in {"", "bronze", "decisions"} or not (partition or layer == "catalog"):
            return None
        return ("silver, gold" if layer in {"silver", "gold"} else layer), partition


def together(damages: list[Damage]) -> list[list[Damage]]:
    """Return the damages in groups, of which each may be done to one lake."""
    groups: list[list[Damage]] = []
    for damage in damages:
        free = (
            group
            for group in groups
            if damage.place not in {None, *(other.place for other in group)} and group[0].place
        )
        if (group := next(free, None)) is None:
            groups.append([damage])
        else:
            group.append(damage)
    return groups


ON = {date: pl.col("dt") == pl.lit(date).str.to_date() for date in (DAY, NEXT, HELD, PINNED)}
TO_STRANGE = pl.lit(STRANGE).str.to_date().alias("dt")


DAMAGES = [
    Damage("a bronze file deleted", lambda lake: live_bronze(lake, "day.csv").unlink(), f"bronze.sales {DAY}"),
    Damage("a bronze file cut", lambda lake: cut(live_bronze(lake, "day.csv")), f"bronze.sales {DAY}"),
    Damage("a bronze file emptied", lambda lake: live_bronze(lake, "day.csv").write_bytes(b""), f"bronze.sales {DAY}"),
    Damage("a bronze file blanked", lambda lake: blank(live_bronze(lake, "day.csv")), ""),
    Damage("a bronze file replaced by another content's", swap_bronze, f"bronze.sales {DAY}"),
    Damage(
        "a bronze file with a record less",
        lambda lake: rewrite(live_bronze(lake, "day.csv"), lambda rows: rows.head(-1)),
        f"bronze.sales {DAY}",
    ),
    Damage(
        "a bronze file with a record doubled",
        lambda lake: rewrite(live_bronze(lake, "day.csv"), lambda rows: pl.concat([rows, rows.head(1)])),
        f"bronze.sales {DAY}",
    ),
    Damage(
        "a bronze value changed",
        lambda lake: rewrite(live_bronze(lake, "drop.zip!a.csv", NEXT), another_value),
        f"silver.sales {NEXT}",
        is_alone=True,
    ),
    Damage(
        "an undated bronze file deleted",
        lambda lake: path_of(lake, "bronze/sales/dt=__HIVE_DEFAULT_PARTITION__/*.parquet").unlink(),
        "bronze.sales undated",
    ),
    Damage("the ledger counts a record more", wrong_ledger_rows, f"bronze.sales {NEXT}"),
    Damage("a silver file deleted", lambda lake: data_file(lake, "silver/sales", DAY).unlink(), "silver.sales"),
    Damage("a silver file cut", lambda lake: cut(data_file(lake, "silver/sales", DAY)), "silver.sales"),
    Damage("a silver file blanked", lambda lake: blank(data_file(lake, "silver/sales", DAY)), "silver.sales"),
    Damage(
        "a silver value changed",
        update("silver/sales", f"dt = '{NEXT}' and quantity = 2", quantity="20"),
        f"silver.sales {NEXT}",
    ),
    Damage(
        "a silver value lost",
        update("silver/sales", f"dt = '{NEXT}' and quantity = 2", customer_id="NULL"),
        f"silver.sales {NEXT}",
    ),
    Damage("a silver date deleted", delete("silver/sales", f"dt = '{NEXT}'"), f"silver.sales {NEXT}"),
    Damage("a silver row deleted", delete("silver/sales", f"dt = '{NEXT}' and quantity = 2"), f"silver.sales {NEXT}"),
    Damage(
        "a silver row doubled", append("silver/sales", ON[NEXT] & (pl.col("quantity") == 2)), f"silver.sales {NEXT}"
    ),
    Damage("a silver date doubled", append("silver/sales", ON[NEXT]), f"silver.sales {NEXT}"),
    Damage("silver rows of a strange date", append("silver/sales", ON[NEXT], TO_STRANGE), f"silver.sales {STRANGE}"),
    Damage(
        "silver rows without a date",
        append("silver/sales", ON[NEXT], pl.lit(None, pl.Date).alias("dt")),
        "silver.sales undated",
    ),
    Damage(
        "a silver row on the wrong date",
        update("silver/sales", f"dt = '{NEXT}' and quantity = 2", dt=f"CAST('{DAY}' AS DATE)"),
        f"silver.sales {NEXT}",
        is_alone=True,
    ),
    Damage(
        "a corrected silver value put back",
        update("silver/sales", "quantity = 600", quantity="6"),
        f"silver.sales {DAY}",
    ),
    Damage("a moved silver row deleted", delete("silver/sales", f"dt = '{MOVED}'"), f"silver.sales {MOVED}"),
    Damage("a released silver date deleted", delete("silver/sales", f"dt = '{RELEASED}'"), f"silver.sales {RELEASED}"),
    Damage(
        "a value of a restored date changed",
        update("silver/sales", f"dt = '{PINNED}' and quantity = 2", quantity="20"),
        f"silver.sales {PINNED}",
    ),
    Damage("a restored date deleted", delete("silver/sales", f"dt = '{PINNED}'"), f"silver.sales {PINNED}"),
    # What it was computed from is no longer live: gold, which was built from it, tells.
    Damage(
        "the good version of a held date deleted",
        delete("silver/sales", f"dt = '{HELD}'"),
        f"gold.daily_sales {HELD}",
    ),
    Damage(
        "a value of a restored gold date changed",
        update("gold/daily_metrics", "month = 3 and day = 4 and metric_name = 'net'", metric_value="1.0"),
        f"gold.daily_metrics {PINNED}",
    ),
    Damage(
        "quarantine rows of a strange date",
        append("quarantine/sales", ON[DAY], TO_STRANGE),
        f"quarantine.sales {STRANGE}",
    ),
    Damage(
        "a quarantine row removed",
        delete("quarantine/sales", f"dt = '{DAY}' and _line = 63"),
        f"quarantine.sales {DAY}",
    ),
    Damage(
        "an undated quarantine row removed",
        delete("quarantine/sales", "dt is null and _line = 64"),
        "quarantine.sales undated",
    ),
    Damage(
        "a held date's quarantine emptied", delete("quarantine/sales", f"dt = '{HELD}'"), f"quarantine.sales {HELD}"
    ),
    Damage("a quarantine row doubled", append("quarantine/sales", ON[DAY]), f"quarantine.sales {DAY}"),
    Damage(
        "a quarantined value changed",
        update("quarantine/sales", f"dt = '{DAY}'", Country="'Narnia'"),
        f"quarantine.sales {DAY}",
    ),
    Damage(
        "a count by rule changed",
        update("quarantine/sales_by_rule", f"dt = '{DAY}'", records="records + 1"),
        f"quarantine.sales_by_rule {DAY}",
    ),
    Damage(
        "the counts by rule of undated records removed",
        delete("quarantine/sales_by_rule", "dt is null"),
        "quarantine.sales_by_rule undated",
    ),
    Damage(
        "a quarantine file deleted",
        lambda lake: data_file(lake, "quarantine/sales", DAY).unlink(),
        "quarantine.sales",
    ),
    *(
        Damage(
            f"a count of {name} changed in the accounting",
            update("ops/accounting", f"part = '{NEXT}'", **{name: f"{name} + 1"}),
            f"ops.accounting sales {NEXT}",
        )
        for name in ("landed", "valid", "quarantined", "duplicates", "discarded", "published", "held")
    ),
    Damage(
        "a verdict changed in the accounting",
        update("ops/accounting", f"part = '{HELD}'", verdict="'published'"),
        f"ops.accounting sales {HELD}",
    ),
    Damage("a date's accounting removed", delete("ops/accounting", f"part = '{NEXT}'"), f"ops.accounting sales {NEXT}"),
    Damage(
        "a source object's accounting given to another one",
        update("ops/accounting", f"part = '{NEXT}'", source_key="'other.csv'"),
        f"ops.accounting sales {NEXT}",
    ),
    Damage(
        "accounting of a strange date",
        append("ops/accounting", (pl.col("part") == NEXT), pl.lit(STRANGE).alias("part")),
        f"ops.accounting sales {STRANGE}",
    ),
    Damage(
        "an accounting file deleted",
        lambda lake: data_file(lake, "ops/accounting", NEXT[:4]).unlink(),
        "ops.accounting",
    ),
    Damage(
        "a gold value changed",
        update("gold/daily_sales", f"dt = '{NEXT}'", sales="sales + 0.01"),
        f"gold.daily_sales {NEXT}",
    ),
    Damage(
        "a gold metric changed",
        update("gold/daily_metrics", "month = 3 and day = 2 and metric_name = 'net'", metric_value="1.0"),
        f"gold.daily_metrics {NEXT}",
    ),
    Damage(
        "a gold snapshot's value changed",
        update("gold/product_performance", "true", units="units + 1"),
        "gold.product_performance whole",
    ),
    Damage("a gold date deleted", delete("gold/daily_sales", f"dt = '{NEXT}'"), f"gold.daily_sales {NEXT}"),
    Damage("a gold date doubled", append("gold/daily_sales", ON[NEXT]), f"gold.daily_sales {NEXT}"),
    Damage(
        "gold rows of a strange date", append("gold/daily_sales", ON[NEXT], TO_STRANGE), f"gold.daily_sales {STRANGE}"
    ),
    Damage("a gold file deleted", lambda lake: data_file(lake, "gold/daily_sales", NEXT).unlink(), "gold.daily_sales"),
    Damage(
        "a file deleted that a gold snapshot is built from",
        lambda lake: data_file(lake, "gold/daily_product_sales", NEXT).unlink(),
        "gold.daily_product_sales",
    ),
    Damage(
        "a ledger file deleted", lambda lake: path_of(lake, "ops/ledger/feed=sales/*.parquet").unlink(), "ops.ledger"
    ),
    Damage("a ledger file cut", lambda lake: cut(path_of(lake, "ops/ledger/*/*.parquet")), "ops.ledger"),
    *(
        Damage(f"{what} of {path} {how}", done, path.replace("/", "."))
        for path in ("silver/sales", "gold/daily_sales", "ops/ledger", "ops/accounting")
        for what, at in (("the last commit", -1), ("a commit between", 1))
        for how, done in (
            ("cut", lambda lake, path=path, at=at: cut(log_entries(lake, path)[at])),
            ("deleted", lambda lake, path=path, at=at: log_entries(lake, path)[at].unlink()),
        )
        if (at, how) != (-1, "deleted")  # that is an earlier version, and pending
    ),
    Damage("a decision cut", lambda lake: cut(decision_file(lake)), "decisions"),
    Damage(
        "a decision of no known form", lambda lake: decision_file(lake).write_text(json.dumps({"a": 1})), "decisions"
    ),
    Damage("the catalog deleted", lambda lake: catalog_file(lake).unlink(), "catalog"),
    Damage(
        "the catalog overwritten", lambda lake: catalog_file(lake).write_bytes(b"no database at all" * 99), "catalog"
    ),
    Damage("the catalog cut", lambda lake: cut(catalog_file(lake)), "catalog"),
    Damage("the catalog emptied", lambda lake: catalog_file(lake).write_bytes(b""), "catalog"),
    Damage("the catalog without views", emptied_catalog, "catalog"),
    Damage("a view of the catalog dropped", in_catalog("DROP VIEW gold.daily_sales"), "catalog"),
    Damage(
        "a view of the catalog over other files",
        in_catalog("CREATE OR REPLACE VIEW gold.daily_sales AS SELECT 1 AS one"),
        "catalog",
    ),
]
