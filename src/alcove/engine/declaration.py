"""The declaration of commands: the decorator, what follows from it, and the registry that everything reads.

    @command("GETDEL key", flags="write fast", since="6.2.0", complexity="O(1)")
    def getdel(ctx: Context, key: bytes) -> bytes | None:
        \"\"\"Returns the string value of a key after deleting the key.\"\"\"

That one declaration is the whole truth about a command. The synopsis gives arity, key positions and the argument
tree of COMMAND DOCS (see `synopsis`); the docstring's first paragraph is the summary; the group is the module's
`GROUP`, or its file's name; the ACL categories follow from group and flags. What cannot follow is said:

    keys="RO access"                 the access flags of the keys, where `default_access` guesses wrong;
    keys=("RO access", "OW update")  the same for each key spec. "unknown RO access" is one that no rule finds,
                                     and stands for the rest of those the synopsis would give
    acl="+dangerous -keyspace"       categories beside, or not, those of group and flags
    arity=-1                         where the servers accept more, or less, than the synopsis says
    tips="nondeterministic_output"   the hints for clients and proxies
    deprecated=("6.2.0", "`GETEX`")  since when, and what replaces it
    history=(("7.0.0", "..."),)      what changed when
    sliced=True                      the handler is a generator that yields between slices
    help_since="5.0.0"               the command is a container as well, whose HELP exists since then

A container is declared before its subcommands (`container("CLIENT", ...)`, then `@command("CLIENT ID", ...)`), and
gets its HELP by itself. A handler is called with the context and the arguments behind the command's name.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any, Final, TypeVar

from alcove.engine.histogram import Histogram
from alcove.engine.synopsis import (
    Argument,
    KeySpec,
    Keyword,
    are_movable,
    arity_of,
    joined,
    key_specs,
    parse,
    positions,
    usage,
)
from alcove.values import Status

Handler = TypeVar("Handler", bound=Callable[..., Any])

# The flags of a command, in the order in which COMMAND INFO lists them.
WRITE: Final = 1 << 0
READONLY: Final = 1 << 1
DENYOOM: Final = 1 << 2
ADMIN: Final = 1 << 3
PUBSUB: Final = 1 << 4
NOSCRIPT: Final = 1 << 5
BLOCKING: Final = 1 << 6
LOADING: Final = 1 << 7
STALE: Final = 1 << 8
SKIP_MONITOR: Final = 1 << 9
SKIP_SLOWLOG: Final = 1 << 10
ASKING: Final = 1 << 11
FAST: Final = 1 << 12
NO_AUTH: Final = 1 << 13
NO_MANDATORY_KEYS: Final = 1 << 14
NO_ASYNC_LOADING: Final = 1 << 15
NO_MULTI: Final = 1 << 16
MOVABLEKEYS: Final = 1 << 17
ALLOW_BUSY: Final = 1 << 18

FLAGS: Final[dict[str, int]] = {
    "write": WRITE,
    "readonly": READONLY,
    "denyoom": DENYOOM,
    "admin": ADMIN,
    "pubsub": PUBSUB,
    "noscript": NOSCRIPT,
    "blocking": BLOCKING,
    "loading": LOADING,
    "stale": STALE,
    "skip_monitor": SKIP_MONITOR,
    "skip_slowlog": SKIP_SLOWLOG,
    "asking": ASKING,
    "fast": FAST,
    "no_auth": NO_AUTH,
    "no_mandatory_keys": NO_MANDATORY_KEYS,
    "no_async_loading": NO_ASYNC_LOADING,
    "no_multi": NO_MULTI,
    "movablekeys": MOVABLEKEYS,
    "allow_busy": ALLOW_BUSY,
}

# The ACL categories in the order of ACL CAT; category n is bit n of `Command.categories`.
CATEGORIES: Final = (
    *("keyspace", "read", "write", "set", "sortedset", "list", "hash", "string", "bitmap", "hyperloglog", "geo"),
    *("stream", "pubsub", "admin", "fast", "slow", "blocking", "dangerous", "connection", "transaction"),
    "scripting",
)
CATEGORY_BITS: Final = {name: 1 << place for place, name in enumerate(CATEGORIES)}

# The groups whose name is not that of their category, if they have one.
CATEGORY_OF_GROUP: Final = {
    "generic": "keyspace",
    "sorted-set": "sortedset",
    "transactions": "transaction",
    "pubsub": "",
}


# The words for what a command does to a key: RO, RW, OW or RM (reads, writes, overwrites, removes the entry), what it
# does with the user's data, and how far the key spec can be relied upon.
ACCESS: Final = frozenset(
    ("RO", "RW", "OW", "RM", "access", "update", "insert", "delete", "not_key", "incomplete", "variable_flags")
)

# Where a command stores its result.
DESTINATIONS: Final = frozenset({"destination", "destkey", "dst"})


# The most words of a command whose number of words is not bounded.
ANY: Final = 2**31 - 1


class DeclarationError(ValueError):
    """A declaration that contradicts itself: a mistake in our own source."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is declared of a command, and what follows from it."""

    name: str  # as the servers give it: "get", "client|id"
    synopsis: str  # without the name
    arguments: tuple[Argument, ...]
    arity: int
    flags: int
    categories: int
    key_specs: tuple[KeySpec, ...]
    group: str
    since: str
    complexity: str
    summary: str
    deprecated: tuple[str, str] | None = None
    history: tuple[tuple[str, str], ...] = ()
    tips: tuple[str, ...] = ()
    sliced: bool = False


