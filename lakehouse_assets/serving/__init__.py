"""Gold tables for programs: where their rows are kept for that, by key or as tables of a database, and answers by HTTP.

What is served by key is declared on the model. Not here: tables for tools that read Delta, which find them in a
catalog.
"""
