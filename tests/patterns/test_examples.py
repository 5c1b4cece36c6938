"""The examples in the docstrings of the blocking classes and of what both kinds share."""

from __future__ import annotations

import doctest
import importlib
import inspect
from pathlib import Path

import pytest

import alcove.patterns

FOLDER = Path(inspect.getfile(alcove.patterns)).parent
MODULES = sorted(
    f"alcove.patterns.{folder}.{path.stem}"
    for folder in ("blocking", "core")
    for path in (FOLDER / folder).glob("*.py")
    if path.stem != "__init__"
)


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0