class Command:
    """A command as one engine runs it: its facts at hand for the hot path, and its statistics.

    `words` is how many words its name has, so that `argv[words:]` are its arguments. `subcommands` is None unless
    it is a container; `handler` is None for one that does nothing itself.
    """

    def __init__(
        self, facts: Facts, handler: Callable[..., Any] | None, identity: int, container: Command | None
    ) -> None:
        self.facts = facts
        self.handler: Any = handler
        self.id = identity  # dense, for the bitmaps of the ACL
        self.name = facts.name
        self.words = 1 if container is None else 2
        self.arity = facts.arity
        # The arity again as bounds, for the hot path: `least <= len(argv) <= most`.
        self.least = abs(facts.arity)
        self.most = facts.arity if facts.arity > 0 else ANY
        self.flags = facts.flags
        self.categories = facts.categories
        self.sliced = facts.sliced
        self.first_key, self.last_key, self.step = positions(facts.key_specs)
        self.container = container
        # The name by which it was found last, as that object.
        self.called = b""
        self.subcommands: dict[bytes, Command] | None = None
        self.calls = 0
        self.usec = 0
        self.rejected = 0
        self.failed = 0
        self.latency = Histogram()

    def __repr__(self) -> str:
        return f"<Command {self.name}>"

    def accepts(self, argc: int) -> bool:
        """Whether the number of words, with those of the name, fits the arity."""
        return self.least <= argc <= self.most

    def find(self, name: bytes) -> Command | None:
        """The subcommand of a container."""
        if self.subcommands is None:
            return None
        found: Command | None = self.subcommands.get(name)
        if found is None:
            found = self.subcommands.get(name.lower())
        return found

    def members(self) -> list[Command]:
        """The subcommands, in the order of their declaration."""
        return list(dict.fromkeys(self.subcommands.values())) if self.subcommands else []


