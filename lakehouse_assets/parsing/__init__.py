"""From bytes to records: archives, CSV, JSON, Parquet, casting. Pure: nothing is stored here."""
