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


# From Python's literals to the servers': what they escape otherwise. The backslash is put aside meanwhile, as a byte
# that no literal has, so that what follows an escaped one is not taken for an escape.
_FROM_LITERAL: Final = (
    (b"\\\\", b"\0"),
    (b"\\'", b"'"),
    (b'"', b'\\"'),
    (b"\\x07", b"\\a"),
    (b"\\x08", b"\\b"),
    (b"\0", b"\\\\"),
)


def quoted(word: bytes) -> bytes:
    """The word in double quotes, all of it printable; `split_words` gives it back."""
    if _TO_ESCAPE.search(word) is not None:
        # With a double quote in it the literal has single ones around it, whatever follows.
        word = repr(b'"' + word).encode()[3:-1]
        for theirs, ours in _FROM_LITERAL:
            word = word.replace(theirs, ours)
    return b'"%b"' % word
