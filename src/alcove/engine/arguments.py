"""Reading the options of a command: a cursor over its arguments, and the deadlines that many commands take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from alcove.errors import (
    NOT_AN_INTEGER,
    SYNTAX,
    TIMEOUT_NEGATIVE,
    TIMEOUT_NOT_FLOAT,
    TIMEOUT_OUT_OF_RANGE,
    CommandError,
    invalid_expire,
)
from alcove.numeric import INT64_MAX, INT64_MIN, parse_int, parse_long_double

# Words that give a deadline, and KEEPTTL and PERSIST which say something about the one there is.
DEADLINE_WORDS = frozenset((b"EX", b"PX", b"EXAT", b"PXAT"))

# The most that a wait's deadline is ahead, which is far beyond everything.
LONGEST_WAIT_US: Final = 2**62


class Arguments:
    """The arguments behind a command's fixed ones, read from left to right."""

    def __init__(self, items: Sequence[bytes]) -> None:
        self._items = items
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._items)

    def __len__(self) -> int:
        return len(self._items) - self._at

    def word(self) -> bytes:
        """The next argument in upper case, to be compared with keywords."""
        return self.take().upper()

    def take(self) -> bytes:
        """The next argument; a syntax error if there is none."""
        if self._at >= len(self._items):
            raise CommandError(SYNTAX)
        item = self._items[self._at]
        self._at += 1
        return item

    def peek(self) -> bytes:
        """The next argument in upper case without taking it, empty at the end."""
        return self._items[self._at].upper() if self else b""

    def skip_if(self, keyword: bytes) -> bool:
        """Takes the next argument if it is `keyword`."""
        if self.peek() == keyword:
            self._at += 1
            return True
        return False

    def integer(self, error: str = NOT_AN_INTEGER) -> int:
        """The next argument as a 64-bit integer."""
        return parse_int(self.take(), error)

    def rest(self) -> Sequence[bytes]:
        """All that is left."""
        items = self._items[self._at :]
        self._at = len(self._items)
        return items


class Deadline:
    """The one deadline option that SET, GETEX and their kin accept, of EX, PX, EXAT, PXAT, KEEPTTL and PERSIST.

    It is read in two steps as on the real server: all words first, so that a syntax error comes before a complaint
    about the number.
    """

    def __init__(self, allowed: frozenset[bytes]) -> None:
        self._allowed = allowed
        self.word = b""
        self._amount = b""

    def read(self, word: bytes, arguments: Arguments) -> bool:
        """Whether `word` is such an option. Of the same one the last counts; a different one is a syntax error."""
        if word not in self._allowed:
            return False
        if self.word and self.word != word:
            raise CommandError(SYNTAX)
        self.word = word
        if word in DEADLINE_WORDS:
            self._amount = arguments.take()
        return True

    def resolve(self, now_ms: int, command: str) -> int:
        """The Unix time in milliseconds, or 0 if the option gives none."""
        if self.word not in DEADLINE_WORDS:
            return 0
        return deadline_ms(self.word, self._amount, now_ms, command)


def deadline_ms(word: bytes, amount: bytes, now_ms: int, command: str) -> int:
    """The Unix time in milliseconds that `EX amount` or the like means. It has to be positive and fit 64 bits."""
    number = parse_int(amount)
    if number <= 0:
        raise CommandError(invalid_expire(command))
    return absolute_ms(number, word[0] == 69, word.endswith(b"AT"), now_ms, command)


def absolute_ms(number: int, in_seconds: bool, is_absolute: bool, now_ms: int, command: str) -> int:
    """A time in any of the four units as Unix time in milliseconds; what overflows 64 bits is an error."""
    if in_seconds:
        number *= 1000
    if not is_absolute:
        number += now_ms if INT64_MIN <= number <= INT64_MAX else 0
    if not INT64_MIN <= number <= INT64_MAX:
        raise CommandError(invalid_expire(command))
    return number


def timeout_us(timeout: bytes, now_ms: int) -> int:
    """A timeout in seconds, which may have a fraction, as microseconds; milliseconds are rounded up."""
    mantissa, exponent = parse_long_double(timeout, TIMEOUT_NOT_FLOAT)
    if exponent > 64:
        raise CommandError(TIMEOUT_OUT_OF_RANGE if mantissa > 0 else TIMEOUT_NEGATIVE)
    mantissa *= 1000
    timeout_ms = mantissa << exponent if exponent >= 0 else -(-mantissa >> -exponent)
    if timeout_ms < 0:
        raise CommandError(TIMEOUT_NEGATIVE)
    if timeout_ms > INT64_MAX - now_ms:
        raise CommandError(TIMEOUT_OUT_OF_RANGE)
    return min(timeout_ms * 1000, LONGEST_WAIT_US)
