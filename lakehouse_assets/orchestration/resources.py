"""The lake as a Dagster resource: which root, and nothing else an asset has to know."""

import dagster as dg

from lakehouse_assets.context import Lake
from lakehouse_assets.contracts.registry import registry
from lakehouse_assets.settings import settings
from lakehouse_assets.storage.stores import store_for


class LakeResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Opens the lake at a root with the settings of the environment."""

    root: str

    def lake(self) -> Lake:
        """Return the lake. Does no I/O."""
        chosen = settings().model_copy(update={"root": self.root})
        return Lake(store_for(self.root), chosen, registry())
