"""The same work done by other tools, each a small script in a process of its own: `python -m benchmarks.peers`.

From landed zips to bronze (every value a text), silver (typed, each record once, checked), quarantine (the records that
break a rule, with its name) and `gold.daily_sales`. Each script is what one would write for this feed, and reads
`LANDING LAKE REPORT`. Imported by Pythons that have only the libraries of one peer: nothing is imported here.
"""
