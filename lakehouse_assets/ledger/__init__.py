"""What was seen of landing, per feed, and what is live. Not here: reading what landed."""
