"""Tests of `lakehouse_assets/pipeline/`."""
