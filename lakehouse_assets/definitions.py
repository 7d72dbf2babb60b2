"""Root of the code location, for Dagster: the lake of the settings. Nothing else."""

from lakehouse_assets.context import current
from lakehouse_assets.orchestration.location import code_location

defs = code_location(current())
