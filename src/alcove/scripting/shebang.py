"""The first line of a script: `#!lua flags=no-writes,allow-oom` says what the script may do."""

from __future__ import annotations

from typing import Final, NamedTuple

from alcove.errors import (
    INVALID_SHEBANG,
    INVALID_SHEBANG_ENGINE,
    CommandError,
    unexpected_shebang_engine,
    unexpected_shebang_flag,
    unknown_shebang_option,
)
from alcove.quoting import split_words


class Rules(NamedTuple):
    """What a script has said of itself."""

    no_writes: bool = False
    allow_oom: bool = False
    allow_stale: bool = False
    no_cluster: bool = False
    allow_cross_slot_keys: bool = False


# Of a script without a shebang, which has said nothing: it may write, but not when there is no memory.
COMPATIBLE: Final = Rules()
FLAGS: Final = {name.replace("_", "-").encode(): name for name in Rules._fields}


def rules_of_flags(flags: list[bytes]) -> Rules:
    """The rules that flags mean. Raises `KeyError` for an unknown one."""
    return Rules(**{FLAGS[flag]: True for flag in flags})


def parse_shebang(body: bytes) -> tuple[Rules, bytes]:
    """A script's rules, and its text without the shebang, whose line stays as an empty one. Raises `CommandError`."""
    if not body.startswith(b"#!"):
        return COMPATIBLE, body
    line, newline, rest = body.partition(b"\n")
    if not newline:
        raise CommandError(INVALID_SHEBANG)
    words = split_words(line)
    if not words:
        raise CommandError(INVALID_SHEBANG_ENGINE)
    if words[0] != b"#!lua":
        raise CommandError(unexpected_shebang_engine(words[0]))
    flags: list[bytes] = []
    for word in words[1:]:
        option, equals, names = word.partition(b"=")
        if option != b"flags" or not equals:
            raise CommandError(unknown_shebang_option(word))
        flags += [name for name in names.split(b",") if name]
    for flag in flags:
        if flag not in FLAGS:
            raise CommandError(unexpected_shebang_flag(flag))
    return rules_of_flags(flags), b"\n" + rest
