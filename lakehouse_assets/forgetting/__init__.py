"""Forgetting a person: the act, from landing to the past of every table. Who is meant, see `erasure`."""
