"""Tests of the local catalog: its views, and what writing them costs."""
