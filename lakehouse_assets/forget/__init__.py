"""Forgetting a person: out of landing and bronze, then out of all that follows from them, then out of the past."""
