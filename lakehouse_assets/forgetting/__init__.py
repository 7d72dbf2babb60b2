"""Forgetting a person: in landing, bronze, decisions, tables and their history. Matching records, see `erasure`."""
