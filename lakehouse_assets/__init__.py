"""A Dagster lakehouse: files become bronze, silver and gold tables that people can trust."""
