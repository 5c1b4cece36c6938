"""Runs scripts in a process of its own, because what they try could end it, or leave it without memory."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from tests.waiting import PATIENCE_S

KILLED = "Script killed by user"
# Each script gets a number of keys and arguments by `words`; the last one shows that the engine goes on.
HARNESS = """
import json, sys, threading
import alcove.commands
from alcove.engine.engine import Engine
from alcove.errors import CommandError

given = json.load(sys.stdin)
engine = Engine()
engine.config.busy_reply_threshold = 200
mine, other = engine.connect("embedded"), engine.connect("embedded")
done = threading.Event()

def kill():
    while not done.wait(0.3):
        engine.execute(other, [b"SCRIPT", b"KILL"])

def run(words):
    argv = []
    for word in words:
        argv += [word[0].encode() * word[1]] if isinstance(word, list) else [word.encode()]
    reply = engine.execute(mine, argv)
    if isinstance(reply, CommandError):
        return "-" + reply.line[:300].decode("latin-1")
    if isinstance(reply, bytes):
        return reply[:300].decode("latin-1")
    return type(reply).__name__ if isinstance(reply, list) else reply

killer = threading.Thread(target=kill)
if given["kills"]:
    killer.start()
try:
    outcomes = [run(words) for words in given["commands"]]
finally:
    done.set()
    if given["kills"]:
        killer.join()
assert engine.execute(mine, [b"EVAL", b"return redis.call('incr', 'alive')", b"0"]) == 1
print(json.dumps(outcomes))
"""


def outcomes(*commands: list[Any], kills: bool = False) -> list[Any]:
    """What commands are answered, one after the other; `["x", n]` stands for so many of a byte.

    A reply is an integer, None, a string's beginning, an error's text behind a minus, or `list`. With `kills`, whoever
    runs for long is killed; else a script has to end by itself.
    """
    process = subprocess.run(
        [sys.executable, "-c", HARNESS],
        check=False,
        input=json.dumps({"commands": commands, "kills": kills}),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)  # type: ignore[no-any-return]


def outcome(script: str, kills: bool = False) -> str:
    """What a script is answered, as a text."""
    return str(outcomes(["EVAL", script, "0"], kills=kills)[0])
