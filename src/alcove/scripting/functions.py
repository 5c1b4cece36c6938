"""Functions: libraries loaded from code, found by the names of their functions, dumped and restored.

    functions = functions_of(engine)
    functions.load(engine, code)                 FUNCTION LOAD: the library's name; raises CommandError
    functions.dump(version), functions.restore(engine, payload, policy)
    functions.codes()                            each library's code, which is what RDB files keep of it

A library is the code of a chunk of Lua behind a line `#!lua name=library`. The chunk runs once, when it is loaded, and
registers functions; what else it made stays with them. A payload of FUNCTION DUMP is for each library the byte 245 and
its code as a string of the RDB format, in the frame of DUMP (see codec/payload.py): such payloads travel between this
and the real servers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from alcove.codec.payload import WrongFrame, sealed, unsealed
from alcove.codec.primitives import Decoder, Encoder
from alcove.engine.services import GATE_LOADING
from alcove.errors import (
    FUNCTION_ALREADY_IN_LIBRARY,
    INTERNAL,
    INVALID_FUNCTION_NAME,
    INVALID_METADATA,
    LIBRARY_NAME_MISSING,
    LIBRARY_NAME_TWICE,
    LIBRARY_NOT_FOUND,
    METADATA_MISSING,
    NO_FUNCTIONS_REGISTERED,
    NOT_A_FUNCTION_PAYLOAD,
    NOT_LOADING_LIBRARY,
    OLD_FUNCTION_PAYLOAD,
    SCRIPT_TOO_LARGE,
    TRUNCATED_FUNCTION_PAYLOAD,
    UNKNOWN_FUNCTION_FLAG,
    WRONG_PAYLOAD,
    CommandError,
    engine_not_found,
    function_exists,
    function_not_compiled,
    functions_not_registered,
    invalid_metadata,
    library_exists,
    library_to_restore_exists,
)
from alcove.quoting import split_words
from alcove.scripting.runtime import MOST_SCRIPT_BYTES, Runtime, runtime_of
from alcove.scripting.shebang import FLAGS, Rules, rules_of_flags

if TYPE_CHECKING:
    from alcove.engine.engine import Engine

# The opcodes of a library in payloads and RDB files: the one in use, and that of a release candidate.
OPCODE: Final = 245
OLD_OPCODE: Final = 246

# How long a library may take to load: a client's, and one that was loaded before and is read from disk.
LOAD_LIMIT_US: Final = 500_000
REPLAY_LIMIT_US: Final = 60_000_000
# What a function or a library takes in memory besides its texts, about.
OVERHEAD_BYTES: Final = 120

_NAME_BYTES: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")


class Function:
    """A function of a library. `runner` is what `Runtime.run` takes."""

    __slots__ = ("description", "name", "rules", "runner")

    def __init__(self, name: bytes, runner: Any, description: bytes | None, rules: Rules) -> None:
        self.name = name
        self.runner = runner
        self.description = description
        self.rules = rules

    def flags(self) -> list[bytes]:
        """The names of its flags."""
        return [flag for flag, field in FLAGS.items() if getattr(self.rules, field)]


class Library:
    """A library: its code as it was loaded, and its functions by their names."""

    __slots__ = ("code", "functions", "name")

    def __init__(self, name: bytes, code: bytes) -> None:
        self.name = name
        self.code = code
        self.functions: dict[bytes, Function] = {}

    def register(self, name: bytes, runner: Any, description: bytes | None, flags: Iterable[bytes]) -> str | None:
        """`redis.register_function`: why that cannot be, or None."""
        try:
            rules = rules_of_flags([flag.lower() for flag in flags])
        except KeyError:
            return UNKNOWN_FUNCTION_FLAG
        if not is_name(name):
            return INVALID_FUNCTION_NAME
        if name in self.functions:
            return FUNCTION_ALREADY_IN_LIBRARY
        self.functions[name] = Function(name, runner, description, rules)
        return None

    def footprint(self) -> int:
        """The bytes that it takes, without what is Lua's."""
        names = sum(len(one.name) + len(one.description or b"") + OVERHEAD_BYTES for one in self.functions.values())
        return OVERHEAD_BYTES + len(self.name) + len(self.code) + names


