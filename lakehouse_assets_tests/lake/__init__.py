"""Tests of storage, Delta tables and the ledger."""
