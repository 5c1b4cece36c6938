"""Expiry: how late the `expired` event of a key comes, with many keys whose deadlines are spread over a minute."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

from bench.peers import ALCOVE, Server, installed, on_load_processor, running
from bench.report import NONE, Aim, Section, Table, figure, note
from bench.wire import Wire, encode

# Before the first deadline: the time to set that many keys.
LEAD_S = 20
# After the last one: what has not come by then counts as not come.
PATIENCE_S = 30
BATCH = 1000
RECEIVE_BYTES = 256 * 1024
AIM_MS = 100

READING = """\
Milliseconds from the deadline of a key to the arrival of its `expired` event at a subscriber; nobody touches the keys.
Deadlines are evenly spread. What has not come {patience} seconds after the last deadline counts as late by that much.
CPU is what the server took in all from the first deadline on, in seconds."""

# A key is its deadline in milliseconds, and a number.
KEY = re.compile(rb"key:(\d+):")


@dataclass(frozen=True)
class Delays:
    """Of all keys, in ascending order, in milliseconds."""

    sorted_ms: list[float]
    missing: int
    cpu_s: float

    def share(self, part: float) -> float:
        """The delay that this part of all keys did not exceed."""
        return self.sorted_ms[min(int(len(self.sorted_ms) * part), len(self.sorted_ms) - 1)]


def run(quick: bool) -> Section:
    """One server after the other, each with the machine to itself."""
    keys, spread_s, patience_s = (20_000, 2, 3) if quick else (1_000_000, 60, PATIENCE_S)
    section = Section("Expiry", READING.format(patience=patience_s))
    rows = []
    for peer in installed():
        note(f"expiry: {peer.name}, {keys:,} keys within {spread_s} s")
        with running([peer]) as (server,), on_load_processor():
            delays = measure(server, keys, spread_s, patience_s)
        shares = [figure(delays.share(part)) for part in (0.5, 0.9, 0.99, 1.0)]
        rows.append([peer.name, *shares, str(delays.missing) if delays.missing else NONE, figure(delays.cpu_s)])
        if peer.name == ALCOVE:
            wanted = f"p99 of the delay at most {AIM_MS} ms"
            section.aims.append(Aim(wanted, f"{shares[2]} ms", delays.share(0.99) <= AIM_MS))
    title = f"Delay of expired events, {keys:,} keys within {spread_s} s"
    section.tables.append(Table(title, ["", "p50", "p90", "p99", "Longest", "Not come", "CPU"], rows))
    return section


def measure(server: Server, keys: int, spread_s: int, patience_s: int) -> Delays:
    lead_s = LEAD_S * keys / 1_000_000 + 1
    with Wire(server.port) as wire, socket.create_connection(("127.0.0.1", server.port)) as subscriber:
        wire.exchange(encode(b"CONFIG", b"SET", b"notify-keyspace-events", b"Ex"))
        subscriber.sendall(encode(b"SUBSCRIBE", b"__keyevent@0__:expired"))
        first_ms = int((time.time() + lead_s) * 1000)
        wire.send_all(settings(keys, first_ms, spread_s))
        if time.time() * 1000 > first_ms:
            note(f"  {server.name} had not set all keys when the first was due")
        time.sleep(max(first_ms / 1000 - time.time(), 0))
        before_us = server.cpu_us()
        last_s = first_ms / 1000 + spread_s
        came_ms = list(arrivals(subscriber, keys, last_s + patience_s))
        cpu_s = (server.cpu_us() - before_us) / 1_000_000
    missing = keys - len(came_ms)
    return Delays(sorted(came_ms) + [patience_s * 1000.0] * missing, missing, cpu_s)


def settings(keys: int, first_ms: int, spread_s: int) -> Iterator[bytes]:
    """Requests that set the keys; neighbours in time are far apart in the order of setting."""
    step = keys // BATCH or 1
    for start in range(step):
        requests = []
        for number in range(start, keys, step):
            due = b"%d" % (first_ms + number * spread_s * 1000 // keys)
            requests.append(encode(b"SET", b"key:%b:%d" % (due, number), b"", b"PXAT", due))
        yield b"".join(requests)


def arrivals(subscriber: socket.socket, keys: int, until_s: float) -> Iterator[float]:
    """The delay of each event, in milliseconds."""
    rest = b""
    came = 0
    while came < keys and (left_s := until_s - time.time()) > 0:
        subscriber.settimeout(left_s)
        try:
            data = rest + subscriber.recv(RECEIVE_BYTES)
        except TimeoutError:
            return
        now_ms = time.time() * 1000
        end = data.rfind(b"\n") + 1
        rest = data[end:]
        for due in KEY.findall(data, 0, end):
            came += 1
            yield now_ms - int(due)
