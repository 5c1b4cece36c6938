"""The short ways of Lua's libraries answer as the libraries themselves do: on anything, errors included."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import alcove.commands  # noqa: F401 (declares the commands)
from alcove.engine.engine import Engine
from alcove.errors import CommandError
from alcove.scripting import runtime
from alcove.scripting.border import Border
from alcove.scripting.runtime import runtime_of
from tests.scripting.shown import script


class Both:
    """An engine whose scripts take short ways, and one whose do not."""

    def __init__(self) -> None:
        self.engines = [Engine(), Engine()]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(runtime, "border_of", Border)
            runtime_of(self.engines[1])
        if runtime_of(self.engines[0]).border.short_ways is None:
            pytest.skip("the plain build has no short ways")
        self.sessions = [engine.connect("embedded") for engine in self.engines]

    def agree(self, source: str, *words: bytes) -> Any:
        """The reply of both to a script; to an expression, a text that shows what it is, or its error."""
        text = source.encode("latin-1") if "return " in source else script(source)
        command = [b"EVAL", text, b"0", *words]
        pairs = zip(self.engines, self.sessions, strict=True)
        short, long = (engine.execute(session, list(command)) for engine, session in pairs)
        if isinstance(short, CommandError) and isinstance(long, CommandError):
            short, long = short.line, long.line
        assert short == long
        return short


@pytest.fixture(scope="module")
def both() -> Both:
    return Both()


numbers = st.one_of(
    st.integers(-200, 200),
    st.integers(-(2**64), 2**65),
    st.floats(),
    st.floats(width=32),
    st.sampled_from([2.0**31, 2.0**32, 2.0**51, 2.0**53, -(2.0**63), 2.0**63, 2.0**64, 1e14, 1e15, -0.0, 0.5, 1.5]),
)
texts = st.one_of(
    st.text(), st.text('"\\/\b\f\n\r\t\0\x01\x1f\x7fa'), st.binary(max_size=40).map(lambda b: b.decode("latin-1"))
)


def literal(value: Any) -> str:
    """A value as Lua's source."""
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        if value != value:
            return "(0/0)"
        return {float("inf"): "(1/0)", float("-inf"): "(-1/0)"}.get(value) or f"({float(value)!r})"
    if isinstance(value, str):
        return '"' + "".join(f"\\{byte:03d}" for byte in value.encode("utf-8", "surrogatepass")) + '"'
    if isinstance(value, list):
        return "{" + ",".join(map(literal, value)) + "}"
    return "{" + ",".join(f"[{literal(key)}]={literal(element)}" for key, element in value) + "}"


keys = st.one_of(texts, st.integers(-2, 12), st.sampled_from([1.5, 2.0**31, 2.0**40, 300, 1e20]), st.booleans())
values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts),
    lambda inner: st.one_of(
        st.lists(inner, max_size=6),
        st.lists(st.tuples(keys, inner), max_size=6, unique_by=lambda pair: repr(pair[0])).map(tuple),
    ),
    max_leaves=20,
)


@settings(max_examples=500, deadline=None)
@given(value=values)
@example(value=[[[None]]])
def test_json_is_written_alike(both: Both, value: Any) -> None:
    both.agree(f"return cjson.encode({literal(value)})")


documents = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(st.text(max_size=5), inner, max_size=5)),
    max_leaves=20,
)
SIGNS = '{}[],:"\\/ \t\n0123456789.eE+-truefalsnu\0\x0c\xff'
fragments = st.lists(st.sampled_from([*SIGNS, "\\u00e9", "\\ud83d\\ude00", "\\ud83d", "null"]))


