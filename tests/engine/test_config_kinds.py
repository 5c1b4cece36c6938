"""The kinds of directives: what each accepts, refuses and prints, and that what is printed reads back."""

from __future__ import annotations

from typing import Any

import pytest

from alcove.engine import config_kinds as kinds
from alcove.engine import events
from alcove.engine.config_kinds import BufferLimit, BufferLimits, Refused
from alcove.engine.settings import ALIASES, DIRECTIVES, IGNORED, NAMES, Settings
from alcove.quoting import split_words


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"", []),
        (b" \t ", []),
        (b'""', [b""]),
        (b"'' x", [b"", b"x"]),
        (b'"\\x41\\xfF\\n\\r\\t\\b\\a\\q\\"\\\\"', [b'A\xff\n\r\t\b\aq"\\']),
        (b'"\\xzz"', [b"xzz"]),
        (b"'a\\'b\\n'", [b"a'b\\n"]),
        (b'a"b c" d', [b"ab c", b"d"]),
        (b"a\\ b", [b"a\\", b"b"]),
        (b"a b\0c", [b"a", b"b"]),
        (b'"a', None),
        (b"'a", None),
        (b"'a\\'", None),
        (b'"a\\"', None),
        (b'"a"b', None),
        (b"'a'b", None),
        (b'"a""b"', None),
    ],
)
def test_quotes(line: bytes, words: list[bytes] | None) -> None:
    assert split_words(line) == words


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (b"0", 0),
        (b"007", 7),
        (b"10b", 10),
        (b"1k", 1000),
        (b"1KB", 1024),
        (b"1m", 10**6),
        (b"1Mb", 2**20),
        (b"3g", 3 * 10**9),
        (b"1gB", 2**30),
        (b"gb", 0),
        (b"", 0),
        (b"99999999999999999999gb", 2**64 - 1),
        (b"9" * 127, 2**64 - 1),
        (b"9" * 128, None),
        (b"1tb", None),
        (b"1.5gb", None),
        (b"-1", None),
        (b"+1", None),
        (b"1 gb", None),
        (b"1_0", None),
        (b"0x10", None),
    ],
)
def test_memory(text: bytes, size: int | None) -> None:
    assert kinds.parse_memory(text) == size


def test_memory_is_written_with_the_largest_whole_unit() -> None:
    assert [kinds.format_memory(size) for size in (0, 1, 1024, 3 << 20, 1 << 30, (1 << 30) + 1024)] == [
        b"0",
        b"1",
        b"1kb",
        b"3mb",
        b"1gb",
        b"1048577kb",
    ]


@pytest.mark.parametrize(
    ("directive", "value", "reason"),
    [
        (Settings.appendonly, b"maybe", "argument must be 'yes' or 'no'"),
        (Settings.port, b"1_0", "argument couldn't be parsed into an integer"),
        (Settings.port, b" 1", "argument couldn't be parsed into an integer"),
        (Settings.port, b"65536", "argument must be between 0 and 65535 inclusive"),
        (Settings.unixsocketperm, b"8", "argument couldn't be parsed as an octal number"),
        (Settings.unixsocketperm, b"1777", "argument must be between 0 and 777 inclusive"),
        (Settings.maxmemory_clients, b"-5%", "argument must be a memory or percent value"),
        (Settings.maxmemory_clients, b"101%", "percentage argument must be less or equal to 100"),
        (Settings.proto_max_bulk_len, b"1", "argument must be between 1048576 and 9223372036854775807 inclusive"),
        (Settings.appendfsync, b"", "argument(s) must be one of the following: everysec, always, no"),
        (Settings.cluster_announce_hostname, b"a" * 256, "Hostnames must be less than 256 characters"),
        (Settings.dbfilename, b"a\\b", "dbfilename can't be a path, just a filename"),
        (Settings.appenddirname, b"a/b", "appenddirname can't be a path, just a dirname"),
        (Settings.appendfilename, b"", "appendfilename can't be empty"),
        (Settings.proc_title_template, b"{nope}", "template format is invalid or contains unknown variables"),
        (Settings.replicaof, b"host 65536", "Invalid master port"),
        (Settings.dir, b"/nosuch", "No such file or directory"),
        (Settings.dir, b"/dev/null", "Not a directory"),
        (Settings.dir, b"/\0", "embedded null byte"),
        (Settings.bind, b"1 " * 17, "Too many bind addresses specified."),
        (Settings.save, b"9 1 5", "Invalid save parameters"),
        (Settings.client_output_buffer_limit, b"normal 1 1 2147483648", "Error in hard, soft or soft_seconds"),
    ],
)
def test_refusals(directive: kinds.Directive[Any], value: bytes, reason: str) -> None:
    with pytest.raises(Refused) as refusal:
        directive.from_value(value, directive.default)
    assert str(refusal.value).startswith(reason)


