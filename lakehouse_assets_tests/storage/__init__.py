"""Tests of `lakehouse_assets/storage/`."""
