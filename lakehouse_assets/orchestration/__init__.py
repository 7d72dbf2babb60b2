"""The lake as Dagster sees it."""

import warnings

import dagster as dg

# Ranges in one run are the point of our backfills; the parameter is beta in 1.13, and pinned by the constraints.
warnings.filterwarnings("ignore", message="Parameter `backfill_policy`", category=dg.BetaWarning)
# Dagster sets it itself when it copies a sensor to give resources to its job.
warnings.filterwarnings("ignore", message="Parameter `owners` of initializer `Sensor", category=dg.BetaWarning)
# Dagster's own client of Pipes calls it.
warnings.filterwarnings("ignore", message="Function `PipesMessageReader.expected", category=dg.PreviewWarning)
