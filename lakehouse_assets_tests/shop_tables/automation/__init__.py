"""Jobs, sensors and schedules of the lake. No tables, as in the package that they come from."""

HOLDS_TABLES = False
