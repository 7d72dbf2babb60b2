"""Where the lake is stored: objects, Delta tables, the ledger, DuckDB sessions."""
