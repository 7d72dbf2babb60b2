"""Pages that people look at: one self-contained HTML file, made from gold after every publish.

Here: what a page shows, its charts and its text. Not here: how any figure is computed; that is gold's.
"""
