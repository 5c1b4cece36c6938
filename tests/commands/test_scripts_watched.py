"""What MONITOR, SLOWLOG and `maxmemory` make of scripts."""

from __future__ import annotations

from typing import Any

import pytest

from alcove.errors import OUT_OF_MEMORY, CommandError
from tests.commands.test_monitor import Scene
from tests.comparison.servers import RealServer
from tests.server.wire import Client


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_monitors_see_a_script_and_then_what_it_calls(scene: Scene) -> None:
    scene("EVAL", "redis.call('set', KEYS[1], 'x') return redis.call('select', '5')", "1", "k")
    assert scene.shown() == [
        b"[0] \"EVAL\" \"redis.call('set', KEYS[1], 'x') return redis.call('select', '5')\" \"1\" \"k\"",
        b'[0] "set" "k" "x"',
        b'[5] "select" "5"',
    ]


def test_the_slow_log_names_the_caller(scene: Scene) -> None:
    scene("CONFIG", "SET", "slowlog-log-slower-than", "0")
    scene("SLOWLOG", "RESET")
    scene("CLIENT", "SETNAME", "me")
    scene("EVAL", "return redis.call('ping')", "0")
    entries = scene("SLOWLOG", "GET")
    assert [entry[3][0] for entry in entries[:2]] == [b"EVAL", b"ping"]
    assert all(entry[4:] == [b"10.0.0.1:5", b"me"] for entry in entries[:2])


WRITES = "return redis.call('set', 'b', '1')"
READS = "return redis.call('get', 'a')"
BOTH = "redis.call('del', 'c') return redis.call('set', 'c', '1')"


def answers(call: Any) -> list[str]:
    """What scripts may do when there is no room."""
    for words in (["FLUSHALL"], ["SET", "a", "1"], ["CONFIG", "SET", "maxmemory", "1"]):
        call(*words)
    replies = []
    for script in (WRITES, READS, BOTH):
        replies.append(call("EVAL", script, "0"))
        for flags in ("", " flags=no-writes", " flags=allow-oom"):
            replies.append(call("EVAL", f"#!lua{flags}\n{script}", "0"))
    call("CONFIG", "SET", "maxmemory", "0")
    return [reply.text if isinstance(reply, CommandError) else str(reply) for reply in replies]


def test_scripts_without_room_as_on_the_real_servers(real: RealServer, scene: Scene) -> None:
    with Client(str(real.path)) as client:
        theirs = answers(client.call)
    ours = answers(scene)
    assert ours == theirs
    assert OUT_OF_MEMORY in ours[0]
