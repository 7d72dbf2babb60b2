"""Attempts to break the lake: kills, storage faults, concurrent writers, full disks, any order of landing.

`make test` tries a sample of each; `FAULTS=all pytest lakehouse_assets_tests/faults` tries everything.
"""
