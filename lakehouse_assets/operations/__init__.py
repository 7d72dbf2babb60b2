"""What a person asks the lake to do, the same for the command and for the Dagster UI."""
