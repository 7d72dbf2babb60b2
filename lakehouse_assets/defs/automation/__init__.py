"""Jobs, sensors and schedules. No tables: commands that only need the tables skip this package, and with it Dagster."""

HOLDS_TABLES = False
