"""Fetching a feed's objects from a REST API into landing. Not here: what a feed declares, and reading what landed."""
