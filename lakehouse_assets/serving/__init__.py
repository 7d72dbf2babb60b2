"""Gold tables for programs that ask for some rows by key: where the rows are kept for that, and the answers by HTTP.

What is served, and by which key, is declared on the model. Not here: tables for tools that read whole tables, which
find them in a catalog.
"""
