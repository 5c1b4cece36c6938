"""The synopsis language: one line as in the manual, from which arity, key positions and the argument tree follow.

    key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]

A word without a lower-case letter is a token, to be typed as it stands; any other word names a value, whose type
follows from its name by one table (`TYPES`). `[...]` is optional, `<...>` groups, `|` separates alternatives, and
`x [x ...]` repeats what stands before the bracket. A token governs the values and choices right behind it, up to
the next token or optional part: `[LIMIT offset count]` is one argument of two values, introduced by LIMIT.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final


@dataclass(frozen=True, slots=True)
class Argument:
    """A node of the argument tree, in the terms of COMMAND DOCS."""

    name: str
    type: str
    token: str = ""
    optional: bool = False
    multiple: bool = False
    multiple_token: bool = False
    arguments: tuple[Argument, ...] = ()


@dataclass(frozen=True, slots=True)
class Index:
    """The keys begin at a fixed position; the command's name is position 0."""

    index: int


@dataclass(frozen=True, slots=True)
class Keyword:
    """The keys begin behind a keyword, looked for from a position on; from the end backwards if it is negative."""

    keyword: str
    startfrom: int


@dataclass(frozen=True, slots=True)
class Range:
    """Every `keystep`-th argument is a key, up to `lastkey`: relative to the first key, or to the end if negative.

    With a `limit` of n only the first nth part of the remaining arguments holds keys.
    """

    lastkey: int
    keystep: int = 1
    limit: int = 0


@dataclass(frozen=True, slots=True)
class KeyNum:
    """The number of keys stands among the arguments; both positions are relative to where the keys begin."""

    keynumidx: int
    firstkey: int
    keystep: int = 1


@dataclass(frozen=True, slots=True)
class KeySpec:
    """Where some keys of a command are; `begin` and `find` are None when no rule can say it."""

    name: str
    begin: Index | Keyword | None
    find: Range | KeyNum | None
    flags: tuple[str, ...] = ()


class SynopsisError(ValueError):
    """A synopsis that cannot be read: a mistake in a declaration."""


# The types that have key specs; sharded channels have them for their slots.
KEYS: Final = ("key", "channel")

# The type of a value by its name; a name that is absent is a string.
TYPES: Final[dict[str, str]] = {
    name: kind
    for kind, names in {
        "key": "key key1 key2 newkey source src sourcekey destination dst destkey",
        "channel": "shardchannel",
        "pattern": "pattern",
        "unix-time": "unix-time-seconds unix-time-milliseconds",
        "double": "height width latitude longitude radius score",
        "integer": """
            bit bits client-id cluster-bus-port config-epoch count cursor db decrement destination-db end end-slot
            entries-added entries-read frequency increment index index1 index2 len limit maxage maxlen milliseconds
            min-match-len ms num-matches numfields numids numkeys numlocal numreplicas offset port protover rank
            seconds slot start start-slot stop timeout ttl version weight
        """,
    }.items()
    for name in names.split()
}

# Names that mean something else in some commands.
TYPES_BY_COMMAND: Final[dict[str, dict[str, str]]] = {
    command: dict([entry.split("=") for entry in entries.split()])
    for commands, entries in {
        "BLPOP BRPOP BLMOVE BLMPOP BRPOPLPUSH BZPOPMIN BZPOPMAX BZMPOP": "timeout=double",
        "INCRBYFLOAT HINCRBYFLOAT": "increment=double",
        "ZCOUNT ZRANGEBYSCORE ZREVRANGEBYSCORE ZREMRANGEBYSCORE": "min=double max=double",
        "ZRANGE": "start=string stop=string",
        "XRANGE XREVRANGE XPENDING": "start=string end=string",
        "XPENDING": "start=string end=string min-idle-time=integer",
        "XAUTOCLAIM": "start=string",
        "SETBIT BITFIELD": "value=integer",
    }.items()
    for command in commands.split()
} | {"CLUSTER KEYSLOT": {"key": "string"}, "PUBSUB SHARDNUMSUB": {"shardchannel": "string"}}

WORDS: Final = re.compile(r"\.\.\.|[\[\]<>|]|[^\s\[\]<>|]+")


def parse(text: str, command: str = "") -> tuple[Argument, ...]:
    """The argument tree of a synopsis, given without the command's name, which only decides the types."""
    try:
        return tuple(_Folder(TYPES | TYPES_BY_COMMAND.get(command, {})).choice(_nest(text).alternatives))
    except SynopsisError as error:
        raise SynopsisError(f"{command} {text}: {error}") from None


# Reading: first the brackets are nested, then each sequence of words and groups is folded into arguments.


DIFFERS: Final = "what repeats differs from what stands before it"


@dataclass(slots=True)
class _Group:
    optional: bool
    repeats: bool = False
    alternatives: list[list[str | _Group]] = field(default_factory=lambda: [[]])


