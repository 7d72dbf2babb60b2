"""Decisions of people on bad data: what they change, what they leave alone, and that they can be taken back."""
