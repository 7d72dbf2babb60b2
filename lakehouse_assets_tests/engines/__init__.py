"""What runs SQL reaches the tables that it is given, and nothing else."""
