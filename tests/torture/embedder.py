"""A program with the engine and its writers within: says what it has found, and writes until it is killed.

`python -m tests.torture.embedder FOLDER FSYNC WRITERS`. It prints what is in the folder as one line of JSON, and reads
a line with the step each writer is to begin with.
"""

from __future__ import annotations

import contextlib
import json
import random
import sys
import threading
import time
from pathlib import Path
from typing import Any

import redis

import alcove
from tests.torture.writers import Ledger, Writer, contents


def main(folder: str, fsync: str, names: list[str]) -> None:
    client: Any = alcove.open(Path(folder) / "data", fsync=fsync, decode_responses=True)
    print(json.dumps(contents(client)), flush=True)
    begin: list[int] = json.loads(sys.stdin.readline())
    for name, step in zip(names, begin, strict=True):
        threading.Thread(target=write, args=(client, folder, name, step), daemon=True).start()
    while True:
        time.sleep(random.uniform(0.02, 0.2))
        with contextlib.suppress(redis.ResponseError):
            # The last one may be under way.
            client.bgrewriteaof()


def write(client: Any, folder: str, name: str, step: int) -> None:
    """Writes until the end, one step after the other, each noted before the next."""
    writer, ledger = Writer(name), Ledger(Path(folder) / f"{name}ledger")
    while True:
        step += 1
        writer.take(client, step)
        ledger.note(step)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