@pytest.mark.parametrize(
    ("directive", "value", "parsed"),
    [
        (Settings.appendonly, b"YES", True),
        (Settings.loglevel, b"NoThing", "nothing"),
        (Settings.hz, b"0", 1),
        (Settings.hz, b"2147483647", 500),
        (Settings.unixsocketperm, b"0700", 0o700),
        (Settings.maxmemory_clients, b"5%", -5),
        (Settings.maxmemory_clients, b"1kb", 1024),
        (Settings.shutdown_on_sigint, b"force SAVE save", ("save", "force")),
        (Settings.shutdown_on_sigint, b"default", ()),
        (Settings.dir, b"/usr/../dev", "/dev"),
        (Settings.replicaof, b"NO one", None),
        (Settings.save, b"+0900 -0", ((900, 0),)),
        (Settings.save, b"1 " + b"9" * 5000, ((1, 2**63 - 1),)),
        (Settings.save, b"", ()),
        (Settings.bind, b"", ()),
        (Settings.latency_tracking_info_percentiles, b"1e-7 0x10 99.9999999", (0.0, 16.0, 100.0)),
        (Settings.requirepass, b"\xff\0", b"\xff\0"),
        (Settings.notify_keyspace_events, b"AKE", events.ALL | events.KEYSPACE | events.KEYEVENT),
    ],
)
def test_values(directive: kinds.Directive[Any], value: bytes, parsed: object) -> None:
    assert directive.from_value(value, directive.default) == parsed


def test_a_relative_directory_starts_from_the_one_in_force(tmp_path: Any) -> None:
    (tmp_path / "inner").mkdir()
    assert Settings.dir.from_value(b"inner", str(tmp_path)) == str(tmp_path / "inner")


def test_output_buffer_limits_of_classes_not_named_stay() -> None:
    limits = Settings.client_output_buffer_limit
    changed = limits.from_value(b"slave 1kb 2 3 PUBSUB 4 5 6", limits.default)
    assert changed == BufferLimits(limits.default.normal, BufferLimit(1024, 2, 3), BufferLimit(4, 5, 6))
    assert limits.show(changed) == b"normal 0 0 0 slave 1024 2 3 pubsub 4 5 6"


def test_event_classes_print_in_the_order_of_the_real_server() -> None:
    every = sum(events.LETTERS.values())
    # The real server leaves out n where it prints A, although A does not stand for it; a file must say both.
    assert Settings.notify_keyspace_events.show(every).startswith(b"AKEm")
    assert Settings.notify_keyspace_events.lines(every)[0].startswith(b'"AnKEm')
    assert Settings.notify_keyspace_events.show(every & ~events.STRING).startswith(b"glshzxetdnKEm")


def test_aliases_and_names() -> None:
    assert all(NAMES[alias] is NAMES[name] for alias, name in ALIASES.items())
    assert not IGNORED & NAMES.keys()
    assert all(directive.about[0].isupper() and not directive.about.endswith(".") for directive in DIRECTIVES.values())


def test_defaults_are_values_that_their_directives_take() -> None:
    empty = {b"dir", b"replicaof"}
    for name, directive in DIRECTIVES.items():
        if name not in empty:
            assert directive.from_value(directive.show(directive.default), directive.default) == directive.default
