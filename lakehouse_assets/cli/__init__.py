"""The command `lakehouse`."""
