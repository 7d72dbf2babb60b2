"""Every bad input that we could think of, generated, and where docs/bad-input.md says that each one ends."""
