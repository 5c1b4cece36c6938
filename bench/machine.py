"""Where the figures come from: the machine, the versions of all that takes part, and the command."""

from __future__ import annotations

import os
import platform
import re
import shlex
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from alcove.server.process import build_name
from alcove.version import VERSION
from bench import peers


def facts(arguments: list[str]) -> dict[str, str]:
    """What to know of the machine before believing its figures."""
    known = {
        "Command": shlex.join(["python", "-m", "bench", *arguments]),
        "Date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "Processor": f"{processor()}, {os.cpu_count()} cores; {placement()}",
        "Load before": f"{os.getloadavg()[0]:.2f}",
        "System": f"{platform.system()} {platform.release()}",
        "Alcove": f"{VERSION}, {build_name()}",
        "Python": platform.python_version(),
        "Compilers": f"Cython {package('Cython')}, gcc {gcc()}",
        "Clients": ", ".join(f"{name} {package(name)}" for name in ("redis", "hiredis", "fakeredis")),
    }
    for peer in peers.installed():
        if peer.name != peers.ALCOVE:
            found = re.search(r"v=(\S+).*malloc=(\S+)", peer.version())
            known[peer.name] = f"{found[1]}, {found[2]}" if found else peer.version()
    return known


def processor() -> str:
    found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.processor()


def placement() -> str:
    places = peers.processors()
    return "servers and load share them" if places is None else "one for the servers, one for the load"


def package(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def gcc() -> str:
    try:
        return subprocess.run(["gcc", "-dumpfullversion"], capture_output=True, text=True, check=True).stdout.strip()
    except FileNotFoundError:
        return "not installed"


def needs() -> None:
    """Raises `Unavailable` when the figures could not be had here."""
    if not Path("/proc/self/schedstat").exists():
        raise peers.Unavailable("the benchmarks read CPU time from /proc/*/schedstat, and so need Linux")
    peers.installed()
