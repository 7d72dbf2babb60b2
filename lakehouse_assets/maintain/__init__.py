"""Looking after the tables: compaction, checkpoints, vacuum, what is left over. Reads what publishing wrote."""
