"""Tests of the lakehouse; they mirror the package."""
