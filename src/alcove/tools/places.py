"""The places of data that the command line names: a URL, a folder, or a file of data."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import alcove.commands  # noqa: F401 (declares the commands)
from alcove.client.local import engine_in, parse_place
from alcove.engine.config import Config
from alcove.engine.engine import Engine
from alcove.engine.settings import Settings
from alcove.persistence.aof_folder import MANIFEST_SUFFIX, AofFolder
from alcove.persistence.disk import Disk
from alcove.persistence.folder_lock import FolderLock
from alcove.persistence.loading import CannotLoad, Loader
from alcove.persistence.manifest import BASE, BadManifest, Manifest, Part
from alcove.tools.conversation import Conversation, Refused

# Where data comes from and goes to unless told.
HERE: Final = "redis://127.0.0.1:6379"
# What is read from files may have more databases than a server by default.
_DATABASES: Final = 1024


def is_path(place: str) -> bool:
    """Whether a place is a folder or a file, and no URL of a server."""
    found = parse_place(place)
    return found.path is not None


def path_of(place: str) -> str:
    return parse_place(place).path or "."


@contextmanager
def readable(place: str) -> Iterator[Conversation]:
    """What is at a place. Files are read into memory and left as they are, their folder is locked meanwhile.

    Raises `CannotLoad`, OSError, ValueError for a malformed URL, and redis-py's errors.
    """
    if not is_path(place):
        with Conversation(place) as conversation:
            yield conversation
        return
    path = path_of(place)
    if not os.path.exists(path):
        raise CannotLoad(f"{path}: no such file or folder")
    lock = FolderLock(path) if os.path.isdir(path) else None
    try:
        engine = engine_of(path)
        try:
            with Conversation(engine) as conversation:
                yield conversation
        finally:
            engine.close()
    finally:
        if lock is not None:
            lock.close()


def engine_of(path: str) -> Engine:
    """An engine in memory with what a folder, a snapshot or an append-only file holds."""
    settings = Config()
    # Files are not to be changed, so a damaged end is told instead of being cut.
    settings.put(Settings.aof_load_truncated, False)
    settings.put(Settings.databases, _DATABASES)
    settings.put(Settings.save, ())
    engine = Engine(settings)
    loader = Loader(engine, Disk())
    with engine.lock:
        try:
            for _ in loading(loader, path):
                pass
        except (BadManifest, OSError) as error:
            raise CannotLoad(str(error)) from error
    return engine


def loading(loader: Loader, path: str) -> Iterator[None]:
    """The slices of loading what is at a path."""
    manifest = manifest_of(path)
    if manifest is not None:
        folder = AofFolder(loader.disk, os.path.dirname(manifest), os.path.basename(manifest)[: -len(MANIFEST_SUFFIX)])
        folder.read()
        return loader.append_only_file(folder)
    file = file_of(path)
    if not file.endswith(".aof"):
        return loader.snapshot(file)
    single = AofFolder(loader.disk, os.path.dirname(file), "")
    single.manifest = Manifest(Part(os.path.basename(file), 1, BASE))
    return loader.append_only_file(single)


def manifest_of(path: str) -> str | None:
    """The manifest of the append-only file that a path is or has."""
    if path.endswith(MANIFEST_SUFFIX):
        return os.path.abspath(path)
    if not os.path.isdir(path):
        return None
    folder = os.path.abspath(path)
    default = os.path.join(folder, Settings.appenddirname.default)
    for each in (folder, default):
        names = [name for name in Disk().names(each) if name.endswith(MANIFEST_SUFFIX)] if os.path.isdir(each) else []
        if len(names) > 1:
            raise CannotLoad(f"{each}: several manifests; name the one to be read")
        if names:
            return os.path.join(each, names[0])
    return None


def file_of(path: str) -> str:
    """The snapshot, or the one file that the append-only file was before Redis 7, that a path is or has."""
    if not os.path.isdir(path):
        return path
    names = [name for name in Disk().names(path) if name.endswith((".rdb", ".aof")) and not name.startswith("temp-")]
    if len(names) != 1:
        raise CannotLoad(f"{path}: {'several files of data; name the one' if names else 'no data'} to be read")
    return os.path.join(path, names[0])


@contextmanager
def writable(place: str) -> Iterator[Conversation]:
    """A place that is to be changed. A folder keeps the form it has: a snapshot, or else an append-only file."""
    if not is_path(place):
        with Conversation(place) as conversation:
            yield conversation
        return
    path = path_of(place)
    as_snapshot = os.path.exists(os.path.join(path, Settings.dbfilename.default)) and manifest_of(path) is None
    engine = engine_in(path, None, {"appendonly": "no"} if as_snapshot else None, None)
    try:
        with Conversation(engine) as conversation:
            yield conversation
            if as_snapshot:
                (saved,) = conversation.ask([(b"SAVE",)])
                if isinstance(saved, Exception):
                    raise Refused(f"SAVE: {saved}")
    finally:
        engine.close()
