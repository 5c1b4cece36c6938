"""Keyspace notifications: which classes are published, on which channels, in which order, and when none is."""

from __future__ import annotations

from typing import Any

import pytest

import alcove.commands  # noqa: F401 (declares the commands)
from alcove.engine import events
from alcove.engine.clock import ManualClock
from alcove.engine.config import Config
from alcove.engine.engine import Engine
from alcove.errors import CommandError


class Told:
    """An engine with a client that runs commands, and another that hears of all events."""

    def __init__(self, classes: str = "KEA") -> None:
        self.clock = ManualClock()
        self.engine = Engine(clock=self.clock)
        self.session = self.engine.connect("embedded")
        self.messages: list[Any] = []
        listener = self.engine.connect("embedded")
        listener.push = self.messages.append
        self.engine.execute(listener, [b"PSUBSCRIBE", b"__key*__:*"])
        self("CONFIG", "SET", "notify-keyspace-events", classes)

    def __call__(self, *words: str) -> list[str]:
        """The events of a command, given as one string or as its words: the name and the key, by `__keyevent`."""
        if len(words) == 1:
            words = tuple(words[0].split())
        self.messages.clear()
        reply = self.engine.execute(self.session, [word.encode() for word in words])
        assert not isinstance(reply, CommandError), reply
        return self.heard()

    def heard(self) -> list[str]:
        found = []
        for _, _, channel, message in self.messages:
            if channel.startswith(b"__keyevent"):
                found.append(f"{channel.partition(b':')[2].decode()} {message.decode()}")
        return found

    def tick(self) -> list[str]:
        self.messages.clear()
        self.engine.enter()
        self.engine.tick()
        self.engine.leave()
        return self.heard()


def test_the_key_is_told_before_the_event() -> None:
    told = Told()
    told("SELECT 3")
    told("SET key:a value")
    assert told.messages == [
        [b"pmessage", b"__key*__:*", b"__keyspace@3__:key:a", b"set"],
        [b"pmessage", b"__key*__:*", b"__keyevent@3__:set", b"key:a"],
    ]


@pytest.mark.parametrize(("classes", "channels"), [("KA", {b"__keyspace"}), ("EA", {b"__keyevent"}), ("A", set())])
def test_either_kind_of_channel_can_be_chosen(classes: str, channels: set[bytes]) -> None:
    told = Told(classes)
    told("SET key value")
    assert {message[2].partition(b"@")[0] for message in told.messages} == channels


@pytest.mark.parametrize(
    ("letter", "command", "event"),
    [
        ("g", "DEL string", "del string"),
        ("$", "APPEND string more", "append string"),
        ("l", "LPUSH list a", "lpush list"),
        ("s", "SADD set b", "sadd set"),
        ("h", "HSET hash f v", "hset hash"),
        ("z", "ZADD zset 2 m", "zadd zset"),
        ("t", "XADD stream * f v", "xadd stream"),
        ("m", "GET missing", "keymiss missing"),
        ("n", "SET fresh v", "new fresh"),
        ("o", "SET string v", "overwritten string"),
        ("c", "SET list v", "type_changed list"),
    ],
)
def test_every_class_has_its_letter(letter: str, command: str, event: str) -> None:
    fillings = ["SET string v", "RPUSH list x", "SADD set x", "HSET hash x y", "ZADD zset 1 x", "XADD stream * a b"]
    others = "".join(set(events.LETTERS) - {letter})
    for classes, expected in ((f"E{letter}", [event]), (others, [])):
        told = Told(classes)
        for filling in fillings:
            told(filling)
        assert [each for each in told(command) if each == event] == expected


def test_a_stands_for_all_but_misses_new_and_overwritten_keys() -> None:
    told = Told("KEA")
    assert told("GET missing") == []
    assert told("SET key value") == ["set key"]
    assert told("SADD other value") == ["sadd other"]
    assert told("SET other value") == ["set other"]


def test_a_new_key_is_told_of_before_its_event() -> None:
    told = Told("EAn")
    assert told("RPUSH list a b") == ["new list", "rpush list"]
    assert told("RPUSH list c") == ["rpush list"]
    assert told("SET key v EX 10") == ["new key", "set key", "expire key"]


