"""What this lake consists of: one module per feed or gold table, and the automation."""
