"""By what way Lua calls the commands of the engine. This is the plain twin: by lupa's."""

from __future__ import annotations

from typing import Any

from alcove.scripting.bridge import Bridge


def entrance(lua: Any, bridge: Bridge) -> Any:
    """The function that is `host.run` in lua/prelude.lua: see `Bridge.run`."""
    return lua.globals()[b"python"][b"as_function"](bridge.run)
