"""What people decided: standing inputs beside the landed objects. Not here: taking a decision, see `operations`."""
