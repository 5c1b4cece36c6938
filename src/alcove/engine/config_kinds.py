"""The kinds of configuration directive: how each reads its words, prints its value, and what it refuses.

A directive is declared in `settings.py` as an attribute of a class; reading that attribute of an instance gives the
typed value. Words come from a line of redis.conf or from the value of CONFIG SET; CONFIG GET answers `show`, and
CONFIG REWRITE writes `lines`. Values are immutable, so that keeping the old one is all a roll-back needs.
"""

from __future__ import annotations

import errno
import os
import re
from abc import ABC, abstractmethod
from typing import ClassVar, Final, Generic, NamedTuple, Self, TypeVar, overload

from alcove.engine import events
from alcove.numeric import INT64_MAX, INT64_MIN, try_float, try_int
from alcove.quoting import quoted, split_words

T = TypeVar("T")

INT_MAX: Final = 2**31 - 1
INT_MIN: Final = -(2**31)
UINT64_MAX: Final = 2**64 - 1

# What may be said of a directive beside its kind.
IMMUTABLE: Final = 1  # set at start only
PROTECTED: Final = 2  # CONFIG SET needs enable-protected-configs
NOT_WHILE_LOADING: Final = 4  # CONFIG SET has to wait until the data is loaded
HIDDEN: Final = 8  # CONFIG GET shows it only to who asks for it by name


class Refused(Exception):
    """A value that a directive does not take; its text is the reason, as the real server words it."""


class Directive(ABC, Generic[T]):
    """One directive. Its name in redis.conf is the attribute's, with dashes.

    A descriptor without `__set__`: a configuration keeps values in its own `__dict__`, where Python finds them first.
    """

    # Whether a line of redis.conf may hold several words; CONFIG SET then takes them in one value, with blanks.
    several: ClassVar[bool] = False
    # Whether the value must not appear in logs.
    secret: ClassVar[bool] = False

    def __init__(self, default: T, about: str, flags: int = 0) -> None:
        self.default = default
        self.about = about
        self.flags = flags

    def __set_name__(self, owner: type, attribute: str) -> None:
        self.attribute = attribute
        self.name = attribute.replace("_", "-").encode()

    @overload
    def __get__(self, config: None, owner: type) -> Self: ...
    @overload
    def __get__(self, config: object, owner: type) -> T: ...
    def __get__(self, config: object | None, owner: type) -> Self | T:
        return self if config is None else self.default

    def from_line(self, words: list[bytes], before: T) -> T:
        """The value that the words of a line of redis.conf stand for."""
        if not self.several:
            if len(words) != 1:
                raise Refused("wrong number of arguments")
        elif len(words) == 1:
            inner = split_words(words[0])
            if inner is None:
                raise Refused("Unbalanced quotes in configuration line")
            words = inner
        return self.parse(words, before)

    def from_value(self, value: bytes, before: T) -> T:
        """The value that an argument of CONFIG SET stands for."""
        if not self.several:
            return self.parse([value], before)
        return self.parse(value.split(b" ") if value else [], before)

    @abstractmethod
    def parse(self, words: list[bytes], before: T) -> T:
        """The value that words stand for, where `before` is the present one; raises `Refused`."""

    @abstractmethod
    def show(self, value: T) -> bytes:
        """The value as CONFIG GET answers it."""

    def lines(self, value: T) -> list[bytes]:
        """What stands behind the name in redis.conf, for each line that the value takes."""
        return [self.show(value)]


class YesNo(Directive[bool]):
    def parse(self, words: list[bytes], before: bool) -> bool:
        word = words[0].lower()
        if word not in (b"yes", b"no"):
            raise Refused("argument must be 'yes' or 'no'")
        return word == b"yes"

    def show(self, value: bool) -> bytes:
        return b"yes" if value else b"no"


