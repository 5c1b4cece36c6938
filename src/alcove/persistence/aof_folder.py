"""The folder of an append-only file: its manifest, its parts, and the order in which they come and go."""

from __future__ import annotations

import os
from typing import Final

from alcove.persistence import manifest as manifests
from alcove.persistence.disk import Disk, File, replace_file
from alcove.persistence.manifest import Manifest, Part

MANIFEST_SUFFIX: Final = ".manifest"


class AofFolder:
    """The files of one append-only file. What changes them raises OSError and leaves the old state or the new one."""

    def __init__(self, disk: Disk, folder: str, stem: str) -> None:
        self._disk = disk
        self.folder = folder
        # The directive appendfilename.
        self.stem = stem
        # What the manifest says, once it was read or written: before that nothing may be put in its place.
        self.manifest = Manifest()
        self.known = False
        # Whether the folder is certainly there.
        self._made = False

    def path(self, part: Part) -> str:
        return os.path.join(self.folder, part.name)

    @property
    def manifest_path(self) -> str:
        return os.path.join(self.folder, self.stem + MANIFEST_SUFFIX)

    def read(self) -> bool:
        """Reads the manifest: whether it names files to be read. Raises `BadManifest`, also when one is missing."""
        if not self._disk.exists(self.manifest_path):
            self.known = True
            return False
        with self._disk.open(self.manifest_path) as file:
            self.manifest = manifests.parse(file.read())
        self._finish_adoption()
        for part in self.manifest.parts():
            if not self._disk.exists(self.path(part)):
                raise manifests.BadManifest(f"the AOF file {part.name} named by the manifest doesn't exist")
        self.known = True
        return bool(self.manifest.parts())

    def adopt_old_style(self, path: str) -> None:
        """Makes the single file of Redis before 7 the base."""
        self._put(Manifest(Part(os.path.basename(path), 1, manifests.BASE)))
        self._finish_adoption()

    def _finish_adoption(self) -> None:
        """Moves the single file to its place, now or after a crash that came in between."""
        base = self.manifest.base
        if base is None or self._disk.exists(self.path(base)):
            return
        above = os.path.dirname(self.folder)
        if self._disk.exists(os.path.join(above, base.name)):
            self._disk.rename(os.path.join(above, base.name), self.path(base))
            self._disk.sync_folder(self.folder)
            self._disk.sync_folder(above)

    def open_last(self) -> File:
        """The increment that is appended to, a new one if there is none."""
        if not self.manifest.increments:
            return self.add_increment()
        return self._disk.append(self.path(self.manifest.increments[-1]))

    def new_increment(self) -> tuple[Manifest, File]:
        """A new increment, and the manifest that will name it."""
        self._make_folder()
        manifest = self.manifest.with_increment(self.stem)
        return manifest, self._disk.create(self.path(manifest.increments[-1]))

    def add_increment(self) -> File:
        """A new increment that the manifest names already: what is written to it is found after a crash."""
        manifest, file = self.new_increment()
        try:
            # The manifest must not name a file whose name the disk does not have.
            self._disk.sync_folder(self.folder)
            self._put(manifest)
        except OSError:
            file.close()
            raise
        return file

    def replace_base(self, temporary: str, base: Part, increments: Manifest, from_increment: int) -> None:
        """Makes a finished file the base in place of all before an increment; and removes what it replaces."""
        self._disk.rename(temporary, self.path(base))
        self._disk.sync_folder(self.folder)
        self._put(increments.rewritten(base, from_increment))

    def remove_history(self) -> None:
        """Deletes the files that a rewrite has replaced."""
        if not self.manifest.history:
            return
        for part in self.manifest.history:
            if self._disk.exists(self.path(part)):
                self._disk.remove(self.path(part))
        if self.manifest.parts():
            self._put(self.manifest.without_history())
        else:
            self._disk.remove(self.manifest_path)
            self._disk.sync_folder(self.folder)
            self.manifest = Manifest()

    def give_up(self) -> None:
        """Deletes all parts, which are kept elsewhere by now; after a crash all of them count, or none."""
        self._put(self.manifest.given_up())
        self.remove_history()

    def sync(self) -> None:
        """Returns when all that is there is on the disk: a process that was killed has left it to the system."""
        for part in self.manifest.parts():
            file = self._disk.append(self.path(part))
            try:
                file.sync()
            finally:
                file.close()
        self._disk.sync_folder(self.folder)
        self._disk.sync_folder(os.path.dirname(self.folder))

    def remove_leftovers(self) -> list[str]:
        """Deletes temporary files of rewrites that never ended; their names."""
        names = [name for name in self._disk.names(self.folder) if name.startswith("temp-") or name.endswith(".tmp")]
        for name in names:
            self._disk.remove(os.path.join(self.folder, name))
        return names

    def size(self) -> int:
        """The bytes of all parts."""
        return sum(self._disk.size(self.path(part)) for part in self.manifest.parts())

    def _make_folder(self) -> None:
        if not self._made:
            # Who made it may have been killed before it was on the disk.
            if not self._disk.exists(self.folder):
                self._disk.make_folder(self.folder)
            self._disk.sync_folder(os.path.dirname(self.folder))
            self._made = True

    def _put(self, manifest: Manifest) -> None:
        self._make_folder()
        replace_file(self._disk, self.manifest_path, manifest.encode())
        self.manifest = manifest
        self.known = True
