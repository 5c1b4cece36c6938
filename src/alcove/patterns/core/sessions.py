"""Sessions without a network: their ids and what the store keeps of those, fields as bytes, and what was changed."""

from __future__ import annotations

import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from hashlib import blake2b, sha256
from typing import Any, Final, TypeGuard

import msgspec

from alcove.patterns.core.codecs import Codec
from alcove.patterns.core.errors import InvalidArgument, PatternError
from alcove.patterns.core.keys import Id, id_text
from alcove.patterns.core.scripts import Script

CREATE: Final = Script("sessions/create", with_=["sessions/index"])
GET: Final = Script("sessions/get", with_=["sessions/found", "sessions/index"])
EXPIRATION: Final = Script("sessions/expiration", with_=["sessions/index"])
UPDATE: Final = Script("sessions/update", once=True, with_=["sessions/index"])
ROTATE: Final = Script("sessions/rotate", with_=["sessions/index"])
DESTROY: Final = Script("sessions/destroy", with_=["sessions/index"])
REVOKE: Final = Script("sessions/revoke", once=True, with_=["sessions/index"])
SHOW: Final = Script("sessions/show", with_=["whole", "sessions/index"])

# An id is a tag and a secret of 192 bits; 96 bits tell users apart, whose sessions then have one hash tag.
_SECRET_BYTES: Final = 24
_TAG_BYTES: Final = 12
_TAG_LENGTH: Final = 16
_ID: Final = re.compile(r"[A-Za-z0-9_-]{16}\.[A-Za-z0-9_-]{32}", re.ASCII)
_HANDLE: Final = re.compile(r"[A-Za-z0-9_-]{32}", re.ASCII)
# How often an id may have been rotated within the grace of the first one.
MOST_HOPS: Final = 8
LONGEST_S: Final = 36_525 * 86_400


class SessionGone(PatternError, LookupError):
    """The session has expired, was destroyed, or never was. Nothing was written."""


class SessionConflict(PatternError):
    """Somebody has changed the session since `expected_version`; it has `version` now. Nothing was written."""

    def __init__(self, expected_version: int, version: int) -> None:
        self.expected_version = expected_version
        self.version = version
        super().__init__(f"the session has version {version}, not {expected_version}")

    def __reduce__(self) -> tuple[type[SessionConflict], tuple[int, int]]:
        return SessionConflict, (self.expected_version, self.version)


class Session(msgspec.Struct, frozen=True, repr_omit_defaults=True):
    """A session as it was when it was read. `data` is a dict of one's own: change it, and `SessionStore.save` it."""

    # By which the store and lists of sessions know it. Nobody can use it as an id.
    handle: str
    # None before anybody has signed in.
    user_id: str | None
    data: dict[str, Any]
    # 1 when it is made; each update adds 1.
    version: int
    # Seconds since 1970 by the server's clock.
    created_at: float
    # Seconds until it ends if nobody asks for it.
    expires_in: float
    # Empty in lists of sessions. Never shown.
    id: str = ""
    # The fields as they were stored.
    stored: dict[str, bytes] = {}

    def __repr__(self) -> str:
        about = f"handle={self.handle!r}, user_id={self.user_id!r}, data={self.data!r}, version={self.version}"
        return f"Session({about}, created_at={self.created_at}, expires_in={self.expires_in})"

    def changes(self, codec: Codec[Any]) -> tuple[dict[str, bytes], list[str]]:
        """The fields of `data` that are to be written, and the names of those to be removed."""
        encoded = fields_of(self.data, codec)
        changed = {name: value for name, value in encoded.items() if self.stored.get(name) != value}
        return changed, [name for name in self.stored if name not in encoded]


def tag_of(user_id: Id | None) -> str:
    """The hash tag of a user's sessions. Without a user, one by chance."""
    if user_id is None:
        return secrets.token_urlsafe(_TAG_BYTES)
    digest = blake2b(id_text(user_id).encode(), digest_size=_TAG_BYTES, person=b"alcove.session")
    return urlsafe_b64encode(digest.digest()).decode()


def new_id(tag: str) -> str:
    return f"{tag}.{secrets.token_urlsafe(_SECRET_BYTES)}"


def is_id(value: object) -> TypeGuard[str]:
    """Whether it may be the id of a session: whatever a cookie holds is asked for."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def tag_in(session_id: str) -> str:
    return session_id[:_TAG_LENGTH]


def handle_of(session_id: str) -> str:
    """What the store keeps of an id. No salt: the id has 192 bits of chance."""
    return urlsafe_b64encode(sha256(session_id.encode()).digest()[:24]).decode()


def check_handle(handle: object) -> str:
    if not isinstance(handle, str) or not _HANDLE.fullmatch(handle):
        raise InvalidArgument("that is no handle of a session")
    return handle


def fields_of(data: Mapping[str, Any], codec: Codec[Any]) -> dict[str, bytes]:
    """The fields of a session as bytes. Raises `CannotEncode`, and `InvalidArgument` for names that are not text."""
    if not isinstance(data, Mapping):
        raise InvalidArgument(f"a session's data is a mapping, not {type(data).__name__}")
    for name in data:
        check_name(name)
    return {name: codec.encode(value) for name, value in data.items()}


def check_name(name: object) -> None:
    if not isinstance(name, str):
        raise InvalidArgument(f"the name of a field is text, not {type(name).__name__}")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise InvalidArgument(f"the name {name!r} has no form in UTF-8") from None


def names_of(names: Iterable[str]) -> list[str]:
    """Names of fields to be removed, as a record has them."""
    if isinstance(names, str):
        raise InvalidArgument("remove is a collection of names, not one")
    removed = list(names)
    for name in removed:
        check_name(name)
    return [f".{name}" for name in removed]


def pairs_of(fields: Mapping[str, bytes]) -> list[str | bytes]:
    """Fields as a record has them."""
    return [word for name, value in fields.items() for word in (f".{name}", value)]


def session_of(handle: str, left_ms: int, words: list[bytes], codec: Codec[Any], session_id: str = "") -> Session:
    """A session from the names and values of its record."""
    about: dict[bytes, bytes] = {}
    stored: dict[str, bytes] = {}
    for name, value in zip(words[::2], words[1::2], strict=True):
        if name.startswith(b"."):
            stored[name[1:].decode()] = value
        else:
            about[name] = value
    return Session(
        handle,
        about[b"#user"].decode() or None,
        {name: codec.decode(value) for name, value in stored.items()},
        int(about[b"#version"]),
        int(about[b"#created"]) / 1000,
        left_ms / 1000,
        session_id,
        stored,
    )


def milliseconds(name: str, seconds: float) -> int:
    """A time as the scripts have it. Raises `InvalidArgument` unless it is a number from a millisecond to a century."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0.001 <= seconds <= LONGEST_S:
        raise InvalidArgument(f"{name} is a number of seconds, more than 0 and less than a century, not {seconds!r}")
    return round(seconds * 1000)


def share(name: str, value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise InvalidArgument(f"{name} is a part of the whole, from 0 to 1, not {value!r}")
    return value


def at_least_one(name: str, value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InvalidArgument(f"{name} is a whole number from 1, not {value!r}")
    return value