def _nest(text: str) -> _Group:
    stack = [_Group(optional=False)]
    for word in WORDS.findall(text):
        group = stack[-1]
        if word in ("[", "<"):
            stack.append(_Group(optional=word == "["))
        elif word in ("]", ">"):
            if len(stack) == 1 or group.optional != (word == "]"):
                raise SynopsisError(f"{word!r} closes nothing")
            stack.pop()
            stack[-1].alternatives[-1].append(group)
        elif word == "|":
            group.alternatives.append([])
        elif word == "...":
            group.repeats = True
        else:
            group.alternatives[-1].append(word)
    if len(stack) > 1:
        raise SynopsisError("a bracket is not closed")
    return stack[0]


class _Folder:
    """Folds nested words into arguments; knows the types of one command's values."""

    def __init__(self, types: dict[str, str]) -> None:
        self.types = types

    def choice(self, alternatives: list[list[str | _Group]]) -> list[Argument]:
        if len(alternatives) == 1:
            return self.sequence(alternatives[0])
        # `a | b [a | b ...]`: what repeats is the choice itself.
        *last, tail = alternatives[-1]
        if isinstance(tail, _Group) and tail.repeats and len(tail.alternatives) > 1:
            choices = self.choice([*alternatives[:-1], last])
            if choices != self.choice(tail.alternatives):
                raise SynopsisError(DIFFERS)
            return [replace(choices[0], multiple=True)]
        choices = [_single(self.sequence(alternative)) for alternative in alternatives]
        return [Argument(_joined(choices), "oneof", arguments=tuple(choices))]

    def sequence(self, nodes: list[str | _Group]) -> list[Argument]:
        """Folds a sequence; `start` is where the values begin that `token` governs."""
        done: list[Argument] = []
        token, start = "", 0

        def close() -> None:
            if token:
                done[start:] = [_governed(token, done[start:])]

        for node in nodes:
            if isinstance(node, str):
                if is_token(node):
                    close()
                    token, start = node, len(done)
                else:
                    done.append(Argument(node, self.types.get(node, "string")))
            elif not node.optional:
                done.append(_single(self.choice(node.alternatives)))
            else:
                inner = self.choice(node.alternatives)
                if node.repeats and _repeat(done, start, inner):
                    continue
                close()
                token, start = "", 0
                if not node.repeats:
                    done.append(replace(_single(inner), optional=True))
                elif not _repeat(done, start, inner):
                    raise SynopsisError(DIFFERS)
        close()
        return done


def is_token(word: str) -> bool:
    return word == word.upper()


def _repeat(done: list[Argument], start: int, inner: list[Argument]) -> bool:
    """Marks the tail of `done` as repeating if it is what the repetition says; it may not reach before `start`."""
    tail = len(done) - len(inner)
    if tail < start or done[tail:] != inner:
        return False
    repeated = _single(inner)
    done[tail:] = [replace(repeated, multiple=True, multiple_token=bool(repeated.token))]
    return True


def _governed(token: str, values: list[Argument]) -> Argument:
    if not values:
        return Argument(token.lower(), "pure-token", token)
    return replace(_single(values), token=token)


def _single(arguments: list[Argument]) -> Argument:
    """A sequence as one argument: a block unless it is of length one."""
    if len(arguments) == 1:
        return arguments[0]
    return Argument(_joined(arguments), "block", arguments=tuple(arguments))


def _joined(arguments: Sequence[Argument]) -> str:
    return "-".join(argument.name for argument in arguments)


# Deriving


def usage(text: str) -> str:
    """A synopsis as the HELP of a container writes it: `<name>` for a value and `(A|B)` for a choice."""
    brackets = {"<": "(", ">": ")"}

    def written(found: re.Match[str]) -> str:
        word = found[0]
        return brackets.get(word, word if is_token(word) else f"<{word}>")

    return WORDS.sub(written, text).replace(" | ", "|")


def shortest(argument: Argument) -> int:
    """The least number of words an argument takes when it is given."""
    if argument.type == "oneof":
        inner = min(shortest(choice) for choice in argument.arguments)
    elif argument.type == "block":
        inner = sum(least(part) for part in argument.arguments)
    else:
        inner = 0 if argument.type == "pure-token" else 1
    return inner + bool(argument.token)


def least(argument: Argument) -> int:
    return 0 if argument.optional else shortest(argument)


def is_fixed(argument: Argument) -> bool:
    """Whether an argument always takes the same number of words."""
    if argument.optional or argument.multiple:
        return False
    if argument.type == "oneof" and len({shortest(choice) for choice in argument.arguments}) > 1:
        return False
    return all(is_fixed(part) for part in argument.arguments)


def arity_of(arguments: Sequence[Argument], words: int = 1) -> int:
    """The arity as the servers count it: with the `words` of the name; negative means at least so many."""
    count = words + sum(least(argument) for argument in arguments)
    return count if all(is_fixed(argument) for argument in arguments) else -count


