"""Tests of `lakehouse_assets/sources/`."""
