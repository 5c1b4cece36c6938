"""Derives `alcove.patterns.blocking` from `alcove.patterns.asyncio`: the same code without async and await.

`python derive_blocking.py` writes the files; a test fails when they are stale. `runtime` is not derived: both are
written by hand, with the same names.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path

PATTERNS = Path(__file__).parent / "src" / "alcove" / "patterns"
SOURCE, TARGET = PATTERNS / "asyncio", PATTERNS / "blocking"
BY_HAND = {"__init__.py", "runtime.py"}
NOTICE = "# Derived from alcove/patterns/asyncio/{name} by derive_blocking.py: change it there.\n"

DROPPED = {"async", "await"}
NAMES = {
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "__aiter__": "__iter__",
    "__anext__": "__next__",
    "aclose": "close",
    "aiter": "iter",
    "anext": "next",
    "AsyncContextManager": "ContextManager",
    "AbstractAsyncContextManager": "AbstractContextManager",
    "AsyncExitStack": "ExitStack",
    "AsyncGenerator": "Generator",
    "AsyncIterable": "Iterable",
    "AsyncIterator": "Iterator",
    "asynccontextmanager": "contextmanager",
    "StopAsyncIteration": "StopIteration",
    "AsyncEngine": "Engine",
    "AsyncSession": "Session",
    "async_sessionmaker": "sessionmaker",
    "AsyncConnection": "Connection",
}
# `Awaitable[X]` and `Coroutine[Any, Any, X]` are X.
UNWRAPPED = {"Awaitable", "Coroutine"}
MODULES = {
    "redis.asyncio": "redis",
    "alcove.patterns.asyncio": "alcove.patterns.blocking",
    "sqlalchemy.ext.asyncio": "sqlalchemy.engine",
}
# In docstrings, where names are those that users import.
PHRASES = [
    (re.compile(r"\b(?:await|async) "), ""),
    (re.compile(r"\balcove\.patterns\.asyncio\b"), "alcove.patterns"),
    (re.compile(r"\balcove\.asyncio\b"), "alcove"),
    (re.compile(r"\baclose\b"), "close"),
    (re.compile(r"\bredis\.asyncio\b"), "redis"),
]


def derived(source: str) -> str:
    """The blocking form of a module's text, before it is laid out again."""
    for module, name in MODULES.items():
        source = re.sub(rf"(?m)^(\s*(?:from|import) ){re.escape(module)}(?=[ .])", rf"\g<1>{name}", source)
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    return tokenize.untokenize(renamed(settled(unwrapped(tokens))))


def settled(tokens: list[tokenize.TokenInfo]) -> Iterator[tokenize.TokenInfo]:
    """The tokens with the comments between two blocks behind the end of the first one.

    The tokenizer has them before it; without their places they would be taken for the first block's.
    """
    waiting: list[tokenize.TokenInfo] = []
    depths = [0]
    for token in tokens:
        if token.type == tokenize.INDENT:
            depths.append(len(token.string))
        elif token.type == tokenize.DEDENT:
            depths.pop()
            yield token
            continue
        between = (
            token.type == tokenize.COMMENT and token.start[1] < depths[-1] and not token.line[: token.start[1]].strip()
        )
        if between or (waiting and token.type in (tokenize.COMMENT, tokenize.NL)):
            waiting.append(token)
            continue
        yield from waiting
        waiting.clear()
        yield token


def renamed(tokens: Iterable[tokenize.TokenInfo]) -> Iterator[tuple[int, str]]:
    """The tokens by their blocking names, and without places: the formatter lays them out."""
    for token in tokens:
        text = token.string
        if token.type == tokenize.NAME:
            text = NAMES.get(text, text)
        elif token.type == tokenize.STRING and text.startswith(('"""', 'r"""')):
            for phrase, replacement in PHRASES:
                text = phrase.sub(replacement, text)
        yield token.type, text


def unwrapped(tokens: list[tokenize.TokenInfo]) -> list[tokenize.TokenInfo]:
    """Leaves out the words of asyncio, and `Awaitable[` with its bracket."""
    kept: list[tokenize.TokenInfo] = []
    brackets: list[bool] = []
    position = 0
    while position < len(tokens):
        token = tokens[position]
        after = tokens[position + 1].string if position + 1 < len(tokens) else ""
        if token.type == tokenize.NAME and token.string in DROPPED:
            pass
        elif token.type == tokenize.NAME and token.string in UNWRAPPED and after == "[":
            brackets.append(True)
            # Of a coroutine's three types the last one counts.
            position += 1 if token.string == "Awaitable" else 5
        elif token.string == "[":
            brackets.append(False)
            kept.append(token)
        elif token.string == "]":
            if not brackets.pop():
                kept.append(token)
        else:
            kept.append(token)
        position += 1
    return kept


def laid_out(text: str, name: str) -> str:
    """The text as ruff formats it, its imports in order and without those that are no longer used."""
    fix = ["check", "--fix-only", "--quiet", "--select", "I,F401,PYI016"]
    # Formatted first, since `collections .abc` is not sorted as what it is.
    for command in (["format", "--quiet"], fix, ["format", "--quiet"]):
        ran = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(TARGET / name), "-"],
            input=text,
            capture_output=True,
            text=True,
            check=True,
        )
        text = ran.stdout
    return text


def files() -> dict[str, str]:
    """What `alcove.patterns.blocking` is to hold: names of files and their texts."""
    texts = {}
    for path in sorted(SOURCE.glob("*.py")):
        if path.name not in BY_HAND:
            text = laid_out(derived(path.read_text()), path.name)
            texts[path.name] = NOTICE.format(name=path.name) + text
    return texts


def main() -> None:
    texts = files()
    for path in TARGET.glob("*.py"):
        if path.name not in texts and path.name not in BY_HAND:
            path.unlink()
    for name, text in texts.items():
        path = TARGET / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            print(f"derived {path.relative_to(PATTERNS.parent.parent)}")


if __name__ == "__main__":
    main()
