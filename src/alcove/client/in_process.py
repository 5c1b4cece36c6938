"""What redis-py's clients and pipelines over an engine in this process have in common, blocking or asynchronous."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from alcove.client.fast import Fast
from alcove.engine.engine import Engine


class InProcess:
    """A client: it has an engine, and a short way to it unless all its commands are to run on one connection."""

    _fast: Fast | None = None
    if TYPE_CHECKING:
        connection_pool: Any

    @property
    def engine(self) -> Engine:
        """The engine that the client works on."""
        engine: Engine = self.connection_pool.connection_kwargs["engine"]
        return engine

    def __reduce__(self) -> NoReturn:
        raise TypeError("a client of an engine in this process cannot be pickled: the data is here")


class Collecting:
    """A pipeline: it collects commands, and those that do not watch go the short way in one go."""

    _fast: Fast | None = None
    if TYPE_CHECKING:
        explicit_transaction: bool
        watching: bool
        command_stack: list[Any]
        immediate_execute_command: Any

    def __init__(self, fast: Fast | None, *options: Any) -> None:
        super().__init__(*options)
        self._fast = fast

    def execute_command(self, *args: Any, **options: Any) -> Any:
        if not self.explicit_transaction and (self.watching or args[0] == "WATCH"):
            return self.immediate_execute_command(*args, **options)
        self.command_stack.append((args, options))
        return self