class Registry:
    """The commands of an engine. The module's own `REGISTRY` is the one that the families declare into."""

    def __init__(self) -> None:
        # Those that are no subcommands, in the order of their declaration.
        self.commands: list[Command] = []
        # With the subcommands.
        self.size = 0
        # By name in lower and upper case.
        self.table: dict[bytes, Command] = {}
        # The command found last.
        self._last: Command | None = None

    def __iter__(self) -> Iterator[Command]:
        """Every command, subcommands behind their container."""
        for one in self.commands:
            yield one
            yield from one.members()

    def __len__(self) -> int:
        return self.size

    def find(self, name: bytes) -> Command | None:
        """The command or container of a name, in whatever case.

        The reader gives a name that comes again as the same object, which needs no search.
        """
        last = self._last
        if last is not None and last.called is name:
            return last
        found: Command | None = self.table.get(name)
        if found is None:
            found = self.table.get(name.lower())
        if found is not None:
            found.called = name
            self._last = found
        return found

    def resolve(self, argv: list[bytes]) -> Command | None:
        """The command that the words of a call mean: of a container with a second word, the subcommand."""
        found = self.find(argv[0])
        if found is not None and found.subcommands is not None and len(argv) > 1:
            return found.find(argv[1])
        return found

    def lookup(self, name: bytes) -> Command | None:
        """The command of a whole name such as `get` or `client|id`."""
        first, bar, second = name.partition(b"|")
        found = self.find(first)
        return found.find(second) if found is not None and bar else found

    def copy(self) -> Registry:
        """The same commands, with statistics of their own."""
        other = Registry()
        for one in sorted(self, key=attrgetter("id")):
            other.add(one.facts, one.handler, is_container=one.subcommands is not None)
        return other

    def add(self, facts: Facts, handler: Callable[..., Any] | None, is_container: bool = False) -> Command:
        first, _, second = facts.name.encode().partition(b"|")
        container = self.table[first] if second else None
        table = self.table if container is None else container.subcommands
        name = second or first
        if table is None or name in table:
            raise DeclarationError(f"{facts.name} is declared twice, or below a command that is no container")
        added = Command(facts, handler, self.size, container)
        self.size += 1
        if is_container:
            added.subcommands = {}
        if container is None:
            self.commands.append(added)
        table[name] = table[name.upper()] = added
        return added

    def command(
        self,
        synopsis: str,
        *,
        flags: str = "",
        since: str,
        complexity: str,
        keys: str | tuple[str, ...] | None = None,
        acl: str = "",
        tips: str = "",
        deprecated: tuple[str, str] | None = None,
        history: tuple[tuple[str, str], ...] = (),
        group: str = "",
        arity: int = 0,
        sliced: bool = False,
        help_since: str = "",
    ) -> Callable[[Handler], Handler]:
        """Declares the command that the decorated function carries out; the module's docstring has the rest."""

        def declare(handler: Handler) -> Handler:
            name, arguments = self.split(synopsis)
            facts = derive(
                Facts(
                    name=name,
                    synopsis=arguments,
                    arguments=parse(arguments, name.replace("|", " ").upper()),
                    arity=arity,
                    flags=bits_of(flags),
                    categories=0,
                    key_specs=(),
                    group=group or group_of(handler),
                    since=since,
                    complexity=complexity,
                    summary=summary_of(handler),
                    deprecated=deprecated,
                    history=history,
                    tips=tuple(tips.split()),
                    sliced=sliced,
                ),
                keys,
                acl,
            )
            self.add(facts, handler, is_container=bool(help_since))
            if help_since:
                self.add_help(facts, help_since, acl)
            return handler

        return declare

    def container(
        self, name: str, *, since: str, group: str, summary: str, help_since: str | None = "", acl: str = ""
    ) -> None:
        """Declares a command that only holds subcommands. Its HELP, if `help_since` is not None, declares itself."""
        facts = Facts(
            name=name.lower(),
            synopsis="",
            arguments=(),
            arity=-2,
            flags=0,
            categories=with_exceptions(CATEGORY_BITS["slow"], acl),
            key_specs=(),
            group=group,
            since=since,
            complexity="Depends on subcommand.",
            summary=summary,
        )
        self.add(facts, None, is_container=True)
        if help_since is not None:
            self.add_help(facts, help_since or since, acl)

    def add_help(self, container: Facts, since: str, acl: str) -> None:
        facts = Facts(
            name=f"{container.name}|help",
            synopsis="",
            arguments=(),
            arity=2,
            flags=LOADING | STALE,
            categories=with_exceptions(categories_of(container.group, 0), acl),
            key_specs=(),
            group=container.group,
            since=since,
            complexity="O(1)",
            summary="Returns helpful text about the different subcommands.",
        )
        first = container.name.encode()

        def helped(ctx: Any) -> list[Status]:
            return help_lines(self.table[first])

        self.add(facts, helped)

    def split(self, synopsis: str) -> tuple[str, str]:
        """The name, as in `client|setname`, and the arguments of a whole synopsis."""
        first, _, rest = synopsis.partition(" ")
        found = self.find(first.encode())
        if found is None or found.subcommands is None:
            return first.lower(), rest
        second, _, rest = rest.partition(" ")
        return f"{first}|{second}".lower(), rest


def derive(facts: Facts, keys: str | tuple[str, ...] | None, acl: str) -> Facts:
    """Fills in what follows from the rest."""
    words = 1 + facts.name.count("|")
    specs = with_access(key_specs(facts.arguments, words), keys, facts.flags)
    flags = facts.flags | (MOVABLEKEYS if are_movable(specs) else 0)
    categories = with_exceptions(categories_of(facts.group, flags), acl)
    arity = facts.arity or arity_of(facts.arguments, words)
    return replace(facts, arity=arity, key_specs=specs, flags=flags, categories=categories)


