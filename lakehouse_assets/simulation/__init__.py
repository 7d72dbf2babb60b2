"""A simulated retailer: customers, products, sales and web events that fit each other, and an API that serves them.

For `lakehouse demo` and `lakehouse dev`, and its API server for tests. Nothing of the lake depends on it.
"""