class Libraries:
    """Libraries by their names, and their functions by theirs, of which the case does not matter."""

    def __init__(self) -> None:
        self.by_name: dict[bytes, Library] = {}
        self.functions: dict[bytes, Function] = {}

    def add(self, library: Library) -> None:
        """Adds a library whose functions have names that are not taken."""
        self.by_name[library.name] = library
        for name, function in library.functions.items():
            self.functions.setdefault(name.lower(), function)

    def remove(self, name: bytes) -> None:
        library = self.by_name.pop(name)
        for one in library.functions:
            self.functions.pop(one.lower(), None)

    def check(self, library: Library, instead: Iterable[Library] = ()) -> None:
        """Raises `CommandError` if a function's name is taken by one that does not belong to `instead`."""
        going = {one for old in instead for one in old.functions.values()}
        for name in library.functions:
            function = self.functions.get(name.lower())
            if function is not None and function not in going:
                raise CommandError(function_exists(name))


class Functions:
    """The libraries of one engine. All methods are called with the engine's lock held."""

    def __init__(self) -> None:
        self.libraries = Libraries()
        # The call that is running, and the library that is being loaded.
        self.running: list[bytes] = []
        self._loading: Library | None = None
        self._compile: Any = None

    def find(self, name: bytes) -> Function | None:
        return self.libraries.functions.get(name) or self.libraries.functions.get(name.lower())

    def codes(self) -> list[bytes]:
        return [library.code for library in self.libraries.by_name.values()]

    def footprint(self) -> int:
        return sum(library.footprint() for library in self.libraries.by_name.values())

    # Changing

    def load(self, engine: Engine, code: bytes, replace: bool = False) -> bytes:
        """Loads a library and answers its name. If that fails, `CommandError`, all is as it was."""
        return self._load(self.libraries, engine, code, replace)

    def _load(self, libraries: Libraries, engine: Engine, code: bytes, replace: bool) -> bytes:
        name, text = parse_metadata(code)
        old = libraries.by_name.get(name)
        if old is not None and not replace:
            raise CommandError(library_exists(name))
        library = self._loaded(engine, name, code, text)
        libraries.check(library, () if old is None else (old,))
        if old is not None:
            libraries.remove(name)
        libraries.add(library)
        return name

    def delete(self, name: bytes) -> None:
        if name not in self.libraries.by_name:
            raise CommandError(LIBRARY_NOT_FOUND)
        self.libraries.remove(name)

    def flush(self) -> None:
        self.libraries = Libraries()

    def _loaded(self, engine: Engine, name: bytes, code: bytes, text: bytes) -> Library:
        """What a library's code registers when it runs."""
        if len(code) > MOST_SCRIPT_BYTES:
            raise CommandError(SCRIPT_TOO_LARGE)
        runtime = runtime_of(engine)
        runtime.make_room(len(code))
        if self._compile is None:
            self._compile = runtime.privileged("functions", runtime.service(self._registered(runtime)))
        compiled = runtime.call(self._compile, text)
        if type(compiled) is tuple:
            raise CommandError(function_not_compiled(compiled[1]))
        library = self._loading = Library(name, code)
        limit_us = REPLAY_LIMIT_US if engine.gate & GATE_LOADING else LOAD_LIMIT_US
        try:
            runtime.guarded(engine, compiled, limit_us)
        except CommandError as error:
            raise CommandError(functions_not_registered(error.text)) from None
        finally:
            self._loading = None
        if not library.functions:
            raise CommandError(NO_FUNCTIONS_REGISTERED)
        return library

    def _registered(self, runtime: Runtime) -> Any:
        """What Lua calls to register a function. It never raises: see `Bridge`."""

        def register(name: bytes, runner: Any, description: Any, *flags: bytes) -> bytes | None:
            try:
                if self._loading is None:
                    return NOT_LOADING_LIBRARY.encode()
                runner = runtime.border.kept(runner)
                problem = self._loading.register(name, runner, None if description is False else description, flags)
                return None if problem is None else problem.encode()
            except BaseException as error:
                runtime.bridge.failure = error
                return INTERNAL.encode()

        return register

    # Payloads

    def dump(self, version: int) -> bytes:
        """FUNCTION DUMP, for readers of an RDB version."""
        encoder = Encoder()
        for code in self.codes():
            encoder.byte(OPCODE)
            encoder.string(code)
        return sealed(encoder.take(), version)

    def restore(self, engine: Engine, payload: bytes, policy: bytes = b"APPEND") -> None:
        """FUNCTION RESTORE: adds the libraries of a payload, instead of all (FLUSH) or of those with their names
        (REPLACE) that there are. If one cannot be, `CommandError`, all is as it was.
        """
        new = Libraries()
        for code in codes_of(payload):
            self._load(new, engine, code, False)
        if policy != b"FLUSH":
            old = [self.libraries.by_name[name] for name in new.by_name if name in self.libraries.by_name]
            if old and policy == b"APPEND":
                raise CommandError(library_to_restore_exists(old[0].name))
            for library in new.by_name.values():
                self.libraries.check(library, old)
            for library in self.libraries.by_name.values():
                if library.name not in new.by_name:
                    new.add(library)
        self.libraries = new


