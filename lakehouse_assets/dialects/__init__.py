"""A model's SQL in the dialects of other engines. Here: what it means there; not here: who runs it."""
