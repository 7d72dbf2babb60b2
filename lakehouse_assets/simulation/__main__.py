"""The simulated retailer as a process beside `lakehouse dev`: says the address of its API, and ends with its parent."""

import os
import sys

from lakehouse_assets.context import current
from lakehouse_assets.simulation.retailer import RetailerApi, Shop, register_of


def main() -> None:
    """Serve the API and sell until the parent is gone."""
    lake, parent = current(), os.getppid()
    register = register_of(lake)
    with RetailerApi(register=register) as api:
        sys.stdout.write(f"{api.address}\n")
        sys.stdout.flush()
        try:
            Shop(lake, register, lake.settings.simulation_speed).work(is_open=lambda: os.getppid() == parent)
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