class Integer(Directive[int]):
    """A whole number between two bounds, both included."""

    def __init__(self, default: int, low: int, high: int, about: str, flags: int = 0) -> None:
        super().__init__(default, about, flags)
        self.low = low
        self.high = high

    def parse(self, words: list[bytes], before: int) -> int:
        value = self.read(words[0])
        if not self.low <= value <= self.high:
            low, high = self.show(self.low).decode(), self.show(self.high).decode()
            raise Refused(f"argument must be between {low} and {high} inclusive")
        return value

    def read(self, word: bytes) -> int:
        value = try_int(word)
        if value is None:
            raise Refused("argument couldn't be parsed into an integer")
        return value

    def show(self, value: int) -> bytes:
        return b"%d" % value


class Frequency(Integer):
    """`hz`: what is out of range is accepted and brought into it."""

    def parse(self, words: list[bytes], before: int) -> int:
        return min(max(super().parse(words, before), 1), 500)


class Octal(Integer):
    """Permission bits, written in octal."""

    def read(self, word: bytes) -> int:
        if not re.fullmatch(rb"[0-7]{1,22}", word):
            raise Refused("argument couldn't be parsed as an octal number")
        return int(word, 8)

    def show(self, value: int) -> bytes:
        return b"%o" % value


_MEMORY = re.compile(rb"([0-9]{0,127})(b|kb?|mb?|gb?)?", re.IGNORECASE)
_UNITS: Final = {
    b"": 1,
    b"b": 1,
    b"k": 1000,
    b"kb": 1024,
    b"m": 1000**2,
    b"mb": 1024**2,
    b"g": 1000**3,
    b"gb": 1024**3,
}


def parse_memory(word: bytes) -> int | None:
    """A number of bytes with an optional unit, such as `1gb`; None if it is none.

    As on the real server no digits count as 0, and more than 64 bits as all of them.
    """
    match = _MEMORY.fullmatch(word)
    if match is None:
        return None
    digits, unit = match.groups(b"")
    return min(int(digits or b"0") * _UNITS[unit.lower()], UINT64_MAX)


