"""Words and their quotes, as redis.conf, ACL files, MONITOR and the real server's own reports write them."""

from __future__ import annotations

import re
from typing import Final

_BLANKS = re.compile(rb"\s*")
# One stretch of a word: bare, in double quotes, or in single quotes. The quantifiers are possessive: an escaped
# quote never turns back into a closing one to make an unbalanced line fit.
_PIECE = re.compile(
    rb"""(?P<bare>[^\s"']+)"""
    rb"""|"(?P<double>(?>\\.|[^"\\])*+)"(?=\s|\Z)"""
    rb"""|'(?P<single>(?>\\'|[^'])*+)'(?=\s|\Z)""",
    re.DOTALL,
)
_ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_UNESCAPED: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"a": b"\a"}


def split_words(line: bytes) -> list[bytes] | None:
    """The words of a line, quotes and escapes undone; None if a quote is not closed, or not at a word's end.

    As on the real server a NUL ends the line.
    """
    line = line.partition(b"\0")[0]
    words = []
    at = _skip_blanks(line, 0)
    while at < len(line):
        word = b""
        while at < len(line) and not line[at : at + 1].isspace():
            piece = _PIECE.match(line, at)
            if piece is None:
                return None
            word += _unquoted(piece)
            at = piece.end()
        words.append(word)
        at = _skip_blanks(line, at)
    return words


def _skip_blanks(line: bytes, at: int) -> int:
    blanks = _BLANKS.match(line, at)
    return blanks.end() if blanks else at


def _unquoted(piece: re.Match[bytes]) -> bytes:
    kind, text = piece.lastgroup, piece[0]
    if kind == "double":
        return _ESCAPE.sub(_unescaped, text[1:-1])
    if kind == "single":
        return text[1:-1].replace(b"\\'", b"'")
    return text


def _unescaped(escape: re.Match[bytes]) -> bytes:
    digits, char = escape.groups()
    return bytes.fromhex(digits.decode()) if digits else _UNESCAPED.get(char, char)


def _escaped(byte: int) -> bytes:
    char = bytes([byte])
    for letter, meaning in _UNESCAPED.items():
        if char == meaning:
            return b"\\" + letter
    if char in b'\\"':
        return b"\\" + char
    return char if 32 <= byte < 127 else b"\\x%02x" % byte


_ESCAPED: Final = [_escaped(byte) for byte in range(256)]


def quoted(word: bytes) -> bytes:
    """The word in double quotes, all of it printable; `split_words` gives it back."""
    return b'"' + b"".join([_ESCAPED[byte] for byte in word]) + b'"'
