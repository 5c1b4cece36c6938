"""Integers as bytes and back, the form in which values hold them. This is the plain twin."""

from __future__ import annotations

import re

_CANONICAL = re.compile(rb"0|-?[1-9][0-9]{0,18}")


def try_int(data: bytes) -> int | None:
    """The 64-bit integer that `data` spells in its one canonical form, or None."""
    if len(data) > 20 or _CANONICAL.fullmatch(data) is None:
        return None
    number = int(data)
    return number if -(2**63) <= number < 2**63 else None


def format_int(number: int) -> bytes:
    """The digits of a 64-bit integer; `OverflowError` for a larger one."""
    if not -(2**63) <= number < 2**63:
        raise OverflowError(number)
    return b"%d" % number
