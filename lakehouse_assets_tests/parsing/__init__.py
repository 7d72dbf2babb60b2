"""Tests of `lakehouse_assets/parsing/`."""
