"""The garbage collector has nothing to do with containers, of which there can be millions, in the compiled build."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable

import pytest

from alcove.types.hash import Hash
from alcove.types.limits import Limits
from alcove.types.list import List
from alcove.types.set import Set
from alcove.types.sorted_set import SortedSet
from alcove.types.stream import Stream


@pytest.mark.parametrize("kind", [Hash, List, Set, SortedSet, Stream])
def test_collector_sees_it_only_in_the_plain_build(kind: Callable[[Limits], object]) -> None:
    plain = str(sys.modules[kind.__module__].__file__).endswith(".py")
    assert gc.is_tracked(kind(Limits())) == plain
