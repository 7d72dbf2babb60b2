"""The sensors of what is pending; nothing asks the API of customers and products."""

from lakehouse_assets.defs.automation.refresh import daily_sweep, landing_sensor, tables_sensor

__all__ = ["daily_sweep", "landing_sensor", "tables_sensor"]
