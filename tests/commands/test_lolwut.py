"""LOLWUT: a picture of the width that is asked for, and the version under it."""

from __future__ import annotations

from typing import Any

import pytest

from alcove.values import Verbatim
from alcove.version import REDIS_VERSION
from tests.commands.watched import Watched


@pytest.mark.parametrize(
    ("words", "width"),
    [
        ("", 40),
        (" VERSION 5", 40),
        (" VERSION 6 60 7", 60),
        (" version 99 1", 12),
        (" 24", 24),
        (" 100000", 160),
        (" VERSION", 40),
    ],
)
def test_a_picture(words: str, width: int) -> None:
    text: Any = Watched()("LOLWUT" + words)
    assert type(text) is Verbatim
    *picture, floor, empty, version, end = text.decode().split("\n")
    assert floor == "=" * width
    assert max(map(len, picture)) == width
    assert len(picture) == width // 2
    assert (empty, end) == ("", "")
    assert version.startswith(f"Redis ver. {REDIS_VERSION}, Alcove ver. ")


def test_what_is_no_number() -> None:
    run = Watched()
    for words in ("VERSION x", "x", "VERSION 5 x"):
        assert run(f"LOLWUT {words}") == "ERR value is not an integer or out of range"
