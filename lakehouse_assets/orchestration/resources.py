"""The lake as Dagster resources: which root, and nothing else an asset has to know."""

import dagster as dg

from lakehouse_assets.context import Lake, lake_at
from lakehouse_assets.orchestration.lake_tables import LakeTables


class LakeResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Opens the lake at a root with the settings of the environment."""

    root: str

    def lake(self) -> Lake:
        """Return the lake. Does no I/O."""
        return lake_at(self.root)


def resources_at(root: str) -> dict[str, LakeResource | LakeTables]:
    """Return what every asset and job of a lake needs: `lakehouse`, and `io_manager`, which all assets share."""
    return {"lakehouse": LakeResource(root=root), "io_manager": LakeTables(root=root)}
