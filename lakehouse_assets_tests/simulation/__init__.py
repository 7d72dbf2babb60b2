"""The simulated retailer."""
