"""The command line of the benchmarks: which to run, and where their results go."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from bench import (
    durability,
    embedded,
    eviction,
    expiry,
    folders,
    growth,
    machine,
    memory,
    patterns,
    pubsub,
    reading,
    scripting,
    server,
    tracking,
)
from bench.peers import Unavailable
from bench.report import Section, as_markdown, as_text, note

SECTIONS: dict[str, Callable[[bool], Section]] = {
    "server": server.run,
    "embedded": embedded.run,
    "folders": folders.run,
    "growth": growth.run,
    "pubsub": pubsub.run,
    "tracking": tracking.run,
    "scripting": scripting.run,
    "expiry": expiry.run,
    "reading": reading.run,
    "memory": memory.run,
    "eviction": eviction.run,
    "durability": durability.run,
    "patterns": patterns.run,
}

PREFACE = """\
# Performance

Alcove beside redis-server, valkey-server, redis-py and fakeredis, and its toolkit beside the libraries nearest to it,
all in one run on one machine. This page is written by `make bench ARGS="--markdown docs/performance.md"` and holds only
what that run measured. Absolute figures are those of the machine; the ratios travel better, as each compares what ran
in turns on the same processor. Below each group of tables stand the aims, met or missed."""


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    try:
        machine.needs()
        facts = machine.facts(arguments)
        print("\n".join(f"{name}: {fact}" for name, fact in facts.items()), end="\n\n", flush=True)
        sections = []
        for name in options.only or SECTIONS:
            sections.append(SECTIONS[name](options.quick))
            print(as_text(sections[-1]), flush=True)
    except Unavailable as reason:
        note(f"bench: {reason}")
        return 1
    if options.markdown is not None:
        where = "\n".join(f"- {name}: {fact}" for name, fact in facts.items())
        options.markdown.write_text("\n".join([PREFACE, "", where, "", *map(as_markdown, sections)]))
    return 0


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Alcove beside its peers, in one run.")
    parser.add_argument("--quick", action="store_true", help="short runs and small sizes: to see that all works")
    parser.add_argument("--only", action="append", choices=SECTIONS, help="this benchmark; may be repeated")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the results there, too")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
