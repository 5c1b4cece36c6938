"""Which way leads into Lua and out of it. This is the plain twin: lupa's."""

from __future__ import annotations

from typing import Any

from alcove.scripting.border import Border
from alcove.scripting.bridge import Bridge


def border_of(lua: Any, bridge: Bridge) -> Border:
    """The border of one Lua, which it and `bridge` must outlive."""
    return Border(lua, bridge)
