"""What runs a model's SQL or a person's query."""
