"""Locks without a network: who claims what, its id and fence, what is told of a resource, and the errors."""

from __future__ import annotations

import math
import os
import re
from typing import Final, Literal

import msgspec

from alcove.patterns.core.errors import InvalidArgument, PatternError
from alcove.patterns.core.keys import Id
from alcove.patterns.core.scripts import Script, Word

Kind = Literal["lock", "permits", "read", "write"]


class Steps:
    """The scripts for what is held by one or by many."""

    __slots__ = ("acquire", "extend", "release", "status")

    def __init__(self, holders: Literal["one", "many"]) -> None:
        first = ["locks/queue", f"locks/{holders}"]
        self.acquire = Script("locks/acquire", with_=[*first, "locks/fence"])
        # To release twice does no harm, but the second time the answer would be that nothing was held.
        self.release = Script("locks/release", once=True, with_=first)
        self.extend = Script("locks/extend", with_=first)
        self.status = Script("locks/status", with_=first)


ONE: Final = Steps("one")
# The short ways of what one holds, which nobody waits for.
GRAB: Final = Script("locks/grab", with_=["locks/fence"])
DROP: Final = Script("locks/drop")
MANY: Final = Steps("many")
FENCED: Final = Script("locks/fenced", once=True)

# Whoever wants it for longer renews it.
LONGEST_MS: Final = 7 * 86_400_000
# A permit is an element of a sorted set, and a script adds and removes all that are asked for.
MOST_PERMITS: Final = 1000
MOST_ARGUMENTS: Final = 1000


class LockNotAcquired(PatternError):
    """Others hold it, and went on doing so for as long as was to be waited. Nothing is held by this call."""

    def __init__(self, resource: Id, waited: float = 0) -> None:
        super().__init__(resource, waited)
        self.resource = resource
        self.waited = waited

    def __str__(self) -> str:
        return f"{self.resource} is held by others" + (f" after {self.waited:g} seconds" if self.waited else "")


class AlreadyHeld(LockNotAcquired):
    """This thread or task holds it already. A lock is not reentrant: it would wait for itself."""

    def __str__(self) -> str:
        return f"this thread or task holds {self.resource} already, and a lock is not reentrant"


class LockLost(PatternError):
    """It is not held any more, although its holder had not given it back: somebody else may hold it.

    What the holder did since may have met what the next holder did. `fence` lets storage tell them apart.
    """

    def __init__(self, resource: Id, fence: int) -> None:
        super().__init__(resource, fence)
        self.resource = resource
        self.fence = fence

    def __str__(self) -> str:
        return f"{self.resource} is not held any more by the holder with fence {self.fence}"


class StaleFence(PatternError):
    """A later holder was here: `found` is more than `fence`. Nothing was written."""

    def __init__(self, fence: int, found: int) -> None:
        super().__init__(fence, found)
        self.fence = fence
        self.found = found

    def __str__(self) -> str:
        return f"fence {self.fence} is stale: the holder with {self.found} has been here"


class LockStatus(msgspec.Struct, frozen=True):
    """How a resource stands: permits or holders, seconds until the last lease ends, waiters, and the last fence."""

    holders: int
    expires_in: float
    waiting: int
    fence: int | None


class Claim(msgspec.Struct, frozen=True):
    """What is claimed of a resource, by whom: one token, whatever number of permits.

    >>> claim = Claim("permits", "p3.abcdefghijklmnopqrstuv", 3)
    >>> lock_id_of(claim, 17)
    '17-p3.abcdefghijklmnopqrstuv'
    >>> claim_of(lock_id_of(claim, 17)) == (claim, 17)
    True
    """

    kind: Kind
    token: str
    permits: int = 1
    # How many permits there are, as far as the one who claims knows.
    limit: int = 0

    @property
    def words(self) -> tuple[Word, ...]:
        """What scripts are told last."""
        return () if self.kind == "lock" else (self.kind, self.permits, self.limit)


# The first letter of a token says what it claims.
_KINDS: Final[dict[str, Kind]] = {"l": "lock", "p": "permits", "r": "read", "w": "write"}
_LOCK_ID = re.compile(r"(?P<fence>\d{1,16})-(?P<token>(?:[lrw]|p(?P<permits>\d{1,4})\.)[A-Za-z0-9_-]{22})")


def new_claim(kind: Kind, permits: int = 1, limit: int = 0) -> Claim:
    """A claim that nobody else makes."""
    count = f"{permits}." if kind == "permits" else ""
    return Claim(kind, f"{kind[0]}{count}{os.urandom(11).hex()}", permits, limit)


def lock_id_of(claim: Claim, fence: int) -> str:
    """What a claim that was granted is known by: whoever has it can release it, in another process too."""
    return f"{fence}-{claim.token}"


def claim_of(lock_id: str) -> tuple[Claim, int] | None:
    """The claim and the fence of a lock id; None for what can be nobody's."""
    if not isinstance(lock_id, str):
        raise InvalidArgument(f"a lock id is the text that acquiring answered, not {type(lock_id).__name__}")
    found = _LOCK_ID.fullmatch(lock_id)
    if found is None:
        return None
    return Claim(_KINDS[found["token"][0]], found["token"], int(found["permits"] or 1)), int(found["fence"])


def fence_of(lock_id: str) -> int:
    """The fence of a lock id: the number to give to whatever is written to by its holder.

    >>> fence_of("17-labcdefghijklmnopqrstuv")
    17
    """
    found = claim_of(lock_id)
    if found is None:
        raise InvalidArgument(f"this is no lock id: {lock_id!r}")
    return found[1]


def lease_ms(timeout: float) -> int:
    """A lease's length. There is none without an end."""
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 1 <= timeout <= LONGEST_MS:
        raise InvalidArgument(f"timeout is between 1 and {LONGEST_MS} milliseconds, not {timeout!r}")
    return int(timeout)


def patience(wait: float | None) -> float:
    """For how many seconds to wait: None is for ever."""
    if wait is None:
        return math.inf
    if isinstance(wait, bool) or not isinstance(wait, int | float) or not wait >= 0:
        raise InvalidArgument(f"wait is None or at least 0 seconds, not {wait!r}")
    return wait


def permit_count(name: str, value: int, most: int) -> int:
    """A number of permits."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise InvalidArgument(f"{name} is between 1 and {most}, not {value!r}")
    return value
