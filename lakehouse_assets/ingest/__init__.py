"""From landed objects to bronze records."""
