"""Glob patterns: what the real servers' matcher says, and patterns that are made to take for ever."""

from __future__ import annotations

import random
import shutil

import pytest

from alcove.engine.glob import matches
from alcove.errors import CommandError
from tests.comparison.servers import BINARIES, RealServer


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        (b"", b"", True),
        (b"*", b"", False),
        (b"", b"a", False),
        (b"*", b"a", True),
        (b"a*", b"a", True),
        (b"a**", b"a", True),
        (b"h?llo", b"hello", True),
        (b"h?llo", b"hllo", False),
        (b"h[ae]llo", b"hallo", True),
        (b"h[^e]llo", b"hello", False),
        (b"h[a-c]llo", b"hbllo", True),
        (b"h[c-a]llo", b"hbllo", True),
        (b"h\\?llo", b"h?llo", True),
        (b"h\\?llo", b"hello", False),
        (b"[a", b"a", True),
        (b"[]", b"]", False),
        (b"[\\]]", b"]", True),
        (b"a\\", b"a\\", True),
        (b"*ab*abc", b"ababababc", True),
        (b"\xff?\0*", b"\xff\xfe\0\r\n", True),
    ],
)
def test_patterns(pattern: bytes, text: bytes, fits: bool) -> None:
    assert matches(pattern, text) is fits


def test_without_case() -> None:
    assert matches(b"MAX[A-Z]*", b"maxmemory", True)
    assert not matches(b"MAX*", b"maxmemory")


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        (b"a*" * 10_000 + b"b", b"a" * 5_000, False),
        (b"*a" * 10_000, b"a" * 10_000, True),
        (b"*a" * 30 + b"*b", b"a" * 10_000, False),
        (b"*" * 100_000 + b"b", b"a" * 1_000, False),
        (b"*?" * 2_000, b"a" * 2_000, True),
        (b"*[a-b]" * 1_000 + b"c", b"a" * 3_000, False),
        (b"[" * 100_000, b"[", True),
        (b"[a-" * 100_000, b"a", True),
        (b"*" + b"a" * 500 + b"b", b"a" * 1_500, False),
    ],
)
def test_hostile_patterns(pattern: bytes, text: bytes, fits: bool) -> None:
    """Exponential time would not end here, nor would recursion without end."""
    assert matches(pattern, text) is fits


@pytest.mark.parametrize("kind", sorted(BINARIES))
def test_like_the_real_servers(kind: str) -> None:
    if shutil.which(BINARIES[kind]) is None:
        pytest.skip(f"{BINARIES[kind]} is not installed")
    chance = random.Random(1)
    names = [b"".join(chance.choices([b"a", b"b", b"-", b"]", b"*"], k=chance.randrange(6))) for _ in range(60)]
    pieces = [b"a", b"b", b"?", b"*", b"[", b"]", b"^", b"-", b"\\", b"[ab]", b"[^a]", b"[a-b]"]
    patterns = [b"".join(chance.choices(pieces, k=chance.randrange(7))) for _ in range(3000)]
    server = RealServer(kind)
    try:
        wire = server.connect()
        wire.run([[b"MSET", *(word for name in names for word in (name, b""))]])
        for pattern, found in zip(patterns, wire.run([[b"KEYS", pattern] for pattern in patterns]), strict=True):
            assert not isinstance(found, CommandError)
            if pattern != b"*":
                assert set(found) == {name for name in names if matches(pattern, name)}, pattern
        wire.close()
    finally:
        server.stop()
