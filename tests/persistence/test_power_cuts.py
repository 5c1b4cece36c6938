"""Power cuts at random moments: the disk has lost, torn or kept what was not synced, as chance will have it.

ALCOVE_POWER_CUTS says how many seeds are tried of each kind.
"""

from __future__ import annotations

import os
import random

import pytest

from alcove.engine.clock import ManualClock
from tests.persistence.disk import Crash, SimulatedDisk
from tests.persistence.process import DATA, Hand, Process, Writer, by_hand
from tests.persistence.test_faults import lived, operations_of, writer_found

pytestmark = pytest.mark.usefixtures(by_hand.__name__)

CUTS = int(os.environ.get("ALCOVE_POWER_CUTS", "150"))
# Seeds in one test: a process that is begun and ends takes memory until its test is over.
AT_ONCE = 50


class Machine:
    """A disk and a clock, the processes that follow each other on them, and what must have lasted."""

    def __init__(self, seed: int, policy: str) -> None:
        self.chance = random.Random(seed)
        self.policy = policy
        self.disk = SimulatedDisk(DATA)
        self.clock = ManualClock()
        self.writer = Writer(seed)
        # The last step that may not be lost by a power cut, as far as former processes say.
        self.certain = 0

    def live(self) -> None:
        """One process, from its start to a crash or a power cut."""
        chance = self.chance
        writer = self.writer
        self.disk.crash_before = self.disk.operations + chance.choice((chance.randrange(15), chance.randrange(150)))
        process = None
        try:
            process = self.begin()
            for _ in range(chance.randrange(60)):
                self.act(process)
        except Crash:
            pass
        if process is not None:
            certain = writer.acknowledged if self.policy == "always" else writer.synced(process)
            self.certain = max(self.certain, certain)
            process.bury()
        if chance.random() < 0.3:
            # The system lives, and has everything.
            self.disk = self.disk.after_crash()
        else:
            self.disk = self.disk.after_power_cut(chance.getrandbits(32))

    def begin(self) -> Process:
        directives = {"aof-use-rdb-preamble": self.chance.choice(("yes", "no"))}
        process = Process(self.disk, self.clock, appendfsync=self.policy, **directives)
        self.writer.found(process, self.certain)
        # What it has read may have been the system's alone; from now on it is the disk's.
        self.certain = self.writer.acknowledged
        return process

    def act(self, process: Process) -> None:
        """Something that may happen in a process."""
        chance = self.chance
        what = chance.random()
        if what < 0.55:
            assert self.writer.step(process)
        elif what < 0.6:
            process.run(b"BGREWRITEAOF")
        elif what < 0.62:
            process.run(b"BGSAVE")
        elif what < 0.8:
            Hand.work(chance.randrange(4))
        else:
            self.clock.advance(chance.choice((0.0, 0.01, 0.3, 1.1)))
            process.tick()


@pytest.mark.parametrize("first", range(0, CUTS, AT_ONCE))
@pytest.mark.parametrize("policy", ["always", "everysec"])
def test_what_outlives_a_power_cut(policy: str, first: int) -> None:
    """Under `always` all that was acknowledged, under `everysec` all that was synced; and a start never fails."""
    for seed in range(first, min(first + AT_ONCE, CUTS)):
        machine = Machine(seed, policy)
        for _ in range(4):
            machine.live()
        machine.begin().bury()


@pytest.mark.parametrize("policy", ["always", "everysec"])
def test_a_power_cut_at_every_operation(policy: str) -> None:
    """Few of them matter, and those chance may miss; of each, several outcomes."""
    kind = {"appendfsync": policy}
    for place in range(operations_of(kind)):
        disk = SimulatedDisk(DATA)
        disk.crash_before = place
        writer = Writer(2)
        process = lived(disk, kind, writer)
        certain = 0
        if process is not None:
            certain = writer.acknowledged if policy == "always" else writer.synced(process)
        for seed in range(2):
            heir = Process(disk.after_power_cut(place * 2 + seed), ManualClock(), **kind)
            writer_found(heir, writer, certain)
            heir.bury()
