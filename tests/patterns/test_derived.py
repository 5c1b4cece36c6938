"""The blocking classes are those of asyncio: nothing is stale, nothing is missing."""

from __future__ import annotations

import inspect

import pytest

import alcove.patterns
import alcove.patterns.asyncio
import derive_blocking
from alcove.patterns import HOMES
from alcove.patterns.asyncio import runtime as asynchronous
from alcove.patterns.blocking import runtime as by_threads


def test_the_derived_files_are_fresh() -> None:
    there = {path.name: path.read_text() for path in derive_blocking.TARGET.glob("*.py")}
    for name in derive_blocking.BY_HAND:
        del there[name]
    assert there == derive_blocking.files(), "run `make blocking`"


def public(owner: object) -> dict[str, object]:
    return {name: value for name, value in vars(owner).items() if not name.startswith("_")}


@pytest.mark.parametrize("name", sorted(HOMES))
def test_both_flavours_have_the_same_methods(name: str) -> None:
    asyncio_class, blocking_class = getattr(alcove.patterns.asyncio, name), getattr(alcove.patterns, name)
    renamed = {"aclose": "close"}
    assert {renamed.get(method, method) for method in public(asyncio_class)} == set(public(blocking_class))


def test_both_runtimes_have_the_same_names() -> None:
    imported = {"annotations", "Any", "Awaitable", "Callable", "Coroutine", "T", "TypeVar", "cast"}
    imported |= {"InvalidArgument", "Iterator", "asyncio", "contextmanager", "contextvars", "heapq", "inspect"}
    imported |= {"itertools", "logging", "os", "signal", "threading", "time", "WeakKeyDictionary"}

    def named(module: object) -> set[str]:
        return set(public(module)) - imported

    assert named(asynchronous) == named(by_threads)
    for name in named(asynchronous):
        theirs, ours = getattr(asynchronous, name), getattr(by_threads, name)
        if inspect.isclass(theirs) and theirs.__module__ == asynchronous.__name__:
            assert set(public(theirs)) == set(public(ours))
