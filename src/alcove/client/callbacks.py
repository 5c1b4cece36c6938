"""Responses of commands that can do more here than redis-py knows of."""

from __future__ import annotations

from typing import Any, Final


def was_done_or_deadline(reply: Any, **_: Any) -> Any:
    """Whether a deadline was set, as redis-py tells it; with GET, the time to live there was before, a number."""
    return bool(reply) if reply in (0, 1) else reply


OURS: Final = dict.fromkeys(("EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT"), was_done_or_deadline)
