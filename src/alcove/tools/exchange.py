"""What `alcove dump` and `alcove load` do with files and places around the lines themselves."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from redis.exceptions import RedisError

from alcove.persistence.disk import Disk
from alcove.persistence.loading import CannotLoad
from alcove.tools.conversation import Refused
from alcove.tools.dump import dump
from alcove.tools.load import load
from alcove.tools.places import HERE, readable, writable
from alcove.tools.progress import Progress

STANDARD = "-"
# How much is gathered before it is written.
_PIECE = 1 << 16
# What goes wrong with a place: files, URLs, servers.
TROUBLE = (OSError, ValueError, CannotLoad, RedisError, Refused)


class Warnings:
    """Says on the standard error what went wrong with one key, and counts it."""

    def __init__(self, command: str, progress: Progress) -> None:
        self._command = command
        self._progress = progress
        self.count = 0

    def __call__(self, why: str) -> None:
        self.count += 1
        self._progress.clear()
        print(f"alcove {self._command}: {why}", file=sys.stderr)


def dump_to(target: str, place: str | None, number: int | None) -> int:
    """Dumps a place to a file, which is there only when all is in it; the exit status."""
    progress = Progress()
    warnings = Warnings("dump", progress)
    try:
        with readable(place or HERE) as conversation:
            only = number if number is not None else conversation.database
            lines = counted(dump(conversation, only, warnings), progress)
            if target == STANDARD:
                sys.stdout.buffer.writelines(lines)
                sys.stdout.buffer.flush()
            else:
                write_file(target, lines)
    except TROUBLE as error:
        warnings(str(error))
    progress.clear()
    return int(warnings.count > 0)


def counted(lines: Iterable[bytes], progress: Progress) -> Iterator[bytes]:
    for count, line in enumerate(lines, 1):
        progress("keys", count, 0)
        yield line


def write_file(path: str, lines: Iterable[bytes]) -> None:
    """Puts a file of these lines in place of what has its name, when it is whole and on the disk."""
    disk = Disk()
    temporary = f"{path}.tmp"
    out = disk.create(temporary)
    gathered = bytearray()
    try:
        for line in lines:
            gathered += line
            if len(gathered) >= _PIECE:
                out.write(bytes(gathered))
                gathered.clear()
        out.write(bytes(gathered))
        out.sync()
    except BaseException:
        disk.remove(temporary)
        raise
    finally:
        out.close()
    disk.rename(temporary, path)
    disk.sync_folder(os.path.dirname(path) or ".")


def load_from(source: str, place: str | None, replace: bool) -> int:
    """Loads a file into a place; the exit status."""
    progress = Progress()
    warnings = Warnings("load", progress)
    try:
        with lines_of(source, progress) as lines, writable(place or HERE) as conversation:
            outcome = load(conversation, lines, replace, warnings)
        progress.clear()
        print(f"{outcome.loaded:,} loaded", file=sys.stderr)
        if outcome.there:
            warnings(f"{outcome.there:,} were there already and were left alone; --replace replaces them")
        if outcome.failed:
            warnings(f"{outcome.failed:,} could not be loaded")
    except TROUBLE as error:
        warnings(str(error))
    return int(warnings.count > 0)


@contextmanager
def lines_of(source: str, progress: Progress) -> Iterator[Iterable[bytes]]:
    if source == STANDARD:
        yield counted(sys.stdin.buffer, progress)
        return
    with Disk().open(source) as file:
        yield measured(file, source, os.path.getsize(source), progress)


def measured(lines: Iterable[bytes], source: str, total: int, progress: Progress) -> Iterator[bytes]:
    done = 0
    for line in lines:
        done += len(line)
        progress(source, done, total)
        yield line
