"""Repairs damaged files of data: an append-only file is cut, of a snapshot what can be read is written to another."""

from __future__ import annotations

import os
import time
from typing import Final

from alcove.engine.table import Table
from alcove.persistence.disk import Disk, File
from alcove.persistence.rdb import BadRdb, RdbReader, RdbWriter, standard_aux
from alcove.types.limits import Limits

_PIECE: Final = 1 << 20
# The version of recovered files: the one that every server since Redis 7.2 reads.
_VERSION: Final = 11


def cut_tail(disk: Disk, path: str, offset: int) -> str:
    """Cuts a file at an offset; the name of the file beside it that keeps what was cut. Raises OSError."""
    aside = keep_tail(disk, path, offset)
    disk.truncate(path, offset)
    return aside


def keep_tail(disk: Disk, path: str, offset: int) -> str:
    """Copies the end of a file to a new one beside it; the name of that. Raises OSError, and leaves nothing then."""
    aside = free_name(disk, f"{path}.{offset}")
    copy = disk.create(aside)
    try:
        try:
            with disk.open(path) as file:
                file.seek(offset)
                while piece := file.read(_PIECE):
                    copy.write(piece)
            copy.sync()
        finally:
            copy.close()
    except OSError:
        disk.remove(aside)
        raise
    disk.sync_folder(os.path.dirname(path) or ".")
    return aside


def free_name(disk: Disk, stem: str) -> str:
    """A name for what was damaged that no file has: an earlier cut at the same place has left one."""
    name = f"{stem}.damaged"
    number = 1
    while disk.exists(name):
        number += 1
        name = f"{stem}.{number}.damaged"
    return name


def recover(disk: Disk, path: str) -> tuple[str, int]:
    """Writes all keys of a damaged snapshot that can be read to a new one beside it: its name, and how many they are.

    Keys keep their deadlines, but neither idle times nor access frequencies. Raises OSError; the damaged file stays.
    """
    target = f"{path}.recovered"
    temporary = f"{target}.tmp"
    out = disk.create(temporary)
    try:
        keys = copy_keys(disk, path, out)
        out.sync()
    finally:
        out.close()
    disk.rename(temporary, target)
    disk.sync_folder(os.path.dirname(path) or ".")
    return target, keys


def copy_keys(disk: Disk, path: str, out: File) -> int:
    """Writes what can be read of a snapshot as another; how many keys that are."""
    writer = RdbWriter(out.write, _VERSION)
    writer.begin(standard_aux(time.time_ns() // 1_000_000, 0, False))
    libraries = 0
    # Holds one entry at a time: the writer takes nothing else.
    table = Table()
    seen: set[tuple[int, bytes]] = set()
    with disk.open(path) as file:
        reader = RdbReader(file, Limits(), checksum=False)
        try:
            while reader.step():
                for code in reader.functions[libraries:]:
                    writer.function(code)
                libraries = len(reader.functions)
                if (reader.number, reader.key) in seen:
                    continue
                seen.add((reader.number, reader.key))
                entry = table.add(reader.key, reader.value)
                table.set_deadline(entry, reader.expire_ms)
                writer.entry(reader.number, entry)
                table.remove(entry)
        except BadRdb:
            # Here ends what can be read; the check has said so.
            pass
    for code in reader.functions[libraries:]:
        writer.function(code)
    writer.end()
    return writer.keys
