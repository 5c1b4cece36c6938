"""What a benchmark hands over: tables of measured figures, its aims, and how to read them; as text and as markdown."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field

# Stands where a peer has no figure.
NONE = "–"


@dataclass(frozen=True)
class Table:
    """Rows of text; the first column names the row, the others hold figures."""

    title: str
    columns: list[str]
    rows: list[list[str]]


@dataclass(frozen=True)
class Aim:
    """What was wanted, what was measured, and whether that is enough."""

    wanted: str
    measured: str
    met: bool


@dataclass
class Section:
    """One benchmark's results."""

    title: str
    reading: str
    tables: list[Table] = field(default_factory=list)
    aims: list[Aim] = field(default_factory=list)


def note(text: str) -> None:
    """Progress, apart from the results."""
    print(text, file=sys.stderr, flush=True)


# Figures


def figure(value: float | None) -> str:
    """Three digits that count, and no fewer than stand before the point."""
    if value is None:
        return NONE
    places = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{places}f}"


def ratio(value: float | None, base: float | None) -> float | None:
    return value / base if value is not None and base else None


def times(value: float | None) -> str:
    return NONE if value is None else f"{figure(value)}x"


def geometric_mean(values: Iterable[float | None]) -> float | None:
    """Of those that are there."""
    logarithms = [math.log(value) for value in values if value]
    return math.exp(sum(logarithms) / len(logarithms)) if logarithms else None


# Text


def as_text(section: Section) -> str:
    parts = [underlined(section.title, "="), section.reading]
    for table in section.tables:
        parts.append(f"{underlined(table.title, '-')}\n{aligned(table)}")
    if section.aims:
        parts.append("\n".join(f"{verdict(aim)}: {aim.wanted}: {aim.measured}" for aim in section.aims))
    return "\n\n".join(parts) + "\n"


def underlined(title: str, line: str) -> str:
    return f"{title}\n{line * len(title)}"


def verdict(aim: Aim) -> str:
    return "met" if aim.met else "missed"


def aligned(table: Table) -> str:
    lines = [table.columns, *table.rows]
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join([first.ljust(widths[0]), *map(str.rjust, rest, widths[1:])]).rstrip() for first, *rest in lines
    )


# Markdown


def as_markdown(section: Section) -> str:
    parts = [f"## {section.title}", section.reading]
    for table in section.tables:
        parts.append(f"### {table.title}\n\n{grid(table)}")
    if section.aims:
        aims = [[aim.wanted, aim.measured, verdict(aim)] for aim in section.aims]
        parts.append(grid(Table("", ["Aim", "Measured", ""], aims)))
    return "\n\n".join(parts) + "\n"


def grid(table: Table) -> str:
    rule = ["---"] + ["---:"] * (len(table.columns) - 1)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [table.columns, rule, *table.rows])
