"""What Lua may call: the commands of the engine, and the few services that `redis` needs besides.

No exception may leave a function that Lua calls, since a script could catch it, and with it the interpreter it came
from. A failure of ours is therefore kept, ends the script, and is raised when Lua has been left.
"""

from __future__ import annotations

import logging
from hashlib import sha1
from typing import TYPE_CHECKING, Any, Final

from alcove.engine.declaration import DENYOOM, NOSCRIPT, WRITE, Command
from alcove.engine.monitors import MAY_REPLICATE
from alcove.engine.session import Session
from alcove.errors import (
    ARGUMENTS_OF_SCRIPT,
    ARITY_IN_SCRIPT,
    INTERNAL,
    NO_ARGUMENTS_IN_SCRIPT,
    NO_MEMORY_IN_SCRIPT,
    NOT_FROM_SCRIPT,
    OUT_OF_MEMORY,
    READ_ONLY_SCRIPT,
    UNKNOWN_FOR_ACL_CHECK,
    UNKNOWN_IN_SCRIPT,
    CommandError,
)
from alcove.scripting.conversion import argument_of, flat_of, scalar_of, size_of, tokens_of
from alcove.values import OK, Status

if TYPE_CHECKING:
    from alcove.engine.engine import Engine
    from alcove.scripting.runtime import Runtime

# What `run` answers besides plain values, as lua/prelude.lua knows them: None, one of these, and what belongs to it.
# None alone is the status OK, which most writes answer.
NIL: Final = 0
ERROR: Final = 1
STATUS: Final = 2
FLAT: Final = 3
TREE: Final = 4
# An error that is none of a command, and not counted.
MISTAKE: Final = 5

# How many values go over the border at once, and the bytes for which nobody looks at how much memory is left: Lua keeps
# more than that free before it calls.
MOST_AT_ONCE: Final = 200
UNCHECKED_BYTES: Final = 1024 * 1024
# The most that a script's own result may have, counted as tokens.
MOST_TOKENS: Final = 32 * 1024 * 1024

# `redis.set_repl`: whether effects are recorded for the append-only file, or for replicas.
REPL_ALL: Final = 3

# C variables of the compiled build.
_OK = OK
_STATUS = Status
_CommandError = CommandError

log = logging.getLogger(__name__)

LEVELS: Final = (logging.DEBUG, logging.INFO, logging.INFO, logging.WARNING)


