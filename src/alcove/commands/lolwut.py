"""LOLWUT: a picture, another one each time: an alcove, and what shines into it."""

from __future__ import annotations

import math
import random
from typing import Final

from alcove.engine.context import Context
from alcove.engine.declaration import command
from alcove.numeric import parse_int
from alcove.values import Verbatim
from alcove.version import REDIS_VERSION, VERSION

GROUP: Final = "server"

# Columns of the picture if nobody says, at least and at most.
WIDTH: Final = 40
NARROWEST: Final = 12
WIDEST: Final = 160
# A character is about twice as high as it is wide.
ASPECT: Final = 2
# From dark to bright.
SHADES: Final = " .:-=+*%#"
# The walls, as thick as that many columns.
WALL: Final = 2


@command(
    "LOLWUT [VERSION version]",
    arity=-1,
    flags="readonly fast",
    since="5.0.0",
    complexity="O(N) where N is the number of characters of the picture",
)
def lolwut(ctx: Context, *words: bytes) -> Verbatim:
    """Displays computer art and the Redis version.

    Versions differ in their words only. Behind them, or without a version, the picture's width may follow.
    """
    rest = list(words)
    if len(rest) > 1 and rest[0].upper() == b"VERSION":
        parse_int(rest[1])
        del rest[:2]
    width = min(max(parse_int(rest[0]), NARROWEST), WIDEST) if rest and rest[0].upper() != b"VERSION" else WIDTH
    picture = "\n".join(alcove(width, random.random()))
    return Verbatim(f"{picture}\n\nRedis ver. {REDIS_VERSION}, Alcove ver. {VERSION}\n".encode())


def alcove(width: int, sun: float) -> list[str]:
    """The lines of a niche under a round arch, lit from where the sun stands: 0 is the left, 1 the right."""
    radius = width / 2
    rows = width // ASPECT
    light_x, light_y = radius * (0.4 + 1.2 * sun), radius * 0.6
    lines = []
    for row in range(rows):
        y = (row + 0.5) * ASPECT
        line = ""
        for column in range(width):
            x = column + 0.5
            # Above the spring of the arch the walls bend together.
            outside = math.hypot(x - radius, min(y - radius, 0)) / radius
            if outside > 1:
                line += " "
            elif outside > 1 - WALL / radius:
                line += "#"
            else:
                brightness = 1 - math.hypot(x - light_x, y - light_y) / (1.4 * radius) + random.uniform(-0.06, 0.06)
                line += SHADES[min(max(round(brightness * (len(SHADES) - 1)), 0), len(SHADES) - 2)]
        lines.append(line.rstrip())
    return [*lines, "=" * width]