def functions_of(engine: Engine) -> Functions:
    """The functions of an engine, whose lock is held."""
    runtime = runtime_of(engine)
    if runtime.functions is None:
        runtime.functions = Functions()
    return runtime.functions  # type: ignore[no-any-return]


def library_codes(engine: Engine) -> list[bytes]:
    """The code of all libraries, for who keeps them; no runtime is made for an engine that has none."""
    functions = engine.scripting.functions if engine.scripting is not None else None
    return [] if functions is None else functions.codes()


def is_name(name: bytes) -> bool:
    """Whether a library or function may be called so."""
    return bool(name) and _NAME_BYTES.issuperset(name)


def parse_metadata(code: bytes) -> tuple[bytes, bytes]:
    """A library's name, and its code with an empty first line. Raises `CommandError`."""
    if not code.startswith(b"#!"):
        raise CommandError(METADATA_MISSING)
    line, newline, text = code.partition(b"\n")
    words = split_words(line) if newline else None
    if not words:
        raise CommandError(INVALID_METADATA)
    name = None
    for word in words[1:]:
        if word[:5].lower() != b"name=":
            raise CommandError(invalid_metadata(word))
        if name is not None:
            raise CommandError(LIBRARY_NAME_TWICE)
        name = word[5:]
    if name is None:
        raise CommandError(LIBRARY_NAME_MISSING)
    if not is_name(name):
        raise CommandError(INVALID_FUNCTION_NAME)
    engine = words[0][2:]
    if engine.lower() != b"lua":
        raise CommandError(engine_not_found(engine))
    return name, b"\n" + text


def codes_of(payload: bytes) -> Iterator[bytes]:
    """The codes of the libraries in a payload, one by one: what is wrong is met in its turn. Raises `CommandError`."""
    try:
        body, _ = unsealed(payload)
    except WrongFrame:
        raise CommandError(WRONG_PAYLOAD) from None
    decoder = Decoder(body)
    while decoder.position < len(body):
        opcode = decoder.byte()
        if opcode == OLD_OPCODE:
            raise CommandError(OLD_FUNCTION_PAYLOAD)
        if opcode != OPCODE:
            raise CommandError(NOT_A_FUNCTION_PAYLOAD)
        try:
            code = decoder.string()
        except ValueError:
            raise CommandError(TRUNCATED_FUNCTION_PAYLOAD) from None
        yield code
