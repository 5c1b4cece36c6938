"""Words and their quotes: inline commands, `alcove cli`, redis.conf, and what MONITOR and reports print."""

from __future__ import annotations

import re
from typing import Final

_BLANKS = re.compile(rb"\s*+")

# A bare start, then the end of the argument or one quoted part, behind which the argument ends. Within quotes a
# repetition never gives back what it took: the text cannot be cut another way once its quotes prove unbalanced.
_ARGUMENT = re.compile(
    rb"""
    ([^ \t\r\n"']*+)
    (?: "((?: \\. | [^"\\] )*+)" (?!\S)
      | '((?: \\' | [^'] )*+)' (?!\S)
      | (?=[ \t\r\n]) | \Z
    )""",
    re.VERBOSE | re.DOTALL,
)
# Quotes, NUL, and the two blanks that end no bare word: a line without them is split at its blanks.
_SPECIAL = frozenset(b"\"'\0\v\f")
_ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|(.))", re.DOTALL)
# What cannot stand for itself between double quotes.
_TO_ESCAPE = re.compile(rb"[^ !#-\[\]-~]")
_PORTION_BYTES: Final = 65536
_UNESCAPED: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"a": b"\a"}


def split_words(line: bytes) -> list[bytes] | None:
    r"""The arguments of one line, or None when its quotes are unbalanced.

    `"..."` knows `\n \r \t \b \a \xHH`, and a backslash before any other byte means that byte; `'...'` knows `\'`
    alone. Behind a closing quote a blank or the end must follow. As on the real server a NUL ends the line.
    """
    if _SPECIAL.isdisjoint(line):
        return line.split()
    line = line.partition(b"\0")[0]
    args = []
    pos = _skip_blanks(line, 0)
    while pos < len(line):
        found = _ARGUMENT.match(line, pos)
        if found is None:
            return None
        bare, double, single = found.groups()
        if double is not None:
            bare += _ESCAPE.sub(_unescaped, double)
        elif single is not None:
            bare += single.replace(b"\\'", b"'")
        args.append(bare)
        pos = _skip_blanks(line, found.end())
    return args


def _skip_blanks(line: bytes, pos: int) -> int:
    blanks = _BLANKS.match(line, pos)
    return blanks.end() if blanks is not None else pos


def _unescaped(escape: re.Match[bytes]) -> bytes:
    code, plain = escape.groups()
    if code is not None:
        return bytes.fromhex(code.decode())
    return _UNESCAPED.get(plain, plain)


_ESCAPES: Final = {meaning: b"\\" + letter for letter, meaning in _UNESCAPED.items()} | {b"\\": b"\\\\", b'"': b'\\"'}


def _escaped(found: re.Match[bytes]) -> bytes:
    char = found[0]
    return _ESCAPES.get(char) or b"\\x%02x" % char[0]


def quoted(word: bytes) -> bytes:
    """The word in double quotes, all of it printable; `split_words` gives it back."""
    if _TO_ESCAPE.search(word) is None:
        return b'"%b"' % word
    # In portions: a byte on its own takes much more than a byte while it waits to be joined.
    portions = [
        _TO_ESCAPE.sub(_escaped, word[start : start + _PORTION_BYTES]) for start in range(0, len(word), _PORTION_BYTES)
    ]
    return b'"%b"' % b"".join(portions)