class Bridge:
    """One runtime's border. It knows its engine only while a script runs, so that neither keeps the other alive."""

    def __init__(self) -> None:
        self.engine: Engine | None = None
        self.session: Session | None = None
        self.resp3 = False
        # What the script may do, and whether it has called a command that writes.
        self.read_only = False
        self.allow_oom = False
        self.wrote = False
        # Whether the memory limit was exceeded when the script began.
        self.out_of_memory = False
        # `redis.set_repl`.
        self.replicates = REPL_ALL
        self.failure: BaseException | None = None
        # Reply tokens that Lua fetches, and those that it has sent.
        self.outgoing: list[Any] = []
        self.sent = 0
        self.incoming: list[Any] = []
        # Asked how many bytes Lua can take, and now and then whether the script is to go on.
        self.runtime: Runtime | None = None

    def begin(self, engine: Engine, session: Session, runtime: Runtime) -> None:
        """A script is about to run, as `session`."""
        self.engine = engine
        self.session = session
        self.runtime = runtime
        self.resp3 = False
        self.wrote = False
        self.replicates = REPL_ALL

    def end(self) -> None:
        self.engine = self.session = self.runtime = None
        self.outgoing = []
        self.incoming = []

    # For Lua

    def run(self, *words: Any) -> Any:
        """`redis.call`: what `answered` answers, and lists as a number and what belongs to it, too."""
        try:
            answer = self.answered(self._argv(words))
            if type(answer) is list:
                return (None, FLAT, *answer) if len(answer) <= MOST_AT_ONCE else self._in_portions(answer)
            return answer
        except BaseException as error:
            self.failure = error
            return None, ERROR, INTERNAL.encode()

    def answered(self, argv: Any) -> Any:
        """The reply of a command: a plain value or a list of such; None for OK; or None, one of the numbers above and
        what belongs to it. Lua has room for it. `argv` may be the error that there is in it instead.
        """
        if type(argv) is _CommandError:
            return None, MISTAKE, argv.line
        reply = self._reply(argv)
        if type(reply) is bytes or type(reply) is int:
            if type(reply) is bytes and len(reply) > UNCHECKED_BYTES and not self._fits(len(reply)):
                return self._failed(NO_MEMORY_IN_SCRIPT)
            return reply
        return None if reply is _OK else self._for_lua(reply)

    def more(self) -> Any:
        """The next tokens of a reply; none if Lua has no room for them."""
        portion = self.outgoing[self.sent : self.sent + MOST_AT_ONCE]
        self.sent += MOST_AT_ONCE
        if not self._fits(size_of(portion)):
            portion = []
        if not portion or self.sent >= len(self.outgoing):
            self.outgoing = []
        return tuple(portion)

    def emit(self, *tokens: Any) -> bool:
        """Takes tokens of the script's result; False when they are too many."""
        if len(self.incoming) > MOST_TOKENS:
            return False
        self.incoming.extend(tokens)
        return True

    def tick(self) -> bytes | None:
        """Called every so many instructions: why the script is to end, or None."""
        try:
            if self.failure is not None:
                return INTERNAL.encode()
            return None if self.runtime is None else self.runtime.tick()
        except BaseException as error:
            self.failure = error
            return INTERNAL.encode()

    def set_resp(self, version: int) -> None:
        self.resp3 = version == 3

    def set_repl(self, flags: int) -> None:
        self.replicates = flags

    def log(self, level: int, text: bytes) -> None:
        log.log(LEVELS[level], "%s", text.decode("utf-8", "backslashreplace"))

    def acl_check(self, *words: Any) -> Any:
        """Whether the script's user may give a command; an error's text as bytes."""
        try:
            argv = self._argv(words)
            if isinstance(argv, CommandError):
                return argv.line
            assert self.engine is not None
            if self.engine.registry.resolve(argv) is None:
                return UNKNOWN_FOR_ACL_CHECK.encode()
            return True
        except BaseException as error:
            self.failure = error
            return INTERNAL.encode()

    def _fits(self, size: int) -> bool:
        """Whether so many bytes may go into Lua: one that has no room for what is pushed ends the process."""
        return size <= UNCHECKED_BYTES or (self.runtime is not None and self.runtime.fits(size))

    # Commands

    def _reply(self, argv: list[bytes]) -> Any:
        """What a command answers, or the error why it cannot run."""
        engine = self.engine
        session = self.session
        if engine is None or session is None:
            return self._refused(NOT_FROM_SCRIPT)
        command = engine.registry.find(argv[0])
        count = len(argv)
        if command is not None and command.subcommands is not None and count > 1:
            command = command.find(argv[1])
        if command is None:
            return self._refused(UNKNOWN_IN_SCRIPT)
        if count < command.least or count > command.most:
            return self._refused(ARITY_IN_SCRIPT)
        refusal = self._refusal(command)
        if refusal is not None:
            return self._refused(refusal, command)
        if self.replicates == REPL_ALL:
            return engine.run(session, command, argv)
        space = engine.space
        recorded = len(space.records)
        reply = engine.run(session, command, argv)
        if self.replicates & 1 == 0:
            del space.records[recorded:]
        return reply

    def _argv(self, words: tuple[Any, ...]) -> Any:
        """The arguments of a call, or the error that there is among them."""
        if not words:
            return CommandError(NO_ARGUMENTS_IN_SCRIPT)
        argv = []
        for word in words:
            if type(word) is not bytes:
                word = argument_of(word)
                if word is None:
                    return CommandError(ARGUMENTS_OF_SCRIPT)
            argv.append(word)
        return argv

    def _refusal(self, command: Command) -> str | None:
        """Why the script may not run a command."""
        flags = command.flags
        if flags & NOSCRIPT:
            return NOT_FROM_SCRIPT
        if flags & WRITE:
            if self.read_only:
                return READ_ONLY_SCRIPT
            if flags & DENYOOM and self.out_of_memory and not self.allow_oom and not self.wrote:
                return OUT_OF_MEMORY
            self.wrote = True
        elif self.read_only and command.name in MAY_REPLICATE:
            return READ_ONLY_SCRIPT
        return None

    def _refused(self, text: str, command: Command | None = None) -> CommandError:
        error = CommandError(text)
        if self.engine is not None:
            self.engine.error_counts[error.code] += 1
        if command is not None:
            command.rejected += 1
        return error

    def _failed(self, text: str) -> Any:
        return None, ERROR, self._refused(text).line

    def _for_lua(self, reply: Any) -> Any:
        """A reply that is more than a string or an integer."""
        resp3 = self.resp3
        if type(reply) is _STATUS:
            return None, STATUS, bytes(reply[:])
        if isinstance(reply, CommandError):
            return None, ERROR, reply.line
        plain = scalar_of(reply, resp3)
        if plain is not None:
            return plain
        flat = flat_of(reply, resp3)
        if flat is not None:
            return flat if self._fits(size_of(flat)) else self._failed(NO_MEMORY_IN_SCRIPT)
        return (None, NIL) if reply is None else self._in_portions(reply)

    def _in_portions(self, reply: Any) -> Any:
        """Has Lua fetch a reply as tokens."""
        tokens = tokens_of(reply, self.resp3)
        if not self._fits(size_of(tokens)):
            return self._failed(NO_MEMORY_IN_SCRIPT)
        self.outgoing = tokens
        self.sent = 0
        return None, TREE, len(tokens)


def hex_digest(text: bytes) -> bytes:
    """`redis.sha1hex`."""
    return sha1(text, usedforsecurity=False).hexdigest().encode()
