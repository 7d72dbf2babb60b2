"""Feeds: one module each, from which bronze, silver and quarantine follow."""
