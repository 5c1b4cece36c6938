"""The commands, one family in a file. Importing this package declares them all."""

from __future__ import annotations

import importlib
import pkgutil


def load() -> None:
    """Imports every family, so that its declarations stand in the registry."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")


load()
