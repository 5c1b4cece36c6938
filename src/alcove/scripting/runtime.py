"""One engine's Lua: the runtime, the scripts it knows by their SHA1, and running them as part of a command.

    runtime = runtime_of(engine)                      made at first use
    script = runtime.load(body)                       compiled once; raises CommandError
    reply = runtime.run(script.runner, ctx, argv, keys, args, script.rules)

What builds on this: the globals of scripts and all that guards them are made in lua/prelude.lua, which returns its
internals. `runtime.privileged(name, *arguments)` runs another file of lua/ with `(sandbox, host, *arguments)`: the
internals (`freeze(table)`, `globals`, `load_text(code, chunkname)`, `compile(code)`, `handler`, `finished`) and the
functions of `Bridge` that Lua may call. A runner is any Lua function that takes `(keys, ...)`, the number of keys and
then keys and arguments, and returns `finished(xpcall(body, handler))`; `runtime.border.kept(function)` is what `run`
takes. `run` gives it its turn: session, time limit,
effects, reply. What runs without keyspace, such as the body of a library at FUNCTION LOAD, goes through
`runtime.guarded(runner, ctx, *arguments)`, where `redis.call` is refused.
"""

from __future__ import annotations

import random
from collections import OrderedDict
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from alcove.engine.context import Context
from alcove.engine.session import Session
from alcove.errors import (
    BUSY,
    FUNCTION_BUSY,
    FUNCTION_KILLED,
    FUNCTION_LOAD_TIMEOUT,
    KILLED,
    NO_MEMORY_IN_SCRIPT,
    NOT_BUSY,
    OUT_OF_MEMORY,
    SCRIPT_TOO_LARGE,
    STOPPED_WITH_SERVER,
    UNKILLABLE,
    WRITES_IN_READ_ONLY_CALL,
    CommandError,
    script_failed,
    script_not_compiled,
)
from alcove.scripting.bridge import Bridge, hex_digest
from alcove.scripting.bytecode import without_tail_calls
from alcove.scripting.c_locale import in_c_locale
from alcove.scripting.conversion import plain_reply, reply_of
from alcove.scripting.native_border import border_of
from alcove.scripting.shebang import COMPATIBLE, Rules, parse_shebang
from alcove.version import REDIS_VERSION

if TYPE_CHECKING:
    from alcove.engine.engine import Engine

# The most memory that Lua takes. What scripts leave behind is collected when they have used a good part of it.
MEMORY_BYTES: Final = 512 * 1024 * 1024
# Kept free, because what Python pushes must not fail.
MARGIN_BYTES: Final = 16 * 1024 * 1024
TIDY_BYTES: Final = 64 * 1024 * 1024
# What a script that is known takes besides its text, about.
SCRIPT_BYTES: Final = 120
# How many arguments go into Lua at once, and what one takes there at most besides its bytes: the string's header, its
# places on the stack and in a table, and that table as it grows.
MOST_ARGUMENTS: Final = 500
ARGUMENT_BYTES: Final = 128
# Scripts that EVAL brought are forgotten beyond this many; those of SCRIPT LOAD stay.
MOST_EVALUATED: Final = 500
# The longest script: what the parser makes of it is some ten times as large.
MOST_SCRIPT_BYTES: Final = 32 * 1024 * 1024

# What a runner answers besides plain values, as lua/prelude.lua knows them.
ANSWER_FLAT: Final = 1
ANSWER_TREE: Final = 2
ANSWER_ERROR: Final = 4

# How long a script that others wait for runs between two times that they are let in.
LET_IN_EVERY_US: Final = 1000

LIBRARIES: Final = ("bit", "struct", "cjson", "cmsgpack")


class Script:
    """A script that was compiled."""

    def __init__(self, sha: bytes, body: bytes, runner: Any, rules: Rules) -> None:
        self.sha = sha
        self.body = body
        self.runner = runner
        self.rules = rules


@cache
def source_of(name: str) -> bytes:
    """The text of a file in lua/."""
    from importlib.resources import files  # long to import, and of use only where there are scripts

    return files(__package__).joinpath("lua", f"{name}.lua").read_bytes()


