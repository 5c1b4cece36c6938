"""Round trips by Hypothesis: what CONFIG GET prints, a file holds or CONFIG REWRITE writes reads back the same."""

from __future__ import annotations

import os
import string
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from alcove.engine import config_kinds as kinds
from alcove.engine import events
from alcove.engine.conf_file import Reader, rewritten
from alcove.engine.config import Config
from alcove.engine.config_kinds import BufferLimit, BufferLimits
from alcove.engine.settings import DIRECTIVES
from alcove.quoting import quoted, split_words

WORDS = st.text(string.ascii_letters + string.digits + ".:*-%", min_size=1, max_size=20)
BYTES = st.binary(max_size=40)
TEXTS = BYTES.map(kinds.as_text)
BUFFER_LIMIT = st.builds(
    BufferLimit, st.integers(0, kinds.UINT64_MAX), st.integers(0, kinds.UINT64_MAX), st.integers(0, kinds.INT_MAX)
)
SAVE_POINT = st.tuples(st.integers(1, 2**63 - 1), st.integers(0, 2**63 - 1))


def strategy(directive: kinds.Directive[Any]) -> st.SearchStrategy[Any]:
    """Values that a directive of this kind may have."""
    match directive:
        case kinds.YesNo():
            return st.booleans()
        case kinds.Frequency():
            return st.integers(1, 500)
        case kinds.BacklogSize():
            return st.integers(16384, directive.high)
        case kinds.MemoryOrPercent():
            return st.integers(-100, directive.high)
        case kinds.Integer():
            return st.integers(directive.low, directive.high)
        case kinds.Choice():
            return st.sampled_from(directive.options)
        case kinds.ShutdownOptions():
            first = st.sampled_from([(), ("save",), ("nosave",)])
            return st.builds(lambda *parts: sum(parts, ()), first, st.sampled_from([(), ("now",), ("now", "force")]))
        case kinds.FileName():
            return WORDS
        case kinds.HostName():
            return st.text(string.ascii_letters + string.digits + "-.", max_size=255)
        case kinds.TitleTemplate():
            return st.lists(st.sampled_from(["{port}", "{title}", "x", " ", "}", "{{"])).map(
                lambda bits: "t" + "".join(bits)
            )
        case kinds.Directory():
            return st.sampled_from([os.sep, os.getcwd()])
        case kinds.Text():
            return TEXTS
        case kinds.Secret():
            return BYTES
        case kinds.Addresses():
            return st.lists(WORDS, max_size=16).map(tuple)
        case kinds.MasterAddress():
            return st.tuples(WORDS.filter(lambda host: host.lower() != "no"), st.integers(0, 65535))
        case kinds.SavePoints():
            return st.lists(SAVE_POINT, max_size=4).map(tuple)
        case kinds.OutputBufferLimits():
            return st.builds(BufferLimits, BUFFER_LIMIT, BUFFER_LIMIT, BUFFER_LIMIT)
        case kinds.OomScores():
            return st.tuples(*[st.integers(-2000, 2000)] * 3)
        case kinds.Percentiles():
            return st.lists(st.floats(0, 100).map(lambda value: round(value, 6)), max_size=5).map(tuple)
        case kinds.EventClasses():
            return st.lists(st.sampled_from(list(events.LETTERS.values()))).map(lambda bits: sum(set(bits)))
    raise AssertionError(f"no strategy for {directive.name!r}")


SETTINGS = st.sampled_from(list(DIRECTIVES.values())).flatmap(
    lambda directive: st.tuples(st.just(directive), strategy(directive))
)


@given(SETTINGS)
def test_what_config_get_prints_config_set_reads_back(setting: tuple[kinds.Directive[Any], Any]) -> None:
    directive, value = setting
    assert directive.from_value(directive.show(value), directive.default) == value


@given(SETTINGS)
def test_what_is_written_to_a_file_reads_back(setting: tuple[kinds.Directive[Any], Any]) -> None:
    directive, value = setting
    read = directive.default
    for line in directive.lines(value):
        words = split_words(line)
        assert words is not None
        read = directive.from_line(words, read)
    assert read == value


@given(BYTES)
def test_quoted_words_are_split_back(word: bytes) -> None:
    line = quoted(word)
    assert line.isascii()
    assert line.decode().isprintable()
    assert split_words(b"  " + line + b"\t" + line) == [word, word]


@given(st.lists(WORDS.map(str.encode)), st.sampled_from([b" ", b"\t", b"  ", b" \v\f"]))
def test_bare_words_are_split_at_blanks(words: list[bytes], blank: bytes) -> None:
    assert split_words(blank.join(words)) == words


@given(st.integers(0, kinds.UINT64_MAX))
def test_memory_is_written_with_units_that_lose_nothing(size: int) -> None:
    assert kinds.parse_memory(kinds.format_memory(size)) == size


SETTABLE = [
    directive for name, directive in DIRECTIVES.items() if name not in {b"dir", b"replicaof", b"cluster-enabled"}
]
MANY_SETTINGS = st.lists(st.sampled_from(SETTABLE), unique=True, max_size=8).flatmap(
    lambda chosen: st.tuples(*[st.tuples(st.just(directive), strategy(directive)) for directive in chosen])
)


def read(text: bytes) -> Config:
    config = Config()
    Reader(config).text(text, "test")
    return config


@given(old=MANY_SETTINGS, new=MANY_SETTINGS)
def test_what_is_rewritten_reads_back(old: Any, new: Any) -> None:
    """From any file to any values: the draft of the rewrite, read again, gives the values, and again no change."""
    config = Config()
    for directive, value in old:
        config.put(directive, value)
    first = rewritten(config, b"# comment")
    assert read(first).matching([b"*"]) == config.matching([b"*"])
    for directive, value in new:
        config.put(directive, value)
    second = rewritten(config, first)
    assert read(second).matching([b"*"]) == config.matching([b"*"])
    assert rewritten(config, second) == second
    assert second.startswith(b"# comment\n")
