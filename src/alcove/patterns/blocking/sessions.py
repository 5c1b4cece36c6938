# Derived from alcove/patterns/asyncio/sessions.py by derive_blocking.py: change it there.
"""Sessions: what a site remembers of each visitor between requests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from alcove.patterns.blocking.pattern import Pattern
from alcove.patterns.core.codecs import JSON, Codec
from alcove.patterns.core.errors import InvalidArgument
from alcove.patterns.core.keys import Id
from alcove.patterns.core.scripts import Script, Word, words_of
from alcove.patterns.core.sessions import (
    CREATE,
    DESTROY,
    EXPIRATION,
    GET,
    MOST_HOPS,
    REVOKE,
    ROTATE,
    SHOW,
    UPDATE,
    Session,
    SessionConflict,
    SessionGone,
    at_least_one,
    check_handle,
    fields_of,
    handle_of,
    is_id,
    milliseconds,
    names_of,
    new_id,
    pairs_of,
    session_of,
    share,
    tag_in,
    tag_of,
)

# How many records one call names.
CHUNK = 500
# How often a sign-in follows what others change meanwhile.
MOST_ATTEMPTS = 8


class SessionStore(Pattern):
    """The sessions of any number of users.

        >>> import alcove
        >>> store = SessionStore(alcove.open())
        >>> session_id = store.create("ann", {"theme": "dark"})
        >>> store.update(session_id, {"theme": "light", "pages": 3})
        2
        >>> session = store.get(session_id)
        >>> session.user_id, session.data
        ('ann', {'theme': 'light', 'pages': 3})
        >>> store.destroy(session_id)
        True
        >>> store.get(session_id) is None
        True

    A session ends when nobody has asked for it for `idle` seconds, and in any case `absolute` seconds after it was
    made. Its end is only moved when less than `touch` of `idle` is left, so that most reads write nothing: with 0.9 a
    session ends when it was last asked for 27 to 30 minutes ago. A user has at most `most_per_user` of them: the one
    that would end first makes room. Values of `data` are written by `codec`, each by itself.

    An id has 192 bits of chance. The store keeps a digest: who reads the database has no id. From an id it can be told
    whether it belongs to a user whose name one guesses, and no more. All sessions of a user are on one node of a
    cluster; those without a user are anywhere.

    Every operation is one trip, where nothing else is said. An update writes the fields it is given and no other; calls
    that are sent again after a lost connection are applied once. A session that was destroyed or revoked stays so,
    whatever comes late: updates raise `SessionGone`. When a call raises `OutcomeUnknown`, calling again is safe; an
    update with `expected_version` may then find its own. When the server restarts, sessions are what it kept. Its clock
    is the only one: set on, it ends sessions early; set back, those live longer by as much that nobody asks for.
    """

    def __init__(
        self,
        client: Redis,
        *,
        idle: float = 1800,
        absolute: float | None = None,
        touch: float = 0.9,
        most_per_user: int | None = None,
        codec: Codec[Any] = JSON,
        namespace: str = "",
    ) -> None:
        super().__init__(client, namespace=namespace)
        self._idle_ms = milliseconds("idle", idle)
        self._absolute_ms = 0 if absolute is None else milliseconds("absolute", absolute)
        # What the script `get` is told of them, as it is sent.
        self._asked = (b"%d" % self._idle_ms, b"%d" % round(self._idle_ms * share("touch", touch)))
        self._prefix = self.keys("session")
        self._most = 0 if most_per_user is None else at_least_one("most_per_user", most_per_user)
        self.codec = codec

    # One session

    def create(self, user_id: Id | None, data: Mapping[str, Any] | None = None) -> str:
        """Makes a session, and returns its id. Before anybody has signed in there is no user: None."""
        session_id = new_id(tag_of(user_id))
        self._create(session_id, user_id, fields_of({} if data is None else data, self.codec))
        return session_id

    def _create(self, session_id: str, user_id: Id | None, fields: dict[str, bytes]) -> None:
        user = "" if user_id is None else str(user_id)
        self._ask(CREATE, session_id, self._absolute_ms, self._most, user, *pairs_of(fields))

    def get(self, session_id: str | None, *, touch: bool = True) -> Session | None:
        """A session, whose end is moved; None if there is no such one, whatever the id is.

        With `touch=False` its end stays. An id that was rotated finds the session for as long as its grace.
        """
        if not is_id(session_id):
            return None
        tag, handle = tag_in(session_id), handle_of(session_id)
        words = self._asked if touch else (self._asked[0], b"0")
        for _ in range(MOST_HOPS):
            answer = words_of(self._run(GET, [self._index(tag), self._record(tag, handle)], [handle, *words]))
            if answer[0] == b"found":
                return session_of(handle, int(answer[1]), answer[2:], self.codec, session_id)
            if answer[0] != b"moved":
                break
            handle = answer[1].decode()
        return None

    def update(
        self,
        session_id: str,
        data: Mapping[str, Any],
        *,
        remove: Iterable[str] = (),
        expected_version: int | None = None,
    ) -> int:
        """Sets the given fields, removes those named by `remove`, moves the end, and returns the new version.

        Raises `SessionGone`, and `SessionConflict` when the session has another version than the one expected.
        """
        return self._update(session_id, fields_of(data, self.codec), remove, expected_version)

    def save(self, session: Session, *, strict: bool = False) -> int:
        """Writes what was changed in `session.data` since it was read, and returns the version; no trip if nothing was.

        Fields that others have changed meanwhile stay as they are. With `strict` any change of others raises
        `SessionConflict`. Raises `SessionGone`.
        """
        if not session.id:
            raise InvalidArgument("a session from a list has no id, and cannot be saved")
        changed, removed = session.changes(self.codec)
        if not changed and not removed:
            return session.version
        return self._update(session.id, changed, removed, session.version if strict else None)

    def _update(self, session_id: str, fields: dict[str, bytes], remove: Iterable[str], expected: int | None) -> int:
        names = names_of(remove)
        words: list[Word] = ["" if expected is None else expected, len(names), *names, *pairs_of(fields)]
        outcome, *rest = self._ask(UPDATE, session_id, *words)
        if outcome == b"gone":
            raise SessionGone("there is no such session")
        version = int(rest[0])
        if outcome == b"conflict":
            raise SessionConflict(expected or 0, version)
        return version

    def destroy(self, session_id: str | None) -> bool:
        """Ends a session. False if there was none; one that was destroyed in the last ten minutes counts as there."""
        return self._destroy(session_id, None)

    def _destroy(self, session_id: str | None, expected: int | None) -> bool:
        if not is_id(session_id):
            return False
        outcome, *rest = self._ask(DESTROY, session_id, "" if expected is None else expected)
        if outcome == b"conflict":
            raise SessionConflict(expected or 0, int(rest[0]))
        return bool(outcome == b"destroyed")

    def get_expiration(self, session_id: str | None) -> float | None:
        """For how many seconds a session lives on if nobody asks for it; None if there is none. Moves nothing."""
        if not is_id(session_id):
            return None
        answer = self._ask(EXPIRATION, session_id)
        return answer[1] / 1000 if answer[0] == b"found" else None

    def rotate(self, session_id: str, *, grace: float = 0) -> str:
        """Gives a session a new id, and returns it: to be done whenever rights change.

        The old id is dead at once, or in `grace` seconds, for requests that are under way. Raises `SessionGone`.
        """
        grace_ms = milliseconds("grace", grace) if grace else 0
        fresh = new_id(tag_in(str(session_id)))
        handle = handle_of(fresh)
        outcome = self._ask(ROTATE, session_id, handle, grace_ms, more=[handle])
        if outcome[0] == b"gone":
            raise SessionGone("there is no such session")
        return fresh

    def sign_in(self, session_id: str | None, user_id: Id, data: Mapping[str, Any] | None = None) -> str:
        """Makes a session of a user that goes on with the data of a visitor's, ends that one, and returns the new id.

        `data` is added. If the old session is another user's, it is ended, and nothing of it is taken over. Takes three
        trips, as the two may be on different nodes; if they do not all come to pass, the visitor still has the old
        session. Raises `SessionConflict` when the visitor's is changed again and again.
        """
        added = fields_of({} if data is None else data, self.codec)
        fresh = new_id(tag_of(user_id))
        visitors = self.get(session_id)
        if visitors is not None and visitors.user_id not in (None, str(user_id)):
            self.destroy(session_id)
            visitors = None
        known = {} if visitors is None else visitors.stored
        self._create(fresh, user_id, {**known, **added})
        attempt = 0
        while visitors is not None:
            try:
                self._destroy(session_id, visitors.version)
                break
            except SessionConflict:
                attempt += 1
                if attempt == MOST_ATTEMPTS:
                    self.destroy(fresh)
                    raise
            visitors = self.get(session_id)
            if visitors is not None:
                removed = [name for name in known if name not in visitors.stored and name not in added]
                known = visitors.stored
                self._update(fresh, {**known, **added}, removed, None)
        return fresh

    # All sessions of a user

    def sessions(self, user_id: Id, limit: int = 100) -> list[Session]:
        """The sessions of a user, without their ids, at most `limit`: those that end last are first. Two trips."""
        at_least_one("limit", limit)
        tag = tag_of(user_id)
        index = self._index(tag)
        named = self._command("ZREVRANGEBYSCORE", index, "+inf", 0, "LIMIT", 0, limit)
        handles = [name.decode() for name in named]
        found: list[Session] = []
        for first in range(0, len(handles), CHUNK):
            some = handles[first : first + CHUNK]
            answer = self._run(SHOW, [index, *(self._record(tag, handle) for handle in some)], some)
            found += [
                session_of(name.decode(), left_ms, words_of(record), self.codec) for name, left_ms, record in answer
            ]
        return found

    def revoke(self, user_id: Id, handle: str) -> bool:
        """Ends one of the sessions that `sessions` has listed. False if there was none."""
        answer = self._ask_of(DESTROY, tag_of(user_id), check_handle(handle), [""])
        return bool(answer[0] == b"destroyed")

    def revoke_all(self, user_id: Id, *, except_id: str | None = None) -> int:
        """Ends all sessions of a user, but the one of `except_id`, and returns how many.

        They end together, in one trip; a second one frees their memory.
        """
        tag = tag_of(user_id)
        if except_id is not None and not (is_id(except_id) and tag_in(except_id) == tag):
            raise InvalidArgument("except_id is not the id of a session of that user")
        outcome, *rest = self._ask_of(REVOKE, tag, "" if except_id is None else handle_of(except_id), [])
        if outcome == b"gone":
            raise SessionGone("the session of except_id has another id by now")
        ended = rest[0]
        # They have ended. What a lost connection leaves of them expires.
        with suppress(RedisConnectionError, RedisTimeoutError):
            for first in range(0, len(ended), CHUNK):
                names = [name.decode() for name in ended[first : first + CHUNK]]
                self._command("UNLINK", *(self._record(tag, name) for name in names))
        return len(ended)

    # How it is asked

    def _index(self, tag: str) -> str:
        # Tags and handles need no escapes.
        return f"{self._prefix}:{{{tag}}}"

    def _record(self, tag: str, handle: str) -> str:
        return f"{self._prefix}:{{{tag}}}:{handle}"

    def _ask(self, script: Script, session_id: str, *words: Word, more: Sequence[str] = ()) -> Any:
        """What a script answers of a session. Raises `SessionGone` if that is no id."""
        if not is_id(session_id):
            raise SessionGone("there is no such session")
        return self._ask_of(script, tag_in(session_id), handle_of(session_id), words, more)

    def _ask_of(self, script: Script, tag: str, handle: str, words: Sequence[Word], more: Sequence[str] = ()) -> Any:
        """The same by handle, with the records of more of them. Follows those that were rotated."""
        for _ in range(MOST_HOPS):
            records = [self._record(tag, name) for name in (handle, *more) if name]
            keys = [self._index(tag), *records]
            if script.once:
                keys.append(self._record(tag, "calls"))
            answer = self._run(script, keys, [handle, self._asked[0], *words])
            if answer[0] != b"moved":
                return answer
            handle = answer[1].decode()
        return [b"gone"]
