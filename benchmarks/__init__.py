"""The benchmarks: the product beside a hand-written script that does the same work. `python -m benchmarks`."""

STARTED = "BENCH_STARTED"
"""Environment variable that tells a measured process when it was started, on the monotonic clock."""
