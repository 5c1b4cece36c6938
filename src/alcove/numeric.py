"""Numbers as users write them and as replies print them: the exact rules of the real server, in one place.

User bytes never meet `int()` or `float()` directly: Python accepts underscores, blanks and signs (`1_0`, ` 1`, `+1`)
that Redis refuses. Integers are 64-bit signed. Floats are IEEE doubles, except in INCRBYFLOAT and HINCRBYFLOAT,
where the real server computes in x86's 80-bit long double and so does `add_long_double`.
"""

from __future__ import annotations

import math
import re
from typing import Final, TypeAlias

from alcove.errors import NOT_A_FLOAT, NOT_AN_INTEGER, NOT_FINITE, CommandError
from alcove.integers import format_int, try_int

__all__ = [
    "INT64_MAX",
    "INT64_MIN",
    "add_long_double",
    "format_double",
    "format_int",
    "parse_bounded",
    "parse_float",
    "parse_int",
    "parse_long_double",
    "strtod",
    "try_float",
    "try_int",
]

INT64_MAX: Final = 2**63 - 1
INT64_MIN: Final = -(2**63)

_FLOAT = re.compile(
    rb"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|0x(?:[0-9a-f]+\.?[0-9a-f]*|\.[0-9a-f]+)(?:p[+-]?\d+)?|inf(?:inity)?)",
    re.IGNORECASE,
)
_NONZERO_DIGIT = re.compile(rb"[1-9a-f]", re.IGNORECASE)