@settings(max_examples=500, deadline=None)
@given(document=documents, escaped=st.booleans(), spread=st.booleans(), cut=st.integers(0, 30), put=fragments)
def test_json_is_read_alike(both: Both, document: Any, escaped: bool, spread: bool, cut: int, put: list[str]) -> None:
    text = json.dumps(document, ensure_ascii=escaped, indent=1 if spread else None)
    for each in (text, text[:cut] + "".join(put) + text[cut:], "".join(put)):
        both.agree("cjson.decode(ARGV[1])", each.encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("depth", [63, 64, 65, 999, 1000, 1001, 2000])
def test_nesting(both: Both, depth: int) -> None:
    for text in (b"[" * depth + b"]" * depth, b'{"a":' * depth + b"1" + b"}" * depth):
        assert both.agree("return #cjson.encode(cjson.decode(ARGV[1]))", text)
    both.agree("cjson.decode_max_depth(5) cjson.encode_max_depth(4) return cjson.encode(cjson.decode('[[[[[1]]]]]'))")
    both.agree("cjson.decode_max_depth(1000) cjson.encode_max_depth(1000)")
    both.agree(f"local t = 1 for n = 1, {depth} do t = {{t}} end return cmsgpack.pack(t)")
    both.agree("cmsgpack.unpack(ARGV[1])", b"\x91" * depth + b"\x01")


def test_long_values(both: Both) -> None:
    long = b'\\u00e9\\n"/\x00' + b"x" * 100_000
    for source in (
        "return cjson.encode({ARGV[1], k = ARGV[1]})",
        "return cjson.decode(cjson.encode({ARGV[1]}))[1]",
        "return cmsgpack.unpack(cmsgpack.pack({ARGV[1], ARGV[1]}))[2]",
        "local t = {} for n = 1, 70000 do t[n] = n end return cmsgpack.pack(t, {a = t})",
        "local t = {} for n = 1, 20000 do t[n] = {n, n .. ''} end return cjson.encode(cjson.decode(cjson.encode(t)))",
        "return struct.unpack('s', struct.pack('s', ARGV[1]))",
    ):
        assert both.agree(source, long)


@settings(max_examples=500, deadline=None)
@given(packed=st.lists(values, max_size=3))
def test_messages_are_packed_alike(both: Both, packed: list[Any]) -> None:
    both.agree(f"return cmsgpack.pack({','.join(map(literal, packed))})")


@settings(max_examples=500, deadline=None)
@given(value=values, cut=st.integers(0, 20), put=st.binary(max_size=3), raw=st.binary(max_size=20))
def test_messages_are_unpacked_alike(both: Both, value: Any, cut: int, put: bytes, raw: bytes) -> None:
    message = both.agree(f"return cmsgpack.pack({literal(value)})")
    for each in (message, message[:cut] + put + message[cut:], message[:cut], raw):
        both.agree("cmsgpack.unpack(ARGV[1])", each)


@settings(max_examples=500, deadline=None)
@given(
    name=st.sampled_from(["tobit", "bnot", "band", "bor", "bxor", "lshift", "rshift", "arshift", "rol", "ror"]),
    words=st.lists(numbers, max_size=4),
)
def test_words_alike(both: Both, name: str, words: list[float]) -> None:
    both.agree(f"bit.{name}({','.join(map(literal, words))})")


OPTIONS = "b B h H l L T i I i1 i2 i3 i5 i7 i8 i9 I3 I6 I8 I16 f d s x c c3 c0 < > ! !4 ~ i0"
options = st.sampled_from(OPTIONS.split())


@settings(max_examples=800, deadline=None)
@given(
    layout=st.lists(options, max_size=6),
    given=st.lists(st.one_of(numbers, texts), max_size=6),
    data=st.binary(max_size=30),
    offset=st.one_of(st.none(), st.integers(-1, 8)),
)
def test_structures_alike(both: Both, layout: list[str], given: list[Any], data: bytes, offset: int | None) -> None:
    text = literal("".join(layout))
    both.agree(f"return struct.pack({','.join([text, *map(literal, given)])})")
    where = "" if offset is None else f", {offset}"
    both.agree(f"struct.unpack({text}, ARGV[1]{where})", data)
