"""A PostgreSQL of Debian's for the tests, in a folder of its own, reached by a socket there."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tests.waiting import eventually

# Debian keeps the binaries of each version apart.
VERSIONS = Path("/usr/lib/postgresql")
# PostgreSQL does not run as root.
ACCOUNT = "postgres"


def postgres_binaries() -> Path | None:
    """Where `initdb` and `postgres` are; None when PostgreSQL is not installed."""
    found = shutil.which("postgres")
    folders = [Path(found).resolve().parent] if found else sorted(VERSIONS.glob("*/bin"))
    return next((folder for folder in reversed(folders) if (folder / "initdb").exists()), None)


class Postgres:
    """A server with an empty database, for as long as the tests run."""

    def __init__(self, binaries: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="alcove-postgres-"))
        self._as_account: dict[str, Any] = {"cwd": self.folder, "stdout": subprocess.DEVNULL}
        if os.getuid() == 0:
            shutil.chown(self.folder, ACCOUNT, ACCOUNT)
            self._as_account |= {"user": ACCOUNT, "group": ACCOUNT, "extra_groups": []}
        data = str(self.folder / "data")
        create = [binaries / "initdb", "-D", data, "--auth=trust", "--username=alcove", "--encoding=UTF8", "--no-sync"]
        subprocess.run(create, check=True, timeout=60, **self._as_account)
        serve = [binaries / "postgres", "-D", data, "-k", str(self.folder), "-c", "listen_addresses=", "-F"]
        self._process = subprocess.Popen(serve, stderr=subprocess.DEVNULL, **self._as_account)
        ready = [binaries / "pg_isready", "-q", "-h", str(self.folder)]
        eventually(lambda: subprocess.run(ready, check=False).returncode == 0)

    @property
    def url(self) -> str:
        """By what SQLAlchemy reaches it, for plain and for asyncio engines."""
        return f"postgresql+psycopg://alcove@/postgres?host={self.folder}"

    def close(self) -> None:
        self._process.send_signal(signal.SIGINT)
        self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
