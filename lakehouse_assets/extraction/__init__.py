"""Fetching a feed's objects from an API or a stream into landing. Not here: what a feed declares; what landed."""