def test_what_is_overwritten_is_told_of_before_the_new_value_but_after_a_key_that_moves() -> None:
    told = Told("EAoc")
    for command in ("SET a 1", "SET b 2", "RPUSH list x", "SADD set 1"):
        told(command)
    assert told("SET a 3") == ["overwritten a", "set a"]
    assert told("INCR a") == ["incrby a"]
    assert told("APPEND a 1") == ["append a"]
    assert told("SUNIONSTORE list set") == ["overwritten list", "type_changed list", "sunionstore list"]
    assert told("RENAME a list") == ["rename_from a", "rename_to list", "overwritten list", "type_changed list"]
    assert told("COPY list b REPLACE") == ["copy_to b", "overwritten b"]


def test_a_transaction_tells_of_each_command() -> None:
    told = Told("EA")
    assert [told("MULTI"), told("SET a 1"), told("LPUSH b 1"), told("DEL a b")] == [[], [], [], []]
    assert told("EXEC") == ["set a", "lpush b", "del a", "del b"]


def test_keys_that_expire_by_themselves_or_when_they_are_met() -> None:
    told = Told("EAm")
    told("SET a 1 PX 100")
    told("SET b 1 PX 200")
    told.clock.advance(0.1)
    assert told.tick() == ["expired a"]
    told.clock.advance(0.1)
    assert told("GET b") == ["expired b", "keymiss b"]
    assert told.tick() == []


def test_fields_that_expire_and_the_last_of_them_with_its_hash() -> None:
    told = Told("EA")
    told("HSET hash f 1 g 2")
    assert told("HPEXPIRE hash 100 FIELDS 1 f") == ["hexpire hash"]
    assert told("HPEXPIRE hash 200 FIELDS 1 g") == ["hexpire hash"]
    told.clock.advance(0.1)
    assert told.tick() == ["hexpired hash"]
    told.clock.advance(0.1)
    assert told.tick() == ["hexpired hash", "del hash"]


def test_a_deadline_in_the_past_deletes() -> None:
    told = Told("EA")
    told("SET key value")
    assert told("EXPIRE key -1") == ["del key"]


def test_the_last_element_takes_its_key_with_it() -> None:
    told = Told("EA")
    told("RPUSH list a")
    assert told("LPOP list") == ["lpop list", "del list"]
    told("SADD set a")
    assert told("SPOP set") == ["spop set", "del set"]


def test_a_client_hears_of_its_own_events_behind_the_reply() -> None:
    engine = Engine()
    session = engine.connect("embedded")
    session.protocol = 3
    messages: list[Any] = []
    session.push = messages.append
    for command in (b"CONFIG SET notify-keyspace-events Ez", b"PSUBSCRIBE *"):
        engine.execute(session, command.split())
    replies = engine.execute(session, [b"ZADD", b"zset", b"1", b"a"])
    assert list(replies) == [1, [b"pmessage", b"*", b"__keyevent@0__:zadd", b"zset"]]
    assert messages == []


def test_what_nobody_asked_for_is_not_even_told() -> None:
    engine = Engine()
    assert engine.space.event_mask == 0
    engine.config.set([(b"notify-keyspace-events", b"A")])
    assert engine.space.event_mask == 0, "without K or E there is no channel"
    engine.config.set([(b"notify-keyspace-events", b"Kx")])
    assert engine.space.event_mask == events.EXPIRED


def test_config_get_has_one_form_of_each_choice() -> None:
    config = Config()

    def shown(letters: bytes) -> bytes:
        config.set([(b"notify-keyspace-events", letters)])
        return config.matching([b"notify-keyspace-events"])[b"notify-keyspace-events"]

    assert shown(b"mKExgE$") == b"g$xKEm"
    assert shown(b"tdxezhsl$gEK") == b"AKE"
    assert shown(b"AKE") == b"AKE"
    assert shown(b"") == b""
    with pytest.raises(CommandError, match=r"Invalid event class character. Use 'Ag\$lshzxeKEtmdnoc'."):
        shown(b"Kq")
