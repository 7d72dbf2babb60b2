"""What this lake consists of. Every module below this package is found by itself; none is listed anywhere.

A module may declare feeds, models, Dagster assets, checks, jobs, sensors and schedules.
"""