def key_specs(arguments: Sequence[Argument], words: int = 1) -> list[KeySpec]:
    """Where the keys are, in the order of the synopsis; the access flags are not known here."""
    finder = _KeyFinder()
    finder.sequence(arguments, words, fixed=True, after=0)
    return finder.specs


class _KeyFinder:
    """Walks an argument tree and notes where keys are.

    `position` is the least position a part can have and `fixed` whether it is the only one; `after` is how many
    words follow the part, or None if that varies.
    """

    def __init__(self) -> None:
        self.specs: list[KeySpec] = []

    def sequence(
        self, parts: Sequence[Argument], position: int, fixed: bool, after: int | None, keyword: Keyword | None = None
    ) -> None:
        for place, part in enumerate(parts):
            rest = parts[place + 1 :]
            behind = None
            if after is not None and all(is_fixed(other) for other in rest):
                behind = after + sum(least(other) for other in rest)
            if place and parts[place - 1].name == "numkeys" and fixed:
                self.counted(part, position - 1)
            elif _is_key_list(part) and len(rest) == 1 and rest[0].multiple and after == 0:
                # As in `STREAMS key [key ...] id [id ...]`: the keys are the first half.
                self.note(part, position, fixed, Range(-1, 1, limit=2), keyword)
            else:
                self.part(part, position, fixed, behind, keyword)
            position += least(part)
            fixed = fixed and is_fixed(part)

    def part(self, part: Argument, position: int, fixed: bool, after: int | None, keyword: Keyword | None) -> None:
        if part.token:
            # An optional list of keys at the end is looked for from the end: the word may also be a value before.
            at_end = part.optional and part.multiple and after == 0
            keyword = Keyword(part.token, -2 if at_end else position)
            position += 1
        if _is_key_list(part):
            step = shortest(part) - bool(part.token)
            self.note(part, position, fixed, None if after is None else Range(-1 - after, step), keyword)
        elif part.type in KEYS:
            self.note(part, position, fixed, Range(0), keyword)
        elif part.type == "block":
            self.sequence(part.arguments, position, fixed, after, keyword)
        else:
            for choice in part.arguments:
                self.part(choice, position, fixed, after, keyword)

    def counted(self, part: Argument, position: int) -> None:
        if _is_key_list(part):
            step = shortest(part)
            self.specs.append(KeySpec(_key_name(part), Index(position), KeyNum(0, 1, step)))

    def note(self, part: Argument, position: int, fixed: bool, find: Range | None, keyword: Keyword | None) -> None:
        begin = Index(position) if fixed else keyword
        known = begin is not None and find is not None
        self.specs.append(KeySpec(_key_name(part), begin if known else None, find if known else None))


def _is_key_list(part: Argument) -> bool:
    """Whether a part is `key [key ...]`, or as in MSET `key value [key value ...]`."""
    first = part.arguments[0] if part.type == "block" else part
    return part.multiple and first.type in KEYS


def _key_name(part: Argument) -> str:
    return part.arguments[0].name if part.type == "block" else part.name


def joined(specs: Sequence[KeySpec]) -> list[KeySpec]:
    """Keys that adjoin and are used alike make one range, as in LCS."""
    result: list[KeySpec] = []
    for spec in specs:
        before = result.pop() if result else None
        if before is not None and before.flags == spec.flags and (both := _as_one(before, spec)):
            result.append(both)
        else:
            result += [spec] if before is None else [before, spec]
    return result


def _as_one(before: KeySpec, spec: KeySpec) -> KeySpec | None:
    match before, spec:
        case KeySpec(begin=Index(first), find=Range(lastkey, 1)), KeySpec(begin=Index(next_), find=Range(0)):
            if lastkey >= 0 and next_ == first + lastkey + 1:
                return replace(before, find=Range(lastkey + 1))
    return None


def positions(specs: Sequence[KeySpec]) -> tuple[int, int, int]:
    """First key, last key and step as COMMAND INFO gives them: the fixed positions only, zeros when there are none.

    Several specs count together as long as they adjoin.
    """
    ranges = [
        (spec.begin.index, spec.find)
        for spec in specs
        if isinstance(spec.begin, Index) and isinstance(spec.find, Range)
    ]
    if len(specs) == 1 and ranges:
        first, find = ranges[0]
        return first, _absolute(first, find), find.keystep
    first = last = 0
    for index, find in ranges:
        if find.keystep != 1 or (last and last != index - 1):
            break
        first = first or index
        last = _absolute(index, find)
    return first, last, 1 if first else 0


def _absolute(first: int, find: Range) -> int:
    return find.lastkey if find.lastkey < 0 else first + find.lastkey


def are_movable(specs: Sequence[KeySpec]) -> bool:
    """Whether some keys are where first, last and step cannot say."""
    return not all(isinstance(spec.begin, Index) and isinstance(spec.find, Range) for spec in specs)
