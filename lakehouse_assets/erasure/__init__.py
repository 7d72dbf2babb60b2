"""Erasing a person: who must not come back, whose a record is, and taking records out of every place."""
