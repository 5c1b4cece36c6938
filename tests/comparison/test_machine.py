"""The machine itself: a long sequence that differs is cut down to what the difference needs."""

from __future__ import annotations

from typing import Any, cast

import pytest

from tests.comparison.machine import Comparison, Difference, difference, shrunk

NEEDED = [[b"SET", b"a"], [b"INCR", b"a"], [b"GET", b"a"]]


class Differing:
    """Stands in for a comparison: differs where all that is needed comes in order."""

    def __init__(self) -> None:
        self.runs = 0

    def run(self, commands: list[list[bytes]], batch: int) -> None:
        self.runs += 1
        assert batch >= len(commands)
        rest = iter(commands)
        if all(argv in rest for argv in NEEDED):
            raise Difference("GET a", 1, 2)


@pytest.mark.parametrize("places", [(0, 1, 2), (17, 300, 599), (597, 598, 599), (0, 300, 301)])
def test_only_what_a_difference_needs_is_left(places: tuple[int, ...]) -> None:
    commands = [[b"PING", b"%d" % number] for number in range(600)]
    for place, argv in zip(places, NEEDED, strict=True):
        commands[place] = argv
    differing = Differing()
    assert shrunk(cast(Any, differing), commands) == NEEDED
    # So few that each may take long.
    assert differing.runs < 120


def test_out_of_time_what_was_found_is_left() -> None:
    commands = [[b"PING"], *NEEDED, [b"PING"]]
    assert shrunk(cast(Any, Differing()), commands, seconds=0) == commands


def test_no_difference() -> None:
    comparison = cast(Comparison, Differing())
    assert difference(comparison, NEEDED[:2]) is None
    assert difference(comparison, []) is None
