"""Brings back what was kept: a snapshot, or the parts of an append-only file one after the other.

Time stands still for the data meanwhile: an effect was recorded when its keys were alive, so none of them may expire
before the last effect is repeated. What has expired by then goes as ever, when the engine takes up its housekeeping.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import BinaryIO, Final

from alcove.engine.context import Context
from alcove.engine.engine import Engine
from alcove.engine.session import Session
from alcove.errors import CommandError
from alcove.numeric import try_int
from alcove.persistence import rdb
from alcove.persistence.aof_folder import AofFolder
from alcove.persistence.disk import Disk
from alcove.persistence.records import Damaged, RecordReader
from alcove.persistence.repair import keep_tail

# How long one slice of loading takes: who asks meanwhile is told so often that it goes on.
SLICE_US: Final = 2_000
# How many keys or commands, and how many bytes of commands, come between two looks at the clock.
BETWEEN_LOOKS: Final = 64
BYTES_BETWEEN_LOOKS: Final = 1 << 16
# How much of a damaged end is looked at a time.
_TAIL_PIECE: Final = 1 << 16
# The least that a disk writes, and how much a power cut may have torn: more than is written between two syncs.
BLOCK: Final = 512
MOST_TORN: Final = 64 << 20
REPAIR: Final = "Make a backup of the folder, then use `alcove check --fix` on it."

log = logging.getLogger(__name__)


class CannotLoad(Exception):
    """The data cannot be brought back as it is; nothing on disk was changed. The text says what to do."""


class Loader:
    """Fills an empty engine. The methods are generators, which yield between slices; the engine's lock is held."""

    def __init__(self, engine: Engine, disk: Disk) -> None:
        self.engine = engine
        self.disk = disk
        # How much there is to load, and how much of it was read.
        self.total_bytes = 0
        self.loaded_bytes = 0
        # Keys of snapshots, those left out of them because their time had come, and commands repeated.
        self.keys = 0
        self.expired = 0
        self.commands = 0
        # When it began, as a Unix time, and what the data took where the snapshot was written; 0 if it does not say.
        self.began_s = engine.clock.now_us() // 1_000_000
        self.saved_memory = 0
        self._session = replaying_session(engine)
        self._slice_ends_us = 0

    # A snapshot

    def snapshot(self, path: str) -> Iterator[None]:
        """The file `dbfilename`. Keys whose time has come are left out."""
        self.total_bytes = self.disk.size(path)
        with self.disk.open(path) as file:
            yield from self._load_snapshot(file, path, alive_at_ms=self.engine.clock.now_us() // 1000)

    def _load_snapshot(self, file: BinaryIO, path: str, alive_at_ms: int) -> Iterator[None]:
        """Reads a snapshot up to its end; with `alive_at_ms` 0 all keys, whatever their deadlines."""
        begun = self.loaded_bytes
        now_ms = self.engine.clock.now_us() // 1000
        reader = rdb.RdbReader(file, self.engine.space.limits, self.engine.config.rdbchecksum, alive_at_ms, now_ms)
        try:
            while self._freeze() and reader.load(self.engine.space, self._between_looks()):
                if self._slice_is_over():
                    self.loaded_bytes = begun + reader.offset
                    self.saved_memory = try_int(reader.aux.get(b"used-mem", b"0")) or 0
                    yield
            for library in reader.functions:
                self._repeat([b"FUNCTION", b"LOAD", b"REPLACE", library], path)
        except rdb.BadRdb as error:
            raise CannotLoad(f"{path}: {error}. Try `alcove check {path}`.") from error
        self.keys += reader.keys
        self.expired += reader.expired
        self.loaded_bytes = begun + reader.offset

    # An append-only file

    def append_only_file(self, folder: AofFolder) -> Iterator[None]:
        """The parts that the manifest names. The end of the last one, but for empty ones, may be damaged: it is cut."""
        self.total_bytes = folder.size()
        paths = [folder.path(part) for part in folder.manifest.parts()]
        for place, path in enumerate(paths):
            try:
                yield from self._part(path)
            except Damaged as damage:
                if any(map(self.disk.size, paths[place + 1 :])):
                    raise CannotLoad(f"{path}: {damage}, and it is not the last part. {REPAIR}") from damage
                self._mend(path, damage)

    def _part(self, path: str) -> Iterator[None]:
        with self.disk.open(path) as file:
            is_snapshot = file.read(len(rdb.VALKEY_MAGIC)).startswith((rdb.MAGIC, rdb.VALKEY_MAGIC))
            file.seek(0)
            begun = self.loaded_bytes
            if is_snapshot:
                yield from self._load_snapshot(file, path, alive_at_ms=0)
                # A file of Redis 4 to 6 goes on with commands.
                file.seek(self.loaded_bytes - begun)
            yield from self._replay(RecordReader(file, self.loaded_bytes - begun), path, begun)

    def _replay(self, reader: RecordReader, path: str, begun: int) -> Iterator[None]:
        """Repeats commands; a transaction only when its EXEC is there."""
        transaction: list[list[bytes]] | None = None
        whole = reader.offset
        try:
            while True:
                self._freeze()
                enough = reader.offset + BYTES_BETWEEN_LOOKS
                for _ in range(self._between_looks()):
                    argv = reader.next()
                    if argv is None:
                        if transaction is not None:
                            raise Damaged(whole, truncated=True)
                        self.loaded_bytes = begun + reader.offset
                        return
                    name = argv[0].upper()
                    if name == b"MULTI":
                        transaction = []
                    elif transaction is None:
                        self._repeat(argv, path)
                    elif name == b"EXEC":
                        for queued in transaction:
                            self._repeat(queued, path)
                        transaction = None
                    else:
                        transaction.append(argv)
                    if transaction is None:
                        whole = reader.offset
                    if reader.offset > enough:
                        break
                if self._slice_is_over():
                    self.loaded_bytes = begun + reader.offset
                    yield
        except Damaged as damage:
            raise damage if transaction is None else Damaged(whole, damage.truncated, damage.at) from None

    def _repeat(self, argv: list[bytes], path: str) -> None:
        """One effect, past all gates: it was admitted when it was recorded."""
        command = self.engine.registry.find(argv[0])
        if command is not None and command.subcommands is not None and len(argv) > 1:
            command = command.find(argv[1])
        if command is None or not command.least <= len(argv) <= command.most:
            raise CannotLoad(f"{path}: {argv[0][:64]!r} with {len(argv) - 1} arguments is no command. {REPAIR}")
        self.commands += 1
        reply = self.engine.run(self._session, command, argv)
        if isinstance(reply, CommandError):
            log.warning("%s: repeating %r answered: %s", path, argv[0][:64], reply.text)

    def _mend(self, path: str, damage: Damaged) -> None:
        """Cuts the end that is no whole command; says so. What is cut is kept beside if it may be more than a piece."""
        config = self.engine.config
        lost = self.disk.size(path) - damage.offset
        torn = damage.truncated or (lost <= MOST_TORN and self._is_hole(path, damage.at))
        if torn and not config.aof_load_truncated:
            raise CannotLoad(f"{path}: {damage}. Set aof-load-truncated to yes to have its end cut. {REPAIR}")
        if not torn and lost > config.aof_load_corrupt_tail_max_size:
            raise CannotLoad(
                f"{path}: {damage}, {lost} bytes before its end, more than aof-load-corrupt-tail-max-size. {REPAIR}"
            )
        if not damage.truncated and not self._is_blank(path, damage.at):
            log.warning("What is cut is kept in %s", keep_tail(self.disk, path, damage.offset))
        log.warning("%s: %s; cutting the %d bytes from there to its end", path, damage, lost)
        self.disk.truncate(path, damage.offset)
        self.loaded_bytes = self.total_bytes

    def _is_hole(self, path: str, at: int) -> bool:
        """Whether a byte is a zero, followed by others up to the end of a block of the disk.

        That is what a power cut leaves of blocks that were still to be written; later ones may be there.
        """
        end = at
        with self.disk.open(path) as file:
            file.seek(at)
            while piece := file.read(_TAIL_PIECE):
                left = len(piece.lstrip(b"\0"))
                end += len(piece) - left
                if left:
                    return end > at and end % BLOCK == 0
        return True

    def _is_blank(self, path: str, offset: int) -> bool:
        """Whether a file holds nothing but zeros from there on: what had grown is there, what was written is not."""
        with self.disk.open(path) as file:
            file.seek(offset)
            while piece := file.read(_TAIL_PIECE):
                if piece.strip(b"\0"):
                    return False
        return True

    # Slices

    def _freeze(self) -> bool:
        """Begins a slice, or goes on in it: the data's time stands still."""
        self.engine.space.now_ms = 0
        return True

    def _between_looks(self) -> int:
        """How many keys or commands come before the next look at the clock: one, if there is a pause behind each."""
        return 1 if self.engine.config.key_load_delay else BETWEEN_LOOKS

    def _slice_is_over(self) -> bool:
        now_us = self.engine.clock.monotonic_us()
        if now_us < self._slice_ends_us and not self.engine.config.key_load_delay:
            return False
        self._slice_ends_us = now_us + SLICE_US
        return True


def replaying_session(engine: Engine) -> Session:
    """A session that repeats effects: time stands still for it, and it never waits."""
    session = Session(0, engine.space.databases[0], "aof")
    session.context = Context(engine, session)
    session.executing = True
    return session
