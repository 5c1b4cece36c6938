"""Scripts read and write numbers with a point, in a program that uses a comma."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import alcove

PROGRAM = """
import locale, sys
import alcove
from alcove.scripting import runtime
if sys.argv[1] == "lupa":
    from alcove.scripting.border import Border
    runtime.border_of = Border
locale.setlocale(locale.LC_ALL, "de_DE.UTF-8")
client = alcove.open(decode_responses=True)
for script in (
    "return tostring(tonumber('1.5') + 0.25)",
    "return string.format('%.2f', 2.5)",
    "return cjson.encode(cjson.decode('[1.5,2.25e3]'))",
    "return tostring(redis.call('INCRBYFLOAT', 'k', 0.5))",
    "return tostring(loadstring('return 0.75')())",
    "return tostring('a' < 'B')",
):
    print(client.eval(script, 0))
print(locale.str(1.5), client.eval("return 'x' .. 0.5", 0), locale.str(1.5))
"""


@pytest.fixture(scope="module")
def locales(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a German locale."""
    folder = tmp_path_factory.mktemp("locales")
    localedef = shutil.which("localedef")
    made = localedef and subprocess.run(
        [localedef, "-i", "de_DE", "-f", "UTF-8", "--no-archive", str(folder / "de_DE.UTF-8")],
        capture_output=True,
        check=False,
    )
    if not made or not (folder / "de_DE.UTF-8").exists():
        pytest.skip("localedef, or what it makes a German locale of, is not installed")
    return folder


@pytest.mark.parametrize("way", ["own", "lupa"])
def test_numbers_have_a_point(locales: Path, way: str) -> None:
    environment = {**os.environ, "LOCPATH": str(locales), "PYTHONPATH": str(Path(alcove.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, way], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["1.75", "2.50", "[1.5,2250]", "0.5", "0.75", "false", "1,5 x0.5 1,5"]
