"""Tests of landing, unpacking, parsing and bronze."""
