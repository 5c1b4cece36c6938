"""The graph of LATENCY GRAPH: columns of ASCII, labelled downwards, in the form of the real servers."""

from __future__ import annotations

from typing import Final, NamedTuple

COLUMNS: Final = 80
ROWS: Final = 4
# What stands at the top of a column, from low to high within one row.
TOPS: Final = "_o#"
BELOW: Final = "|"


class Bar(NamedTuple):
    """One column."""

    value: int
    label: str


def sparkline(bars: list[Bar]) -> str:
    """The lines of a graph, in blocks that are as wide as the screen; all have the scale of the whole."""
    lowest = min(bar.value for bar in bars)
    span = max(bar.value for bar in bars) - lowest or 1
    levels = len(TOPS) * ROWS
    heights = [min((bar.value - lowest) * levels // span, levels - 1) for bar in bars]
    blocks = []
    for start in range(0, len(bars), COLUMNS):
        labels = [bar.label for bar in bars[start : start + COLUMNS]]
        blocks.append(block(heights[start : start + COLUMNS], labels))
    return "\n".join(blocks)


def block(heights: list[int], labels: list[str]) -> str:
    lines = ["".join(character(height - row * len(TOPS)) for height in heights) for row in range(ROWS - 1, -1, -1)]
    lines.append(" " * len(labels))
    depth = max(map(len, labels))
    padded = [label.ljust(depth) for label in labels]
    lines += ["".join(letters) for letters in zip(*padded, strict=True)]
    return "".join(f"{line}\n" for line in lines)


def character(height: int) -> str:
    """What a column shows in a row above whose floor it rises by `height`."""
    if height < 0:
        return " "
    return TOPS[height] if height < len(TOPS) else BELOW
