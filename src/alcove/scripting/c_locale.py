"""The locale in which scripts run: C's, whatever the program around has set, as in a server.

Lua reads and writes numbers by C's functions, which a program can have told to use a comma: `tonumber("1.5")` would be
nil. A locale can be a thread's own (POSIX 2008), so nobody else is touched. Windows has none of that.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

# LC_ALL_MASK, as far as all systems mean the same by it: what Lua asks of is in it.
ALL_CATEGORIES: Final = 0x3F


@cache
def c_locale() -> tuple[Any, int] | None:
    """C's `uselocale`, and what it is to be given; None where a thread has no locale of its own."""
    try:
        library = ctypes.PyDLL(None)
        new, use = library.newlocale, library.uselocale
    except (AttributeError, OSError, TypeError):
        return None
    new.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p]
    use.argtypes = [ctypes.c_void_p]
    new.restype = use.restype = ctypes.c_void_p
    locale = new(ALL_CATEGORIES, b"C", None)
    return (use, locale) if locale else None


@contextmanager
def in_c_locale() -> Iterator[None]:
    """The thread has that locale while the block runs."""
    found = c_locale()
    if found is None:
        yield
        return
    use, locale = found
    before = use(locale)
    try:
        yield
    finally:
        use(before)
