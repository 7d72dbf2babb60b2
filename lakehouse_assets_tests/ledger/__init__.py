"""Tests of `lakehouse_assets/ledger/`."""
