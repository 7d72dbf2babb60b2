"""Tests of the room `forgetting`; the whole erasure, in every place and killed anywhere, see `erasure`."""
