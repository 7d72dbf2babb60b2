"""Tests of `lakehouse_assets/erasure/`."""
