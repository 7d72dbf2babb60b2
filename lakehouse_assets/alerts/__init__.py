"""What happened in the lake, and who is told: facts from Dagster's storage, and a file per channel that tells them.

Nothing of the pipeline knows this room. It reads what runs have recorded, so an outage of a channel delays what it
tells and loses nothing. Not here: what a run records, which is `orchestration`.
"""
