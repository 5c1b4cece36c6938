"""What of a command's arguments MONITOR and the slow log must not show: passwords."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from alcove.engine.config import is_secret

REDACTED: Final = b"(redacted)"


def redacted(name: str, argv: list[bytes]) -> list[bytes]:
    """The arguments of the command of this full name, such as `config|set`, as others may see them."""
    rule = RULES.get(name)
    return argv if rule is None else rule(argv)


def all_behind(words: int) -> Callable[[list[bytes]], list[bytes]]:
    """Leaves the words of the name alone."""
    return lambda argv: argv[:words] + [REDACTED] * (len(argv) - words)


def hello(argv: list[bytes]) -> list[bytes]:
    """What follows AUTH: a user's name and password."""
    shown = list(argv)
    place = 2
    while place < len(argv):
        secrets = 2 if argv[place].upper() == b"AUTH" else 0
        hide(shown, place + 1, secrets)
        place += 1 + (secrets or 1)
    return shown


def config_set(argv: list[bytes]) -> list[bytes]:
    """The values of the directives that hold secrets."""
    shown = list(argv)
    for place in range(2, len(argv), 2):
        if is_secret(argv[place]):
            hide(shown, place + 1, 1)
    return shown


def migrate(argv: list[bytes]) -> list[bytes]:
    """What follows AUTH and AUTH2 among the options, which end where KEYS begins."""
    shown = list(argv)
    place = 6
    while place < len(argv) and argv[place].upper() != b"KEYS":
        secrets = {b"AUTH": 1, b"AUTH2": 2}.get(argv[place].upper(), 0)
        hide(shown, place + 1, secrets)
        place += 1 + secrets
    return shown


def hide(argv: list[bytes], first: int, count: int) -> None:
    for place in range(first, min(first + count, len(argv))):
        argv[place] = REDACTED


RULES: Final[dict[str, Callable[[list[bytes]], list[bytes]]]] = {
    "auth": all_behind(1),
    "hello": hello,
    "config|set": config_set,
    "acl|setuser": all_behind(2),
    "acl|getuser": all_behind(2),
    "acl|deluser": all_behind(2),
    "migrate": migrate,
}