def format_memory(value: int) -> bytes:
    """The shortest way to write a number of bytes with a binary unit."""
    for unit in (b"gb", b"mb", b"kb"):
        if value and value % _UNITS[unit] == 0:
            return b"%d%s" % (value // _UNITS[unit], unit)
    return b"%d" % value


class Memory(Integer):
    """A number of bytes."""

    def read(self, word: bytes) -> int:
        value = parse_memory(word)
        if value is None:
            raise Refused("argument must be a memory value")
        return value

    def lines(self, value: int) -> list[bytes]:
        return [format_memory(value)]


class BacklogSize(Memory):
    """`repl-backlog-size`: less than 16 KB is accepted and means 16 KB."""

    def parse(self, words: list[bytes], before: int) -> int:
        return max(super().parse(words, before), 16 * 1024)


class MemoryOrPercent(Memory):
    """A number of bytes, or a percentage of `maxmemory`, which is kept as a negative number."""

    def parse(self, words: list[bytes], before: int) -> int:
        word = words[0]
        percent = try_int(word[:-1]) if word.endswith(b"%") else None
        if percent is None or percent < 0:
            return super().parse(words, before)
        if percent > 100:
            raise Refused("percentage argument must be less or equal to 100")
        return -percent

    def read(self, word: bytes) -> int:
        value = parse_memory(word)
        if value is None:
            raise Refused("argument must be a memory or percent value")
        return value

    def show(self, value: int) -> bytes:
        return b"%d%%" % -value if value < 0 else b"%d" % value

    def lines(self, value: int) -> list[bytes]:
        return [self.show(value) if value < 0 else format_memory(value)]


class Choice(Directive[str]):
    """One of several words."""

    def __init__(self, default: str, options: str, about: str, flags: int = 0) -> None:
        super().__init__(default, about, flags)
        self.options = options.split()

    def parse(self, words: list[bytes], before: str) -> str:
        return self.option(words[0])

    def option(self, word: bytes) -> str:
        text = as_text(word).lower()
        if text not in self.options:
            raise self.refusal()
        return text

    def refusal(self) -> Refused:
        return Refused("argument(s) must be one of the following: " + ", ".join(self.options))

    def show(self, value: str) -> bytes:
        return value.encode()


class ShutdownOptions(Directive[tuple[str, ...]]):
    """What a signal does: any of several words, in the order of their declaration; `default` stands for none."""

    several = True

    def __init__(self, about: str) -> None:
        super().__init__((), about)
        self.choice = Choice("default", "default save nosave now force", about)

    def parse(self, words: list[bytes], before: tuple[str, ...]) -> tuple[str, ...]:
        if not words:
            raise self.choice.refusal()
        chosen = {self.choice.option(word) for word in words}
        if chosen >= {"save", "nosave"}:
            raise Refused("shutdown options SAVE and NOSAVE can't be used simultaneously")
        return tuple(option for option in self.choice.options[1:] if option in chosen)

    def show(self, value: tuple[str, ...]) -> bytes:
        return " ".join(value or ("default",)).encode()


def as_text(data: bytes) -> str:
    """Bytes of a user as text; any byte survives, as a surrogate escape."""
    return data.decode("utf-8", "surrogateescape")


class Text(Directive[str]):
    """Any text."""

    def parse(self, words: list[bytes], before: str) -> str:
        return as_text(words[0])

    def show(self, value: str) -> bytes:
        return value.encode("utf-8", "surrogateescape")

    def lines(self, value: str) -> list[bytes]:
        return [quoted(self.show(value))] if value or self.default else []


class FileName(Text):
    """A name without a path."""

    def __init__(self, default: str, about: str, flags: int = 0, what: str = "filename", empty: bool = False) -> None:
        super().__init__(default, about, flags)
        self.what = what
        self.empty = empty

    def parse(self, words: list[bytes], before: str) -> str:
        name = super().parse(words, before)
        if not name and not self.empty:
            raise Refused(f"{self.name.decode()} can't be empty")
        if "/" in name or "\\" in name:
            raise Refused(f"{self.name.decode()} can't be a path, just a {self.what}")
        return name


class Directory(Text):
    """A directory that exists, as an absolute path."""

    def parse(self, words: list[bytes], before: str) -> str:
        path = os.path.abspath(os.path.join(before, as_text(words[0])))
        try:
            os.stat(path)
        except (OSError, ValueError) as error:
            raise Refused(getattr(error, "strerror", None) or str(error)) from None
        if not os.path.isdir(path):
            raise Refused(os.strerror(errno.ENOTDIR))
        if not os.access(path, os.X_OK):
            raise Refused(os.strerror(errno.EACCES))
        return path


class HostName(Text):
    def parse(self, words: list[bytes], before: str) -> str:
        name = super().parse(words, before)
        if len(words[0]) >= 256:
            raise Refused("Hostnames must be less than 256 characters")
        if not re.fullmatch(r"[A-Za-z0-9.-]*", name):
            raise Refused("Hostnames may only contain alphanumeric characters, hyphens or dots")
        return name


class TitleTemplate(Text):
    """A template for the title of the process: variables in braces, `{{` for a brace."""

    _VARIABLE = re.compile(r"\{(?:\{|([^{}]*)\}?)")
    # The variables, each with a value that makes a title which may not be empty.
    _SAMPLE: Final = {
        "{{": "{",
        "{title}": "",
        "{listen-addr}": "*:6379",
        "{server-mode}": "[server]",
        "{port}": "6379",
        "{tls-port}": "0",
        "{unixsocket}": "",
        "{config-file}": "redis.conf",
    }

    def parse(self, words: list[bytes], before: str) -> str:
        template = super().parse(words, before)
        unknown = [found for found in self._VARIABLE.finditer(template) if found[0] not in self._SAMPLE]
        if unknown or not self._VARIABLE.sub(lambda found: self._SAMPLE[found[0]], template).strip():
            raise Refused("template format is invalid or contains unknown variables")
        return template


class Secret(Directive[bytes]):
    """A password or the like."""

    secret = True

    def parse(self, words: list[bytes], before: bytes) -> bytes:
        return words[0]

    def show(self, value: bytes) -> bytes:
        return value

    def lines(self, value: bytes) -> list[bytes]:
        return [quoted(value)] if value else []


class Addresses(Directive[tuple[str, ...]]):
    """Addresses to listen on; a dash before one says that it may be missing."""

    several = True

    def parse(self, words: list[bytes], before: tuple[str, ...]) -> tuple[str, ...]:
        if len(words) > 16:
            raise Refused("Too many bind addresses specified.")
        return tuple(as_text(word) for word in words)

    def show(self, value: tuple[str, ...]) -> bytes:
        return " ".join(value).encode("utf-8", "surrogateescape")

    def lines(self, value: tuple[str, ...]) -> list[bytes]:
        return [self.show(value) or b'""']


class MasterAddress(Directive[tuple[str, int] | None]):
    """Host and port of the server to replicate."""

    several = True

    def parse(self, words: list[bytes], before: tuple[str, int] | None) -> tuple[str, int] | None:
        if len(words) != 2:
            raise Refused("wrong number of arguments")
        host, port = words
        if host.lower() == b"no" and port.lower() == b"one":
            return None
        number = try_int(port)
        if number is None or not 0 <= number <= 65535:
            raise Refused("Invalid master port")
        return as_text(host), number

    def show(self, value: tuple[str, int] | None) -> bytes:
        return f"{value[0]} {value[1]}".encode("utf-8", "surrogateescape") if value else b""

    def lines(self, value: tuple[str, int] | None) -> list[bytes]:
        return [self.show(value)] if value else []


def _lenient_int(word: bytes) -> int | None:
    """A number in a list as strtol reads it: a sign and leading zeros are allowed, nothing at all is 0."""
    match = re.fullmatch(rb"([+-]?)0*([0-9]+)|", word)
    if match is None:
        return None
    sign, digits = match.groups(b"")
    # Twenty digits are out of range already, whatever follows; Python would not convert thousands.
    return min(max(int(sign + (digits[:20] or b"0")), INT64_MIN), INT64_MAX)


class SavePoints(Directive[tuple[tuple[int, int], ...]]):
    """Pairs: a snapshot is due after so many seconds if there were so many changes."""

    several = True

    def parse(self, words: list[bytes], before: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
        numbers = [_lenient_int(word) for word in words]
        points = []
        for seconds, changes in zip(numbers[::2], numbers[1::2], strict=False):
            if seconds is None or changes is None or seconds < 1 or changes < 0:
                raise Refused("Invalid save parameters")
            points.append((seconds, changes))
        if len(words) % 2:
            raise Refused("Invalid save parameters")
        return tuple(points)

    def show(self, value: tuple[tuple[int, int], ...]) -> bytes:
        return b" ".join([b"%d %d" % point for point in value])

    def lines(self, value: tuple[tuple[int, int], ...]) -> list[bytes]:
        return [self.show(value) or b'""']


class BufferLimit(NamedTuple):
    """When a client that does not read its replies is cut off: at once, or after some time above the soft limit."""

    hard_bytes: int
    soft_bytes: int
    soft_seconds: int


class BufferLimits(NamedTuple):
    """The output buffer limits of the three classes of clients."""

    normal: BufferLimit
    replica: BufferLimit
    pubsub: BufferLimit


class OutputBufferLimits(Directive[BufferLimits]):
    """`client-output-buffer-limit`: groups of class, hard limit, soft limit and seconds; other classes stay."""

    several = True
    _CLASSES: Final = {b"normal": "normal", b"slave": "replica", b"replica": "replica", b"pubsub": "pubsub"}

    def parse(self, words: list[bytes], before: BufferLimits) -> BufferLimits:
        if len(words) % 4:
            raise Refused("Wrong number of arguments in buffer limit configuration.")
        limits = {}
        for at in range(0, len(words), 4):
            kind = self._CLASSES.get(words[at].lower())
            if kind is None:
                raise Refused("Invalid client class specified in buffer limit configuration.")
            limits[kind] = self._limit(*words[at + 1 : at + 4])
        return before._replace(**limits)

    @staticmethod
    def _limit(hard: bytes, soft: bytes, seconds: bytes) -> BufferLimit:
        hard_bytes, soft_bytes, soft_seconds = parse_memory(hard), parse_memory(soft), _lenient_int(seconds)
        if hard_bytes is None or soft_bytes is None or soft_seconds is None or not 0 <= soft_seconds <= INT_MAX:
            raise Refused("Error in hard, soft or soft_seconds setting in buffer limit configuration.")
        return BufferLimit(hard_bytes, soft_bytes, soft_seconds)

    def show(self, value: BufferLimits) -> bytes:
        # The real server keeps the old name of replicas here, for programs that read the reply.
        return b" ".join(
            [
                b"%s %d %d %d" % (kind, *limit)
                for kind, limit in zip((b"normal", b"slave", b"pubsub"), value, strict=True)
            ]
        )

    def lines(self, value: BufferLimits) -> list[bytes]:
        return [
            b"%s %s %s %d" % (kind.encode(), format_memory(limit[0]), format_memory(limit[1]), limit[2])
            for kind, limit in value._asdict().items()
        ]


class OomScores(Directive[tuple[int, int, int]]):
    """How much the kernel is to prefer ending the master, a replica, and a background child."""

    several = True

    def parse(self, words: list[bytes], before: tuple[int, int, int]) -> tuple[int, int, int]:
        if len(words) != 3:
            raise Refused("wrong number of arguments")
        scores = [_lenient_int(word) for word in words]
        if any(score is None or not -2000 <= score <= 2000 for score in scores):
            raise Refused("Invalid oom-score-adj-values, elements must be between -2000 and 2000.")
        master, replica, child = (score or 0 for score in scores)
        return master, replica, child

    def show(self, value: tuple[int, int, int]) -> bytes:
        return b"%d %d %d" % value


class Percentiles(Directive[tuple[float, ...]]):
    """Percentiles that INFO latencystats reports; six decimals count."""

    several = True

    def parse(self, words: list[bytes], before: tuple[float, ...]) -> tuple[float, ...]:
        percentiles = []
        for word in words:
            value = try_float(word)
            if value is None:
                raise Refused("Invalid latency-tracking-info-percentiles parameters")
            if not 0 <= value <= 100:
                raise Refused("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]")
            percentiles.append(round(value, 6))
        return tuple(percentiles)

    def show(self, value: tuple[float, ...]) -> bytes:
        return " ".join(f"{percentile:.6f}".rstrip("0").rstrip(".") for percentile in value).encode()

    def lines(self, value: tuple[float, ...]) -> list[bytes]:
        return [self.show(value) or b'""']


class EventClasses(Directive[int]):
    """Letters for classes of keyspace events, kept as bits (see `events`); `A` stands for most of them."""

    # The order in which the real server prints letters.
    _PRINTED: Final = sorted(events.LETTERS, key="g$lshzxetdnKEmoc".index)
    _ACCEPTED: Final = "Ag$lshzxeKEtmdnoc"

    def parse(self, words: list[bytes], before: int) -> int:
        flags = 0
        for letter in as_text(words[0]):
            if letter != "A" and letter not in events.LETTERS:
                known = "".join(known for known in self._ACCEPTED if known == "A" or known in events.LETTERS)
                raise Refused(f"Invalid event class character. Use '{known}'.")
            flags |= events.ALL if letter == "A" else events.LETTERS[letter]
        return flags

    def show(self, value: int) -> bytes:
        """As the real server, which leaves out `n` where it prints `A`, although that does not stand for it."""
        return self._letters(value & ~events.NEW if value & events.ALL == events.ALL else value)

    def _letters(self, value: int) -> bytes:
        covered = events.ALL if value & events.ALL == events.ALL else 0
        letters = [letter for letter in self._PRINTED if value & events.LETTERS[letter] & ~covered]
        return ("A" * bool(covered) + "".join(letters)).encode()

    def lines(self, value: int) -> list[bytes]:
        return [quoted(self._letters(value))]
