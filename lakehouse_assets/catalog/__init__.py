"""The tables as other tools find them."""
