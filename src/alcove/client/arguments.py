"""What redis-py is given, as the argument list that the engine takes: redis-py's own rules, without the packing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from redis._parsers.encoders import Encoder


def words_of(name: str | bytes) -> list[bytes]:
    """The words of a command's name, which redis-py may give as one, such as "CONFIG GET"."""
    if isinstance(name, str):
        return name.encode().split()
    return name.split() if b" " in name else [bytes(name)]


class Arguments:
    """Makes argument lists. Stands where redis-py's connections have what packs commands into bytes."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._utf8 = encoder.encoding.lower() in ("utf-8", "utf8") and encoder.encoding_errors == "strict"

    def pack(self, *args: Any) -> list[list[bytes]]:
        """One command, as the items of redis-py's `send_packed_command`."""
        return [self.behind(words_of(args[0]), args)]

    def pack_all(self, commands: Iterable[tuple[Any, ...]]) -> list[list[bytes]]:
        return [self.behind(words_of(args[0]), args) for args in commands]

    def behind(self, words: list[bytes], args: tuple[Any, ...]) -> list[bytes]:
        """The argument list of a command whose name, the first of `args`, consists of `words`."""
        argv: list[Any] = list(args)
        for position in range(1, len(argv)):
            argv[position] = self.encode(argv[position])
        if len(words) == 1:
            argv[0] = words[0]
        else:
            argv[:1] = words
        return argv

    def encode(self, value: Any) -> bytes:
        """One argument; redis-py's encoder decides on all but the plainest kinds, and raises its DataError."""
        kind = type(value)
        if kind is bytes:
            return value  # type: ignore[no-any-return]
        if kind is str and self._utf8:
            text: str = value
            return text.encode("utf-8")
        if kind is int:
            return repr(value).encode("ascii")
        return bytes(self._encoder.encode(value))  # type: ignore[no-untyped-call]
