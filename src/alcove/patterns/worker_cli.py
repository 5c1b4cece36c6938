"""`alcove worker module:name`: runs a worker that a module has made, until it is told to stop."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import logging
import os
import sys
from operator import attrgetter
from typing import Any


class NoWorker(Exception):
    """There is no worker where one was said to be; the text says why."""


def run(place: str, until_empty: bool = False) -> None:
    """Runs `module:name`: a `Worker` of either kind, or a function that makes one, which may be a coroutine's.

    Raises `NoWorker`. What the module itself raises when it is imported is raised here.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    found = found_at(place)
    if inspect.iscoroutinefunction(found):
        asyncio.run(run_made(place, found, until_empty))
        return
    worker = checked(place, found if hasattr(found, "run") else found())
    if inspect.iscoroutinefunction(worker.run):
        asyncio.run(worker.run(until_empty=until_empty))
    else:
        worker.run(until_empty=until_empty)


async def run_made(place: str, make: Any, until_empty: bool) -> None:
    worker = checked(place, await make())
    if not inspect.iscoroutinefunction(worker.run):
        raise NoWorker(f"{place} is a coroutine, so the worker it makes must be one of alcove.patterns.asyncio")
    await worker.run(until_empty=until_empty)


def found_at(place: str) -> Any:
    """What stands at `module:name`; modules of the current folder count, as for `python -m`."""
    module_name, colon, name = place.partition(":")
    if not (module_name and colon and name):
        raise NoWorker(f"a worker is named as module:name, not '{place}'")
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise NoWorker(f"there is no module '{module_name}'") from error
    try:
        found = attrgetter(name)(module)
    except AttributeError as error:
        raise NoWorker(f"there is no '{name}' in {module_name}") from error
    if not hasattr(found, "run") and not callable(found):
        raise NoWorker(f"{place} is neither a worker nor a function that makes one")
    return found


def checked(place: str, worker: Any) -> Any:
    if not (hasattr(worker, "run") and hasattr(worker, "stop")):
        raise NoWorker(f"{place} made {type(worker).__name__}, which is no worker")
    return worker
