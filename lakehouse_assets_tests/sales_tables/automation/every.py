"""All of the lake's jobs, sensors and schedules."""

import importlib
import pkgutil

from lakehouse_assets.defs import automation

for _found in pkgutil.iter_modules(automation.__path__):
    _module = importlib.import_module(f"{automation.__name__}.{_found.name}")
    globals().update({f"{_found.name}_{name}": value for name, value in vars(_module).items() if name[0] != "_"})
