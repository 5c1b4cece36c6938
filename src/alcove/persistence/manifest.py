"""The manifest of an append-only file: which files it consists of, in the order in which they are read.

The format is Redis 7's: a line for each file, `file <name> seq <number> type <b|i|h>`: the base, the increments that
follow it, and files of the past that are still to be deleted. Names with special characters stand in quotes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

from alcove.numeric import try_int
from alcove.quoting import quoted, split_words

BASE: Final = "b"
INCREMENT: Final = "i"
HISTORY: Final = "h"

# Longer lines are no manifest's.
LONGEST_LINE: Final = 1024


class BadManifest(ValueError):
    """The manifest cannot be what it should be; the text says where and why."""


@dataclass(frozen=True, slots=True)
class Part:
    """One file."""

    name: str
    number: int
    kind: Literal["b", "i", "h"]

    def line(self) -> str:
        return f"file {as_word(self.name)} seq {self.number} type {self.kind}\n"


@dataclass(frozen=True, slots=True)
class Manifest:
    """The files of an append-only file."""

    base: Part | None = None
    increments: tuple[Part, ...] = ()
    history: tuple[Part, ...] = ()

    def encode(self) -> bytes:
        return "".join(part.line() for part in self.parts() + self.history).encode("utf-8", "surrogateescape")

    def parts(self) -> tuple[Part, ...]:
        """The files to be read, in their order."""
        return ((self.base,) if self.base else ()) + self.increments

    def with_increment(self, stem: str) -> Manifest:
        """With one more increment, empty as yet, behind the others; `stem` is the directive appendfilename."""
        number = self.increments[-1].number if self.increments else 0
        part = self._next(stem, number, "incr.aof", INCREMENT)
        return replace(self, increments=(*self.increments, part))

    def next_base(self, stem: str, form: str) -> Part:
        """The base that a rewrite is to make; `form` is rdb or aof."""
        return self._next(stem, self.base.number if self.base else 0, f"base.{form}", BASE)

    def _next(self, stem: str, number: int, ending: str, kind: Literal["b", "i"]) -> Part:
        """The part behind the one of a number. Names of the past are not used again: their files are to be deleted."""
        past = {part.name for part in self.history}
        while (name := f"{stem}.{(number := number + 1)}.{ending}") in past:
            pass
        return Part(name, number, kind)

    def rewritten(self, base: Part, from_increment: int) -> Manifest:
        """With a new base, which holds all that came before the increment of this number."""
        past = tuple(part for part in self.increments if part.number < from_increment)
        past = (self.base, *past) if self.base else past
        return Manifest(
            base,
            tuple(part for part in self.increments if part.number >= from_increment),
            self.history + tuple(replace(part, kind=HISTORY) for part in past),
        )

    def given_up(self) -> Manifest:
        """With all parts belonging to the past."""
        return Manifest(history=self.history + tuple(replace(part, kind=HISTORY) for part in self.parts()))

    def without_history(self) -> Manifest:
        return replace(self, history=())


def parse(content: bytes) -> Manifest:
    """The manifest that a file's content is. Raises `BadManifest`, also when files are named twice or out of order."""
    base: Part | None = None
    increments: list[Part] = []
    history: list[Part] = []
    if not content:
        raise BadManifest("the AOF manifest file is empty")
    for number, line in enumerate(content.decode("utf-8", "surrogateescape").split("\n")[:-1], 1):
        if line.startswith("#"):
            continue
        part = parse_line(line, number)
        if part.kind == HISTORY:
            history.append(part)
        elif part.kind == INCREMENT:
            if increments and part.number <= increments[-1].number:
                raise BadManifest(f"line {number} of the AOF manifest: found a non-monotonic sequence number")
            increments.append(part)
        elif base is not None:
            raise BadManifest(f"line {number} of the AOF manifest: found duplicate base file information")
        else:
            base = part
    if not content.endswith(b"\n"):
        raise BadManifest("the AOF manifest file ends within a line")
    return Manifest(base, tuple(increments), tuple(history))


def parse_line(line: str, number: int) -> Part:
    words = split_words(line.rstrip("\r").encode("utf-8", "surrogateescape"))
    if not words or len(line) > LONGEST_LINE or len(words) < 6 or len(words) % 2:
        raise BadManifest(f"line {number} of the AOF manifest: invalid format")
    found = dict(zip(words[::2], words[1::2], strict=True))
    name = found.get(b"file", b"").decode("utf-8", "surrogateescape")
    sequence = try_int(found.get(b"seq", b""))
    kind = found.get(b"type", b"").decode("latin-1")
    if not name or "/" in name or "\\" in name:
        raise BadManifest(f"line {number} of the AOF manifest: a file is named by a path or not at all")
    if sequence is None or sequence <= 0 or kind not in (BASE, INCREMENT, HISTORY):
        raise BadManifest(f"line {number} of the AOF manifest: invalid format")
    return Part(name, sequence, kind)  # type: ignore[arg-type]


def as_word(name: str) -> str:
    """A file's name as one word of the line."""
    if name.isprintable() and not any(char in name for char in " \"'\\"):
        return name
    return quoted(name.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")