def runtime_of(engine: Engine) -> Runtime:
    """The runtime of an engine, whose lock is held."""
    if engine.scripting is None:
        engine.scripting = Runtime(engine)
    return engine.scripting  # type: ignore[no-any-return]


class Runtime:
    """Lua for one engine. All methods are called with the engine's lock held."""

    def __init__(self, engine: Engine) -> None:
        self.session = Session(0, engine.space.databases[0], "script")
        self.session.context = Context(engine, self.session)
        self.session.executing = True
        self.bridge = Bridge()
        # By SHA1 in lower case, and by their text; and those that only EVAL brought, oldest first.
        self.scripts: dict[bytes, Script] = {}
        self._by_body: dict[bytes, Script] = {}
        self._evaluated: OrderedDict[bytes, None] = OrderedDict()
        # The name of what runs, when it began on the monotonic clock, and why it is to end.
        self.running = b""
        self.started_us = 0
        self.verdict: str | None = None
        # When others are let in again.
        self.next_us = 0
        # Until when it may run, 0 for as long as it wants.
        self.deadline_us = 0
        # The libraries of functions, which make themselves at first use.
        self.functions: Any = None
        with in_c_locale():
            self._open()

    def _open(self) -> None:
        # Importing takes as long as a hundred scripts.
        from lupa.lua51 import LuaRuntime

        self.lua = LuaRuntime(
            encoding=None,
            unpack_returned_tuples=True,
            register_eval=False,
            register_builtins=False,
            attribute_filter=deny_attribute,
            max_memory=MEMORY_BYTES,
        )
        bridge = self.bridge
        as_function = self.lua.globals()[b"python"][b"as_function"]
        services = {
            b"more": bridge.more,
            b"emit": bridge.emit,
            b"tick": bridge.tick,
            b"setresp": bridge.set_resp,
            b"set_repl": bridge.set_repl,
            b"log": bridge.log,
            b"acl_check_cmd": bridge.acl_check,
            b"sha1hex": hex_digest,
            b"without_tail_calls": without_tail_calls,
        }
        self.host = self.lua.table_from({name: as_function(service) for name, service in services.items()})
        self.border = border_of(self.lua, bridge)
        self.host[b"run"] = self.border.run
        for name, value in settings().items():
            self.host[name] = value
        self._load_files()

    def _load_files(self) -> None:
        arguments = self._chunk("arguments")()
        floats = self._chunk("floats")()
        shared = (arguments, floats, self.border.short_ways)
        libraries = self.lua.table_from({name.encode(): self._chunk(name)(*shared) for name in LIBRARIES})
        self.sandbox = self._chunk("prelude")(self.host, libraries, arguments, self._chunk("patterns"))
        self._compile = self.sandbox[b"compile"]

    def _chunk(self, name: str) -> Any:
        """One of the files in lua/ as a function."""
        return self.lua.compile(source_of(name), name=b"=" + name.encode())

    def privileged(self, name: str, *arguments: Any) -> Any:
        """What a file of lua/ returns that is run with the sandbox's internals, the services, and these arguments."""
        return self.border.called(self._chunk(name), (self.sandbox, self.host, *arguments))

    def service(self, function: Any) -> Any:
        """A function of Python that Lua may call. It must not raise: see `Bridge`."""
        return self.lua.globals()[b"python"][b"as_function"](function)

    # The cache

    def find(self, sha: bytes) -> Script | None:
        """The script of a SHA1, in whatever case."""
        return self.scripts.get(sha) or self.scripts.get(sha.lower())

    def script_of(self, body: bytes) -> Script:
        """The script that EVAL brings. Raises `CommandError` when it cannot be compiled."""
        script = self._by_body.get(body)
        if script is not None:
            return script
        script = self._add(body)
        self._evaluated[script.sha] = None
        if len(self._evaluated) > MOST_EVALUATED:
            sha, _ = self._evaluated.popitem(last=False)
            del self._by_body[self.scripts.pop(sha).body]
        return script

    def load(self, body: bytes) -> Script:
        """SCRIPT LOAD: the script stays until SCRIPT FLUSH. Raises `CommandError` when it cannot be compiled."""
        script = self._by_body.get(body) or self._add(body)
        self._evaluated.pop(script.sha, None)
        return script

    def _add(self, body: bytes) -> Script:
        rules, text = parse_shebang(body)
        if len(body) > MOST_SCRIPT_BYTES:
            raise CommandError(SCRIPT_TOO_LARGE)
        self.make_room(len(body))
        compiled = self.call(self._compile, text)
        if type(compiled) is tuple:
            raise CommandError(script_not_compiled(compiled[1]))
        script = Script(hex_digest(body), body, self.border.kept(compiled), rules)
        self.scripts[script.sha] = self._by_body[body] = script
        return script

    def flush(self) -> None:
        """SCRIPT FLUSH: nothing is left of the scripts."""
        self.scripts.clear()
        self._by_body.clear()
        self._evaluated.clear()
        self.border.collect()

    def footprint(self) -> int:
        """The bytes that the scripts' texts take."""
        return sum(SCRIPT_BYTES + len(script.body) for script in self.scripts.values())

    def memory_used(self) -> int:
        """The bytes that Lua takes."""
        return self.border.memory_used()

    def fits(self, size: int) -> bool:
        """Whether `size` bytes may go into Lua, if need be in the place of what nobody uses any more."""
        most = MEMORY_BYTES - MARGIN_BYTES - size
        border = self.border
        if border.memory_used() <= most:
            return True
        border.collect()
        return border.memory_used() <= most

    def make_room(self, size: int) -> None:
        """Sees to it that `size` bytes may go into Lua. Raises `CommandError` when they may not."""
        if not self.fits(size):
            raise CommandError(NO_MEMORY_IN_SCRIPT)

    # Running

    def run(
        self,
        ctx: Context,
        runner: Any,
        name: bytes,
        rules: Rules,
        read_only: bool,
        keys: int,
        arguments: tuple[bytes, ...],
    ) -> Any:
        """Runs a script or function as the command of `ctx`: the reply. `keys` of the arguments are keys.

        Raises `CommandError` when it may not run, or did not catch an error. Its effects are recorded one by one.
        """
        engine = ctx.engine
        bridge = self.bridge
        session = self.session
        bridge.read_only = read_only
        bridge.allow_oom = False
        bridge.out_of_memory = engine.out_of_memory
        if rules is not COMPATIBLE:
            self._apply(rules, read_only)
        session.database = session.context.keys = ctx.keys
        session.user = ctx.session.user
        session.caller = ctx.session
        self.running = name
        self.verdict = None
        self.started_us = self.next_us = engine.clock.monotonic_us()
        bridge.begin(engine, session, self)
        try:
            answer = self._enter(runner, keys, arguments)
            return self._reply(answer, name)
        finally:
            bridge.end()
            session.caller = None
            self.running = b""
            ctx.record_nothing()
            if self.verdict is STOPPED_WITH_SERVER:
                # SHUTDOWN NOSAVE: as if the process had ended there and then.
                engine.space.records = []

    def _apply(self, rules: Rules, read_only: bool) -> None:
        """Heeds what a script has said of itself. Raises `CommandError` when it may not run."""
        bridge = self.bridge
        if read_only and not rules.no_writes:
            raise CommandError(WRITES_IN_READ_ONLY_CALL)
        bridge.read_only = rules.no_writes
        bridge.allow_oom = rules.allow_oom or rules.no_writes
        if bridge.out_of_memory and not bridge.allow_oom:
            raise CommandError(OUT_OF_MEMORY)

    def _enter(self, runner: Any, keys: int, arguments: tuple[bytes, ...]) -> Any:
        count = len(arguments)
        size = ARGUMENT_BYTES * count
        for argument in arguments:
            size += len(argument)
        self.make_room(size)
        if count > MOST_ARGUMENTS:
            self.sandbox[b"begin_arguments"]()
            add = self.sandbox[b"add_arguments"]
            for name, words in ((b"KEYS", arguments[:keys]), (b"ARGV", arguments[keys:])):
                for start in range(0, len(words), MOST_ARGUMENTS):
                    add(name, start, *words[start : start + MOST_ARGUMENTS])
            keys, arguments = -1, ()
        return self._checked(self.border.entered(runner, keys, arguments))

    def guarded(self, engine: Engine, runner: Any, limit_us: int) -> None:
        """Runs what has nothing to do with the data, such as a library's code. Raises `CommandError` with the error
        that it did not catch, or that it got when it had run for so long.
        """
        self.verdict = None
        self.deadline_us = engine.clock.monotonic_us() + limit_us
        self.bridge.begin(engine, self.session, self)
        try:
            answer = self.call(runner)
        finally:
            self.bridge.end()
            self.deadline_us = 0
        if type(answer) is tuple and answer[0] == ANSWER_ERROR:
            raise CommandError(answer[1].decode("utf-8", "surrogateescape"))

    def call(self, function: Any, *arguments: Any) -> Any:
        """What a function of Lua's answers. What Lua cannot do, such as for want of memory, is a `CommandError`."""
        return self._checked(self.border.called(function, arguments))

    def _checked(self, answer: Any) -> Any:
        """Raises what a function that Lua called has kept."""
        failure = self.bridge.failure
        if failure is not None:
            self.bridge.failure = None
            raise failure
        return answer

    def _reply(self, answer: Any, name: bytes) -> Any:
        """The reply that a runner's answer is."""
        bridge = self.bridge
        if type(answer) is not tuple:
            return plain_reply(answer, bridge.resp3)
        kind = answer[0]
        if kind == ANSWER_FLAT:
            return [plain_reply(value, bridge.resp3) for value in answer[1:]]
        if kind == ANSWER_TREE:
            bridge.incoming.extend(answer[1:])
            return reply_of(bridge.incoming, bridge.resp3)
        if kind == ANSWER_ERROR:
            raise self._error(name, *answer[1:])
        return []

    def _error(
        self, name: bytes, text: bytes, source: bytes | None = None, line: int | None = None, counted: bool = False
    ) -> CommandError:
        """The error that a script did not catch. One of a command's that it called is counted already."""
        text = text.partition(b"\0")[0]
        error = CommandError(
            script_failed(text, name, b"%s:%d" % (source, line))
            if source and line
            else text.decode("utf-8", "surrogateescape")
        )
        if counted and self.bridge.engine is not None:
            self.bridge.engine.error_counts[error.code] -= 1
        return error

    # Time

    def tick(self) -> bytes | None:
        """Asked every so many instructions: why the script is to end, or None."""
        engine = self.bridge.engine
        self.border.breathe()
        if self.verdict is None and engine is not None:
            now_us = engine.clock.monotonic_us()
            limit_us = engine.config.busy_reply_threshold * 1000
            if self.deadline_us:
                self.verdict = FUNCTION_LOAD_TIMEOUT if now_us > self.deadline_us else None
            elif limit_us and now_us - self.started_us > limit_us and now_us > self.next_us:
                if not engine.let_others_in():
                    self.verdict = STOPPED_WITH_SERVER
                self.next_us = engine.clock.monotonic_us() + LET_IN_EVERY_US
        return None if self.verdict is None else self.verdict.encode()

    def kill(self, is_function: bool = False) -> None:
        """SCRIPT KILL or FUNCTION KILL, while the engine lets others in. Raises `CommandError` when nothing runs that
        it could end, or when that has written.
        """
        if not self.running:
            raise CommandError(NOT_BUSY)
        if self.bridge.wrote:
            raise CommandError(UNKILLABLE)
        if is_function != self.runs_function():
            raise CommandError(self.busy())
        self.verdict = FUNCTION_KILLED if is_function else KILLED

    def runs_function(self) -> bool:
        return self.functions is not None and bool(self.functions.running)

    def busy(self) -> str:
        """What other clients are told while a script runs for long."""
        return FUNCTION_BUSY if self.runs_function() else BUSY


def deny_attribute(owner: object, name: object, is_setting: bool) -> None:
    """Lua never gets hold of a Python object; should it, there is nothing to see."""
    raise AttributeError("access denied")


def settings() -> dict[bytes, Any]:
    """What lua/prelude.lua is told of the world."""
    major, minor, patch = map(int, REDIS_VERSION.split("."))
    return {
        b"version": REDIS_VERSION.encode(),
        b"version_number": major << 16 | minor << 8 | patch,
        b"seed": random.getrandbits(31),
        b"most_bytes": MEMORY_BYTES - MARGIN_BYTES,
        b"most_kilobytes": (MEMORY_BYTES - MARGIN_BYTES) // 1024,
    }
