"""Writers that note what was acknowledged, and what a database must hold after so many of their steps.

A writer's steps are numbered, and the number says what a step does. So the number of the last acknowledged step,
which the ledger has, says what there must be; the step that was under way when the program died may be there or not.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import redis

# How many keys, fields, members and elements a writer comes back to, so that contents stay small and change often.
KEYS: Final = 40
FIELDS: Final = 150
MEMBERS: Final = 100
ELEMENTS: Final = 60

Content = dict[str, Any]


class Ledger:
    """The number of the last acknowledged step, in a file that outlives the process, however that ends."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)

    @property
    def acknowledged(self) -> int:
        return int(os.pread(self._fd, 16, 0) or b"0")

    def note(self, step: int) -> None:
        """One write in one piece: a process that dies leaves the old number or the new one."""
        os.pwrite(self._fd, b"%016d" % step, 0)

    def close(self) -> None:
        os.close(self._fd)


class Writer:
    """One connection's steps, and the model of what they leave."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.content: Content = {}
        # The step after which the content is as it is.
        self.step = 0

    # The steps, on a database

    def take(self, client: redis.Redis, step: int) -> None:
        """One step; it is acknowledged when this returns. All of it is there afterwards, or nothing."""
        key, kind = self._key(step), step % 8
        if kind in (0, 1):
            client.set(key, step)
        elif kind == 2:
            client.delete(key)
        elif kind == 3:
            client.hset(self.name + "hash", f"field{step % FIELDS}", str(step))
        elif kind == 4:
            client.zadd(self.name + "zset", {f"member{step % MEMBERS}": step})
        elif kind == 5:
            client.sadd(self.name + "set", f"member{step % MEMBERS}", "x" * (step % 50))
        elif kind == 6:
            client.srem(self.name + "set", f"member{(step - 41) % MEMBERS}")
        else:
            with client.pipeline(transaction=True) as pipe:
                pipe.rpush(self.name + "list", step)
                pipe.ltrim(self.name + "list", -ELEMENTS, -1)
                pipe.incr(self.name + "count")
                pipe.execute()

    def _key(self, step: int) -> str:
        return f"{self.name}key{step // 8 % KEYS}"

    # The steps, on the model

    def advance(self, step: int) -> None:
        """Brings the model to where it is after a step."""
        while self.step < step:
            self.step += 1
            self._model(self.step)

    def _model(self, step: int) -> None:
        content = self.content
        key, kind = self._key(step), step % 8
        if kind in (0, 1):
            content[key] = str(step)
        elif kind == 2:
            content.pop(key, None)
        elif kind == 3:
            content.setdefault(self.name + "hash", {})[f"field{step % FIELDS}"] = str(step)
        elif kind == 4:
            content.setdefault(self.name + "zset", {})[f"member{step % MEMBERS}"] = step
        elif kind == 5:
            members = content.setdefault(self.name + "set", [])
            members[:] = sorted({*members, f"member{step % MEMBERS}", "x" * (step % 50)})
        elif kind == 6:
            members = content.get(self.name + "set", [])
            members[:] = sorted({*members} - {f"member{(step - 41) % MEMBERS}"})
        else:
            elements = content.setdefault(self.name + "list", [])
            elements.append(str(step))
            del elements[:-ELEMENTS]
            content[self.name + "count"] = str(int(content.get(self.name + "count", 0)) + 1)

    def compare(self, found: Content, acknowledged: int) -> str:
        """Empty when a database holds what it must, and the model is where the database is; else what is wrong."""
        self.advance(acknowledged)
        if found == self.content:
            return ""
        before = difference(self.content, found)
        self.advance(acknowledged + 1)
        if found == self.content:
            return ""
        return f"{self.name} acknowledged {acknowledged}: {before}"


def difference(expected: Content, found: Content) -> str:
    """The keys that differ, in short."""
    keys = [key for key in sorted({*expected, *found}) if expected.get(key) != found.get(key)]
    told = [f"{key}: expected {expected.get(key)!r:.300}, found {found.get(key)!r:.300}" for key in keys[:3]]
    return f"{len(keys)} keys differ; " + "; ".join(told)


# What a database holds

READERS: Final[dict[str, Callable[[Any, str], Any]]] = {
    "string": lambda client, key: client.get(key),
    "hash": lambda client, key: client.hgetall(key),
    "list": lambda client, key: client.lrange(key, 0, -1),
    "set": lambda client, key: sorted(client.smembers(key)),
    "zset": lambda client, key: {member: int(score) for member, score in client.zrange(key, 0, -1, withscores=True)},
}


def contents(client: redis.Redis) -> dict[str, Content]:
    """All that there is, by the part of the keys before the colon."""
    found: dict[str, Content] = {}
    for key in client.scan_iter(count=1000):
        name, colon, _ = key.partition(":")
        found.setdefault(name + colon, {})[key] = READERS[str(client.type(key))](client, key)
    return found
