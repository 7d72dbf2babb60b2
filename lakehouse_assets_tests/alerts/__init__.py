"""Tests of what is told, to whom, and through outages."""