# Whole doubles up to here are printed digit by digit, as integers.
_WHOLE_LIMIT: Final = float(INT64_MAX // 2)

# A long double is a signed mantissa of 64 bits times a power of two, from 2**-16445 (denormal) to below 2**16384;
# the exponent 16384 stands for infinity.
LongDouble: TypeAlias = tuple[int, int]
_MANTISSA_BITS: Final = 64
_MIN_EXPONENT: Final = -16445
_MAX_EXPONENT: Final = 16384
# The longest text that is read as a long double, as on the real server.
_LONG_DOUBLE_CHARS: Final = 5 * 1024
# CPython refuses to convert more than 4300 digits at once.
_DIGITS_AT_ONCE: Final = 4000


def parse_int(data: bytes, error: str = NOT_AN_INTEGER) -> int:
    """As `try_int`, but what is no integer raises `CommandError(error)`."""
    number = try_int(data)
    if number is None:
        raise CommandError(error)
    return number


def parse_bounded(data: bytes, low: int, high: int, error: str) -> int:
    """An integer from `low` to `high`, both included, or `CommandError(error)`."""
    number = try_int(data)
    if number is None or not low <= number <= high:
        raise CommandError(error)
    return number


def try_float(data: bytes) -> float | None:
    """The double that `data` spells: as `strtod` reads it, but no overflow and no underflow to zero."""
    whole = try_int(data)
    if whole is not None:
        return float(whole)
    number = strtod(data)
    if number is None or (number != 0 and math.isfinite(number)):
        return number
    text = data.lower()
    if number != 0:
        return number if b"inf" in text else None
    mantissa = text.partition(b"x")[2].partition(b"p")[0] if b"x" in text else text.partition(b"e")[0]
    return number if _NONZERO_DIGIT.search(mantissa) is None else None


def strtod(data: bytes) -> float | None:
    """The double that `data` spells as C reads it: no blanks, no NaN; what is too large is infinite."""
    if _is_plain_decimal(data):
        return float(data)
    if _FLOAT.fullmatch(data) is None:
        return None
    text = data.decode("ascii").lower()
    if "x" not in text:
        return float(text)
    try:
        return float.fromhex(text)
    except OverflowError:
        return -math.inf if text[0] == "-" else math.inf


def _is_plain_decimal(data: bytes) -> bool:
    """Whether `data` is digits, with at most one point, perhaps behind a minus: what Python reads as C does."""
    size = len(data)
    digits = data
    points = 0
    start = 1 if size and digits[0] == 45 else 0
    for place in range(start, size):
        digit = digits[place]
        if digit == 46:
            points += 1
        elif digit < 48 or digit > 57:
            return False
    return points <= 1 and size - start > points


def parse_float(data: bytes, error: str = NOT_A_FLOAT) -> float:
    """As `try_float`, but what is no double raises `CommandError(error)`."""
    number = try_float(data)
    if number is None:
        raise CommandError(error)
    return number


def format_double(value: float) -> bytes:
    """The shortest decimal form that reads back as the same double, laid out as replies do: `3`, `0.1`, `1e+21`."""
    if value != value:
        return b"nan"
    if value == 0:
        return b"-0" if math.copysign(1.0, value) < 0 else b"0"
    if -_WHOLE_LIMIT <= value <= _WHOLE_LIMIT:
        whole = int(value)
        if value == whole:
            return format_int(whole)
    if value in (math.inf, -math.inf):
        return b"inf" if value > 0 else b"-inf"
    if 0.001 <= abs(value) < 10000:  # here Python's own shortest form is laid out alike
        return repr(value).encode()
    sign, digits, point = _shortest(value)
    return (sign + _lay_out(digits, point)).encode()


def _shortest(value: float) -> tuple[str, str, int]:
    """Sign, significant digits without trailing zeros, and the power of ten behind the last digit."""
    text = repr(value)
    sign = ""
    if text[0] == "-":
        sign, text = "-", text[1:]
    mantissa, _, exponent = text.partition("e")
    whole, _, fraction = mantissa.partition(".")
    power = int(exponent or 0) - len(fraction)
    digits = (whole + fraction).lstrip("0")
    stripped = digits.rstrip("0")
    return sign, stripped, power + len(digits) - len(stripped)


def _lay_out(digits: str, power: int) -> str:
    """Plain notation for numbers of human size, scientific beyond: the bounds are those of the server's printer."""
    count = len(digits)
    exponent = abs(power + count - 1)
    if power >= 0 and exponent < count + 7:
        return digits + "0" * power
    if power < 0 and (power > -7 or exponent < 4):
        point = count + power
        if point <= 0:
            return "0." + "0" * -point + digits
        return digits[:point] + "." + digits[point:]
    fraction = "." + digits[1:] if count > 1 else ""
    return f"{digits[0]}{fraction}e{'-' if power + count - 1 < 0 else '+'}{exponent}"


def parse_long_double(data: bytes, error: str = NOT_A_FLOAT) -> LongDouble:
    """The long double nearest to what `data` spells."""
    if len(data) >= _LONG_DOUBLE_CHARS or _FLOAT.fullmatch(data) is None:
        raise CommandError(error)
    text = data.decode("ascii").lower()
    if "inf" in text:
        return (-1 if text[0] == "-" else 1), _MAX_EXPONENT
    negative = text[0] == "-"
    ratio = (_hex_ratio if "x" in text else _decimal_ratio)(text.lstrip("+-"))
    if ratio is None:
        raise CommandError(error)
    top, bottom = ratio
    mantissa, exponent = _nearest(top, bottom)
    if exponent >= _MAX_EXPONENT or (mantissa == 0 and top != 0):
        raise CommandError(error)
    return (-mantissa if negative else mantissa), exponent


def add_long_double(first: LongDouble, second: LongDouble) -> bytes:
    """The sum as INCRBYFLOAT prints it: 17 decimals rounded, trailing zeros cut; `CommandError` if not finite."""
    if first[1] >= _MAX_EXPONENT or second[1] >= _MAX_EXPONENT:
        raise CommandError(NOT_FINITE)
    low = min(first[1], second[1])
    total = (first[0] << (first[1] - low)) + (second[0] << (second[1] - low))
    magnitude = abs(total)
    mantissa, exponent = _nearest(magnitude << low, 1) if low >= 0 else _nearest(magnitude, 1 << -low)
    if exponent >= _MAX_EXPONENT:
        raise CommandError(NOT_FINITE)
    scaled = mantissa * 10**17
    scaled = scaled << exponent if exponent >= 0 else _divide_even(scaled, 1 << -exponent)
    whole, decimals = divmod(scaled, 10**17)
    text = _digits(whole)
    if decimals:
        text += "." + str(decimals).rjust(17, "0").rstrip("0")
    return (("-" if total < 0 and scaled else "") + text).encode()


def _decimal_ratio(text: str) -> tuple[int, int] | None:
    """The number as a quotient of integers; None where it is far outside every long double, to keep 10**n small."""
    mantissa, _, exponent = text.partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    if not digits:
        return 0, 1
    if len(exponent) > 6:
        return None
    power = int(exponent or 0) - len(fraction)
    if not -2 * _LONG_DOUBLE_CHARS < power < 2 * _LONG_DOUBLE_CHARS:
        return None
    top = _from_digits(digits)
    return (top * 10**power, 1) if power >= 0 else (top, 10**-power)


def _hex_ratio(text: str) -> tuple[int, int] | None:
    """As `_decimal_ratio` for C's hexadecimal floats such as `0x1.8p3`."""
    mantissa, _, exponent = text.removeprefix("0x").partition("p")
    whole, _, fraction = mantissa.partition(".")
    top = int(whole + fraction, 16)
    if top == 0:
        return 0, 1
    if len(exponent) > 6:
        return None
    power = int(exponent or 0) - 4 * len(fraction)
    if not -8 * _LONG_DOUBLE_CHARS < power < 8 * _LONG_DOUBLE_CHARS:
        return None
    return (top << power, 1) if power >= 0 else (top, 1 << -power)


def _nearest(top: int, bottom: int) -> LongDouble:
    """`top / bottom` rounded to 64 bits of mantissa, ties to even; the exponent `_MAX_EXPONENT` is an overflow."""
    if top == 0:
        return 0, 0
    exponent = top.bit_length() - bottom.bit_length() - _MANTISSA_BITS
    scaled_top = top << -exponent if exponent < 0 else top
    scaled_bottom = bottom if exponent < 0 else bottom << exponent
    if scaled_top >= scaled_bottom << _MANTISSA_BITS:
        exponent += 1
    exponent = max(exponent, _MIN_EXPONENT)
    if exponent < 0:
        mantissa = _divide_even(top << -exponent, bottom)
    else:
        mantissa = _divide_even(top, bottom << exponent)
    if mantissa.bit_length() + exponent > _MAX_EXPONENT:
        return 1, _MAX_EXPONENT
    return mantissa, exponent


def _divide_even(top: int, bottom: int) -> int:
    quotient, rest = divmod(top, bottom)
    twice = 2 * rest
    return quotient + 1 if twice > bottom or (twice == bottom and quotient % 2) else quotient


def _from_digits(digits: str) -> int:
    """`int` for more digits than CPython converts at once (4300)."""
    if len(digits) <= _DIGITS_AT_ONCE:
        return int(digits)
    tail = digits[_DIGITS_AT_ONCE:]
    high: int = int(digits[:_DIGITS_AT_ONCE]) * 10 ** len(tail)
    return high + int(tail)


def _digits(whole: int) -> str:
    """`str` for more digits than CPython prints at once: the largest long double has 4933."""
    half = 10**_DIGITS_AT_ONCE
    if whole < half:
        return str(whole)
    high, low = divmod(whole, half)
    return str(high) + str(low).rjust(_DIGITS_AT_ONCE, "0")
