"""pandas by hand, a zip at a time, in columns of Arrow: amounts are decimals. It trusts that a zip holds one date."""

import json
import os
import sys
import time
from pathlib import Path

import pandas as pd
import pyarrow as pa

from benchmarks import STARTED

TEXT, INTEGER = pd.ArrowDtype(pa.string()), pd.ArrowDtype(pa.int64())
PRICE, AMOUNT = pd.ArrowDtype(pa.decimal128(18, 4)), pd.ArrowDtype(pa.decimal128(38, 4))
NAMES = {
    "InvoiceNo": "invoice_no",
    "StockCode": "stock_code",
    "Description": "description",
    "Quantity": "quantity",
    "InvoiceDate": "invoiced_at",
    "UnitPrice": "unit_price",
    "CustomerID": "customer_id",
    "Country": "country",
}
READ = ["quantity", "invoiced_at", "unit_price"]


def typed(bronze: pd.DataFrame) -> pd.DataFrame:
    """Return each record once, with what could not be read exactly as a text beside it."""
    texts = bronze.rename(columns=NAMES).apply(lambda column: column.str.strip()).replace("", pd.NA)
    texts["stock_code"] = texts["stock_code"].str.upper()
    texts["customer_id"] = texts["customer_id"].str.removesuffix(".0")
    frame = texts.copy()
    whole = texts["quantity"].str.fullmatch(r"[+-]?[0-9]+")
    frame["quantity"] = texts["quantity"].where(whole).astype(INTEGER)
    price = texts["unit_price"].str.fullmatch(r"[+-]?([0-9]+\.?[0-9]{0,4}0*|\.[0-9]{1,4}0*)")
    frame["unit_price"] = texts["unit_price"].where(price).astype(PRICE)
    local = pd.to_datetime(texts["invoiced_at"], format="%Y-%m-%d %H:%M:%S", errors="coerce")
    frame["dt"] = local.dt.date.astype(pd.ArrowDtype(pa.date32()))
    zoned = local.dt.tz_localize("Europe/London", ambiguous=True, nonexistent="NaT")
    frame["invoiced_at"] = zoned.dt.tz_convert("UTC")
    for name in READ:
        frame[f"{name}_text"] = texts[name].where(frame[name].isna())
    return frame.drop_duplicates()


def broken(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a column of truth for each rule."""
    today = pd.Timestamp.now("UTC").date()
    invoice = frame["invoice_no"]
    rules = {
        "quantity_readable": frame["quantity"].isna(),
        "invoiced_at_readable": frame["invoiced_at"].isna(),
        "invoiced_at_in_range": ~frame["dt"].between(pd.Timestamp("2009-01-01").date(), today),
        "unit_price_readable": frame["unit_price"].isna(),
        "unit_price_min": frame["unit_price"] < 0,
        "invoice_no_regex": ~invoice.str.fullmatch(r"[CA]?[0-9]{6}").fillna(value=False),
        "stock_code_required": frame["stock_code"].isna(),
        "country_required": frame["country"].isna(),
        "cancellation_not_positive": invoice.str.startswith("C") & (frame["quantity"] > 0),
    }
    return pd.DataFrame(rules).fillna(value=False).astype(bool)


def silver_of(frame: pd.DataFrame) -> pd.DataFrame:
    """Return what breaks no rule, with the derived columns."""
    is_return = frame["invoice_no"].str.startswith("C")
    is_sale = (
        frame["invoice_no"].str.fullmatch(r"[0-9]{6}")
        & frame["stock_code"].str.fullmatch(r"[0-9]{5}[A-Z]{0,2}")
        & (frame["quantity"] > 0)
        & (frame["unit_price"] > 0)
    )
    kind = pd.Series("adjustment", index=frame.index, dtype=TEXT).mask(is_sale, "sale").mask(is_return, "return")
    amount = frame["quantity"].astype(pd.ArrowDtype(pa.decimal128(19, 0))) * frame["unit_price"]
    plain = frame.drop(columns=[f"{name}_text" for name in READ])
    return plain.assign(line_type=kind, line_amount=amount.astype(AMOUNT))


def daily_sales(silver: pd.DataFrame) -> pd.DataFrame:
    """Return amounts and counts by date and country."""
    keys = ["dt", "country"]
    amounts = silver.pivot_table(index=keys, columns="line_type", values="line_amount", aggfunc="sum").reindex(
        columns=["sale", "return", "adjustment"]
    )
    sales = silver[silver["line_type"] == "sale"].groupby(keys)
    counts = {
        "units": sales["quantity"].sum(),
        "invoices": sales["invoice_no"].nunique(),
        "customers": sales["customer_id"].nunique(),
        "lines": sales.size(),
    }
    renamed = amounts.rename(columns={"sale": "sales", "return": "returns", "adjustment": "adjustments"})
    found = renamed.assign(net=silver.groupby(keys)["line_amount"].sum(), **counts).fillna(0)
    return found.astype(dict.fromkeys(counts, "int64")).reset_index()


def store(frame: pd.DataFrame, lake: Path, table: str, name: str) -> None:
    """Write one file of a table."""
    file = lake / table / f"{name}.parquet"
    file.parent.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(file, index=False)


def run(landing: Path, lake: Path) -> None:
    """Bring every zip of a folder into the tables of a lake."""
    for path in sorted(landing.glob("*.zip")):
        bronze = pd.read_csv(path, dtype=TEXT, keep_default_na=False, na_values=[""])
        store(bronze, lake, "bronze/sales", path.stem)
        frame = typed(bronze)
        rules = broken(frame)
        bad = rules.any(axis="columns")
        silver = silver_of(frame[~bad])
        store(silver, lake, "silver/sales", path.stem)
        reasons = [list(rules.columns[row]) for row in rules[bad].to_numpy()]
        store(frame[bad].assign(rules=reasons), lake, "quarantine/sales", path.stem)
        store(daily_sales(silver), lake, "gold/daily_sales", path.stem)


if __name__ == "__main__":
    imported = time.monotonic() - float(os.environ[STARTED])
    run(Path(sys.argv[1]), Path(sys.argv[2]))
    Path(sys.argv[3]).write_text(json.dumps({"imports": imported}), encoding="utf-8")
