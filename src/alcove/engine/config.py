"""One engine's configuration: typed values, CONFIG GET and SET over them, and who is told of a change."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple, TypeAlias

from alcove.engine.config_kinds import HIDDEN, IMMUTABLE, NOT_WHILE_LOADING, PROTECTED, Directive, Refused
from alcove.engine.glob import matches
from alcove.engine.settings import DIRECTIVES, NAMES, Settings
from alcove.errors import (
    DUPLICATE_PARAMETER,
    IMMUTABLE_CONFIG,
    LOADING,
    PROTECTED_CONFIG,
    CommandError,
    set_failed,
    unknown_option,
)

_GLOB_SPECIALS: Final = frozenset(b"[*?")

log = logging.getLogger(__name__)


Watcher: TypeAlias = Callable[[], None]


class _Wish(NamedTuple):
    """One pair of CONFIG SET, found to name something that may be set."""

    name: bytes
    directive: Directive[Any]
    value: bytes


class Config(Settings):
    """The values in force, each as an attribute under its directive's name with underscores: `config.maxmemory`.

    Values live in the instance's `__dict__` and are replaced, never changed, so reading one costs what any attribute
    costs and a caller may keep what it read. Only `set` and `put` write.
    """

    def __init__(self) -> None:
        # The file that the configuration was read from, which CONFIG REWRITE writes.
        self.file: str | None = None
        # The attributes of the directives that files, the command line or the caller's options have named.
        self.stated: set[str] = set()
        self._watchers: list[tuple[frozenset[str], Watcher]] = []
        values = vars(self)
        for directive in DIRECTIVES.values():
            values[directive.attribute] = directive.default
        values["dir"] = os.getcwd()

    def matching(self, patterns: Iterable[bytes]) -> dict[bytes, bytes]:
        """CONFIG GET: names that fit any of the glob patterns, and values in their printed form, sorted by name.

        A name without wildcards is answered in the spelling of the question, as on the real server.
        """
        spelled: dict[bytes, bytes] = {}
        for pattern in patterns:
            if _GLOB_SPECIALS.isdisjoint(pattern):
                if pattern.lower() in NAMES:
                    spelled.setdefault(pattern.lower(), pattern)
            else:
                for name, directive in NAMES.items():
                    if not directive.flags & HIDDEN and matches(pattern, name, True):
                        spelled.setdefault(name, name)
        return {spelled[name]: self.show(NAMES[name]) for name in sorted(spelled)}

    def show(self, directive: Directive[Any]) -> bytes:
        """A value as CONFIG GET prints it."""
        return directive.show(vars(self)[directive.attribute])

    def put(self, directive: Directive[Any], value: object) -> None:
        """Replaces a value from inside, unchecked and without telling anyone: at start, or by REPLICAOF."""
        vars(self)[directive.attribute] = value

    def watch(self, names: str, callback: Watcher) -> None:
        """Has `callback` called after every CONFIG SET that changes one of the directives, once for each SET.

        `names` are names of redis.conf, separated by blanks. The new values are in force when it is called. It may
        raise `Refused`: then the old values come back, and everyone who was told of the new ones is called again.
        """
        watched = frozenset(NAMES[name.encode()].attribute for name in names.split())
        self._watchers.append((watched, callback))

    def set(self, pairs: Iterable[tuple[bytes, bytes]], *, local: bool = False, loading: bool = False) -> None:
        """CONFIG SET: all of the pairs or, with a `CommandError`, none of them.

        `local` says that the client is on this machine, which `enable-protected-configs local` asks for; `loading`
        that the data is not there yet.
        """
        wishes = self._permitted(pairs, local, loading)
        before = {wish.directive.attribute: vars(self)[wish.directive.attribute] for wish in wishes}
        self._parse(wishes, before)
        self._tell(wishes, before)

    def _permitted(self, pairs: Iterable[tuple[bytes, bytes]], local: bool, loading: bool) -> list[_Wish]:
        protection = self.enable_protected_configs
        barred = IMMUTABLE if protection == "yes" or (protection == "local" and local) else IMMUTABLE | PROTECTED
        wishes: dict[bytes, _Wish] = {}
        for spelling, value in pairs:
            name = spelling.lower()
            directive = NAMES.get(name)
            if directive is None:
                raise CommandError(unknown_option(spelling))
            if directive.flags & barred:
                reason = IMMUTABLE_CONFIG if directive.flags & IMMUTABLE else PROTECTED_CONFIG
                raise CommandError(set_failed(spelling, reason))
            if loading and directive.flags & NOT_WHILE_LOADING:
                raise CommandError(LOADING)
            # As on the real server, a directive and its alias count as two.
            if name in wishes:
                raise CommandError(set_failed(spelling, DUPLICATE_PARAMETER))
            wishes[name] = _Wish(name, directive, value)
        return list(wishes.values())

    def _parse(self, wishes: list[_Wish], before: dict[str, Any]) -> None:
        values = vars(self)
        for name, directive, value in wishes:
            attribute = directive.attribute
            try:
                values[attribute] = directive.from_value(value, values[attribute])
            except Refused as refusal:
                values.update(before)
                raise CommandError(set_failed(name, str(refusal))) from None

    def _tell(self, wishes: list[_Wish], before: dict[str, Any]) -> None:
        values = vars(self)
        changed = {attribute for attribute, value in before.items() if values[attribute] != value}
        told: list[Watcher] = []
        for watched, callback in self._watchers:
            if watched.isdisjoint(changed) or callback in told:
                continue
            told.append(callback)
            try:
                callback()
            except BaseException as error:
                values.update(before)
                self._tell_again(told)
                if not isinstance(error, Refused):
                    raise
                culprit = next(wish.name for wish in wishes if wish.directive.attribute in watched & changed)
                raise CommandError(set_failed(culprit, str(error))) from None

    def _tell_again(self, told: list[Watcher]) -> None:
        """After a veto: what one of them raises now must not keep the others from the old values."""
        for callback in told:
            try:
                callback()
            except Exception:
                log.exception("Failed applying restored configuration after a failed CONFIG SET")


def is_secret(name: bytes) -> bool:
    """Whether the directive's value must be kept out of the slow log, MONITOR and the like."""
    directive = NAMES.get(name.lower())
    return directive is not None and directive.secret
