"""Tests of declarations, rules, the registry and lineage."""
