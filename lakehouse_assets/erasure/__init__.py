"""Who was erased, whose a record is, and what an ingest does about it. Forgetting somebody, see `forgetting`."""
