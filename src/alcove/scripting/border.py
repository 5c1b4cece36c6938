"""The way into Lua and out of it, as lupa has it: what native_border.py puts in its place where it can."""

from __future__ import annotations

from typing import Any

from alcove.errors import NO_MEMORY_IN_SCRIPT, CommandError, lua_failed
from alcove.scripting.bridge import Bridge
from alcove.scripting.c_locale import in_c_locale


class Border:
    """The border of one Lua. `run` is the function that is `host.run` in lua/prelude.lua: see `Bridge.run`."""

    def __init__(self, lua: Any, bridge: Bridge) -> None:
        # Importing takes as long as a hundred scripts.
        from lupa.lua51 import LuaError

        self.lua = lua
        self.run = lua.globals()[b"python"][b"as_function"](bridge.run)
        # What the libraries in lua/ may try first: see native_libraries.pyx.
        self.short_ways: Any = None
        self._lua_error = LuaError

    def kept(self, function: Any) -> Any:
        """A runner, which is a function of Lua's, as `entered` takes it."""
        return function

    def entered(self, runner: Any, keys: int, arguments: tuple[bytes, ...]) -> Any:
        """What a runner answers, given arguments for which Lua has room. Raises as `called`."""
        return self.called(runner, (keys, *arguments))

    def called(self, function: Any, arguments: tuple[Any, ...]) -> Any:
        """What a function of Lua's answers. What Lua cannot do, such as for want of memory, is a `CommandError`."""
        try:
            with in_c_locale():
                return function(*arguments)
        except self._lua_error as error:
            self.collect()
            if type(error) is self._lua_error:
                raise CommandError(lua_failed(error)) from None
            raise CommandError(NO_MEMORY_IN_SCRIPT) from None

    def memory_used(self) -> int:
        """The bytes that Lua takes."""
        return int(self.lua.get_memory_used())

    def collect(self) -> None:
        """Frees what nobody uses any more."""
        self.lua.gccollect()

    def breathe(self) -> None:
        """Called now and then by a script that runs for long: lets other threads have Python."""
