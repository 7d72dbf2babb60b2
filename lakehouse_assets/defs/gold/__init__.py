"""Models: one module and one SQL file each."""
