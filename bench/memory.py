"""Memory: what a small key, a field, a member, an element or an entry takes in a server's process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bench.peers import ALCOVE, REDIS, Peer, installed, on_load_processor, running
from bench.report import Aim, Section, Table, figure, note, ratio, times
from bench.wire import ErrorReply, Wire, filling

# Items in a small container.
SMALL = 50

READING = f"""\
Bytes by which the resident memory of a fresh server grew, divided by the number of items; one server at a time. "Data"
are the items' own bytes, a score being eight. Small containers hold {SMALL} items each: their keys and headers are
counted with the items. The factor compares Alcove with redis-server: less is better."""


@dataclass(frozen=True)
class Case:
    """Items as `filling` takes them, and how many bytes of data one has."""

    name: str
    head: str
    item: str
    data_bytes: int
    each: int = 100
    small: bool = False

    def requests(self, count: int) -> Iterator[bytes]:
        """All in one container, or in many small ones with numbers for names."""
        if not self.small:
            yield from filling(self.head, self.item, count, self.each)
            return
        for container in range(count // SMALL):
            yield from filling(f"{self.head}:{container:08}", self.item, SMALL)


KEY = "key:{0:012} value:{0:010}"
FIELD = "field:{0:010} value:{0:010}"
MEMBER = "member:{0:09}"

CASES = [
    Case("Key and value", "MSET", KEY, 32),
    Case("Key and value with a deadline", "SET", KEY + " EX 100000", 40, each=1),
    Case("Field of a big hash", "HSET hash", FIELD, 32),
    Case("Field of small hashes", "HSET hash", FIELD, 32, small=True),
    Case("Member of a big sorted set", "ZADD zset", "{0} " + MEMBER, 24),
    Case("Member of small sorted sets", "ZADD zset", "{0} " + MEMBER, 24, small=True),
    Case("Member of a big set", "SADD set", MEMBER, 16),
    Case("Element of a long list", "RPUSH list", MEMBER, 16),
    Case("Entry of a long stream", "XADD stream *", "field " + MEMBER, 37, each=1),
]


def run(quick: bool) -> Section:
    """All cases, each on a fresh process of each server."""
    count = 100_000 if quick else 1_000_000
    peers = installed()
    rows: list[list[str]] = []
    section = Section("Memory", READING)
    for case in CASES:
        note(f"memory: {case.name.lower()}")
        taken = {peer.name: bytes_per_item(peer, case, count) for peer in peers}
        compared = ratio(taken[ALCOVE], taken[REDIS])
        rows.append([case.name, str(case.data_bytes), *map(figure, taken.values()), times(compared)])
        if compared is not None:
            wanted = f"{case.name.lower()}: no more than in {REDIS}"
            section.aims.append(Aim(wanted, times(compared), compared <= 1))
    columns = ["", "Data", *(peer.name for peer in peers), "Factor"]
    section.tables.append(Table(f"Bytes for one of {count:,}", columns, rows))
    return section


def bytes_per_item(peer: Peer, case: Case, count: int) -> float | None:
    """None when the server does not know the command."""
    with running([peer]) as [server], on_load_processor(), Wire(server.port) as wire:
        before = server.resident_bytes()
        try:
            wire.send_all(case.requests(count))
        except ErrorReply as error:
            note(f"  {server.name} answers: {error}")
            return None
        return (server.resident_bytes() - before) / count
