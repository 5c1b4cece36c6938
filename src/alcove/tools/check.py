"""`alcove check`: says whether files of data are good and what is in them, and repairs them if asked to."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import alcove.commands  # noqa: F401 (declares the commands)
from alcove.engine.declaration import REGISTRY
from alcove.numeric import try_int
from alcove.persistence.check import Checker, Damage, NothingToCheck, Report
from alcove.persistence.disk import Disk
from alcove.persistence.folder_lock import FolderLock
from alcove.persistence.inventory import Inventory
from alcove.persistence.repair import cut_tail, recover
from alcove.quoting import quoted
from alcove.tools.progress import Progress

GOOD: Final = 0
DAMAGED: Final = 1
REPAIRED: Final = 2
NOT_CHECKED: Final = 3

# How many commands of an append-only file are named.
_MOST_COMMANDS: Final = 20
# How much of a key's name is shown.
_LONGEST_NAME: Final = 60
# The year 9999 ends here, in seconds.
_END_OF_CALENDAR_S: Final = 253_402_300_800


def check(paths: list[str], fix: bool, yes: bool) -> int:
    """Checks what is at the paths and prints it; the exit status."""
    progress = Progress()
    checker = Checker(REGISTRY, progress=progress)
    worst = GOOD
    for path in paths:
        damaged: list[Report] = []
        try:
            for report in checker.check(path):
                progress.clear()
                print("\n".join(described(report)), flush=True)
                if report.damage is not None:
                    damaged.append(report)
            repaired = [fixed(report, yes) for report in damaged] if fix else []
        except (NothingToCheck, OSError) as error:
            progress.clear()
            print(f"alcove check: {error}", file=sys.stderr)
            return NOT_CHECKED
        if damaged and not (repaired and all(repaired)):
            worst = DAMAGED
        elif damaged and worst == GOOD:
            worst = REPAIRED
    return worst


# Repairing


def fixed(report: Report, yes: bool) -> bool:
    """Repairs a file if that can be done and is wanted; whether it was."""
    damage = report.damage
    assert damage is not None
    if damage.remedy == "cut":
        return fixed_by_cutting(report, damage, yes)
    if damage.remedy == "recover":
        target, keys = recover(Disk(), report.path)
        print(f"{target}: written with the {keys:,} keys that could be read; {report.path} is as it was")
        return True
    print(f"{report.path}: this cannot be repaired here; restore it from a backup")
    return False


def fixed_by_cutting(report: Report, damage: Damage, yes: bool) -> bool:
    lost = report.size - damage.offset
    question = f"{report.path}: cut the {lost:,} bytes from offset {damage.offset} to its end? They are kept beside."
    if not yes and not agreed(question):
        return False
    lock = FolderLock(data_folder(report.path))
    try:
        if os.path.getsize(report.path) != report.size:
            print(f"{report.path}: it has changed since it was checked: a server writes to it. Stop that first.")
            return False
        aside = cut_tail(Disk(), report.path, damage.offset)
    finally:
        lock.close()
    print(f"{report.path}: cut to {damage.offset:,} bytes; what was cut is kept in {aside}")
    return True


def agreed(question: str) -> bool:
    """Asks who sits at the terminal; where nobody does the answer is no."""
    if not sys.stdin.isatty():
        print(f"{question} Say --yes to have that done.")
        return False
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def data_folder(path: str) -> str:
    """The folder that a process which uses the append-only file `path` has locked."""
    folder = os.path.dirname(os.path.abspath(path))
    is_part = any(name.endswith(".manifest") for name in os.listdir(folder))
    return os.path.dirname(folder) if is_part else folder


# Reports


def described(report: Report) -> Iterator[str]:
    """The lines that tell of a file."""
    yield f"{report.path}: {headline(report)}"
    if report.aux:
        yield "  made by   " + ", ".join(
            f"{shown(name)} {aux_value(name, value)}" for name, value in report.aux.items()
        )
    if report.libraries:
        yield f"  functions {report.libraries} {'library' if report.libraries == 1 else 'libraries'}"
    if report.inventory.keys:
        yield from keys_described(report.inventory)
    if report.commands:
        yield from commands_described(report)
    for note in report.notes:
        yield f"  note      {note}"
    if report.damage is None:
        yield "  good"
    else:
        yield f"  DAMAGED   {report.damage.why} (0x{report.damage.offset:x})"


def headline(report: Report) -> str:
    form = {"RDB": "snapshot", "AOF": "append-only file", "manifest": "manifest"}[report.form]
    version = f", RDB version {report.version}" if report.version else ""
    return f"{form}{version}, {in_bytes(report.size)}"


def keys_described(inventory: Inventory) -> Iterator[str]:
    parts = ", ".join(f"{keys:,} in database {number}" for number, keys in sorted(inventory.databases.items()))
    yield f"  keys      {inventory.keys:,} ({parts})"
    if inventory.volatile:
        yield f"  deadlines {inventory.volatile:,} keys have one; the time of {inventory.expired:,} has come"
    yield f"  {'type':<10}{'keys':>14}{'volatile':>14}{'elements':>14}{'size':>14}"
    for kind, tally in sorted(inventory.kinds.items(), key=lambda each: -each[1].size):
        row = f"{tally.keys:>14,}{tally.volatile:>14,}{tally.elements:>14,}{in_bytes(tally.size):>14}"
        yield f"  {kind:<10}{row}"
    yield "  the biggest keys, by their size in this file"
    for big in inventory.biggest():
        elements = "" if big.kind == "string" else f", {big.elements:,} elements"
        yield f"  {in_bytes(big.size):>12}  {shown(big.key)} (database {big.number}, {big.kind}{elements})"


def commands_described(report: Report) -> Iterator[str]:
    total = sum(report.commands.values())
    transactions = f", {report.transactions:,} transactions" if report.transactions else ""
    yield f"  commands  {total:,}{transactions}"
    most = report.commands.most_common(_MOST_COMMANDS)
    for name, count in most:
        yield f"  {count:>12,}  {shown(name)}"
    if len(report.commands) > len(most):
        yield f"  {total - sum(count for _, count in most):>12,}  others"


def shown(name: bytes) -> str:
    """A name as it is if it is plain, else in quotes; not the whole of a long one."""
    text = quoted(name[:_LONGEST_NAME]).decode()
    if text == f'"{name[:_LONGEST_NAME].decode("latin-1")}"' and name and b" " not in name:
        text = text[1:-1]
    return text if len(name) <= _LONGEST_NAME else text + "..."


def aux_value(name: bytes, value: bytes) -> str:
    """What a file says of itself; the time it was made at as a time."""
    made_s = try_int(value) if name == b"ctime" else None
    if made_s is not None and 0 <= made_s < _END_OF_CALENDAR_S:
        return datetime.fromtimestamp(made_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return shown(value)


def in_bytes(size: int) -> str:
    """A size for people."""
    if size < 10_000:
        return f"{size:,} B"
    scaled = float(size)
    for unit in ("KB", "MB", "GB"):
        scaled /= 1024
        if scaled < 1000:
            return f"{scaled:.1f} {unit}"
    return f"{scaled / 1024:.1f} TB"