def bits_of(flags: str) -> int:
    bits = 0
    for name in flags.split():
        bits |= FLAGS[name]
    return bits


def categories_of(group: str, flags: int) -> int:
    """The ACL categories that group and flags imply."""
    bits = category_of_group(group)
    if flags & WRITE:
        bits |= CATEGORY_BITS["write"]
    if flags & READONLY and group != "scripting":
        bits |= CATEGORY_BITS["read"]
    if flags & ADMIN:
        bits |= CATEGORY_BITS["admin"] | CATEGORY_BITS["dangerous"]
    if flags & PUBSUB:
        bits |= CATEGORY_BITS["pubsub"]
    if flags & BLOCKING:
        bits |= CATEGORY_BITS["blocking"]
    return bits | CATEGORY_BITS["fast" if flags & FAST else "slow"]


def category_of_group(group: str) -> int:
    """A group such as `server` has no category."""
    return CATEGORY_BITS.get(CATEGORY_OF_GROUP.get(group, group), 0)


def with_exceptions(categories: int, exceptions: str) -> int:
    for word in exceptions.split():
        sign, name = word[0], word[1:]
        if sign == "+":
            categories |= CATEGORY_BITS[name]
        elif sign == "-":
            categories &= ~CATEGORY_BITS[name]
        else:
            raise DeclarationError(f"{word} is neither +category nor -category")
    return categories


def with_access(found: list[KeySpec], keys: str | tuple[str, ...] | None, flags: int) -> tuple[KeySpec, ...]:
    """The key specs with their access flags, as declared or by default."""
    if keys is None:
        access = default_access([spec.name for spec in found], flags)
    else:
        access = [keys] * len(found) if isinstance(keys, str) else list(keys)
    unknown = [words.split()[1:] for words in access if words.startswith("unknown")]
    known = [words.split() for words in access if not words.startswith("unknown")]
    if not ACCESS.issuperset(word for names in (*known, *unknown) for word in names):
        raise DeclarationError(f"unknown access flags among {access}")
    if len(known) > len(found) or (not unknown and len(known) < len(found)):
        raise DeclarationError(f"{len(found)} key specs, but access flags for {len(known)}")
    specs = []
    for spec, names in zip(found, known, strict=False):
        if isinstance(spec.begin, Keyword):
            # The keyword may also occur as a value, so that it is no sure guide.
            names.append("incomplete")
        specs.append(replace(spec, flags=tuple(names)))
    return (*joined(specs), *(KeySpec("", None, None, tuple(names)) for names in unknown))


def default_access(names: list[str], flags: int) -> list[str]:
    """What a command most likely does to keys of these names, in the servers' terms."""
    if flags & READONLY:
        return ["RO access"] * len(names)
    if not flags & WRITE:
        return ["not_key" if name == "shardchannel" else "RW access update" for name in names]
    moves = names[:1] == ["source"]
    stores = not moves and any(name in DESTINATIONS for name in names)
    access = []
    for name in names:
        if name in DESTINATIONS:
            access.append("RW insert" if moves else "OW update")
        elif moves:
            access.append("RW access delete")
        else:
            access.append("RO access" if stores else "RW update")
    return access


def group_of(handler: Callable[..., Any]) -> str:
    module = handler.__module__
    named: str | None = getattr(sys.modules[module], "GROUP", None)
    return named or module.rpartition(".")[2].replace("_", "-")


def summary_of(handler: Callable[..., Any]) -> str:
    """The first paragraph of the docstring, on one line."""
    text = inspect.cleandoc(handler.__doc__ or "")
    if not text:
        raise DeclarationError(f"{handler.__module__}: a command without a docstring")
    return " ".join(text.split("\n\n")[0].split())


def help_lines(container: Command) -> list[Status]:
    """The reply of a container's HELP, laid out as the servers do."""
    lines = [f"{container.name.upper()} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"]
    if container.least == 1:
        lines += ["(no subcommand)", f"    {container.facts.summary}"]
    for member in container.members():
        name = member.name.partition("|")[2].upper()
        if name != "HELP":
            lines += [f"{name} {usage(member.facts.synopsis)}".rstrip(), f"    {member.facts.summary}"]
    lines += ["HELP", "    Print this help."]
    return [Status(line.encode()) for line in lines]


REGISTRY: Final = Registry()
command: Final = REGISTRY.command
container: Final = REGISTRY.container
