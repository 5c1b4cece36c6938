"""Any reply value, written and read again: by our own reader of replies, and by redis-py's parser against `shape`."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis._parsers import Encoder, _RESP2Parser, _RESP3Parser
from redis._parsers.base import BaseParser
from redis.exceptions import ConnectionError as RedisConnectionError

from alcove.errors import CommandError
from alcove.numeric import format_double
from alcove.protocol.output import OutputBuffer
from alcove.protocol.replies import ReplyReader
from alcove.protocol.shape import decoder, shape
from alcove.protocol.writer import ReplyWriter
from alcove.values import NO_REPLY, NULL_ARRAY, OK, BigNumber, Decimal, FlatMap, Members, Pairs, Push, Status, Verbatim

TEXT = st.binary(max_size=20) | st.text(max_size=10).map(str.encode)
LINE = TEXT.map(lambda data: data.replace(b"\r", b"").replace(b"\n", b""))
ERRORS = st.sampled_from(
    [
        "ERR syntax error",
        "WRONGTYPE Operation against a key holding the wrong kind of value",
        "NOAUTH Authentication required.",
        "LOADING Redis is loading the dataset in memory",
        "ERR max number of clients reached",
        "NOSCRIPT No matching script.",
        "ERR a\r\nb",
        "MOVED 1 127.0.0.1:7000",
        "",
    ]
) | LINE.map(lambda data: data.decode("utf-8", "surrogateescape"))

# What can be the key of a map.
SCALARS = st.one_of(
    TEXT,
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.booleans(),
    st.none(),
    st.just(NULL_ARRAY),
    st.just(OK),
    LINE.map(Status),
    TEXT.map(Verbatim),
    st.integers().map(lambda number: BigNumber(b"%d" % number)),
    st.floats(-180, 180).map(lambda number: Decimal(b"%.17f" % number)),
    ERRORS.map(CommandError),
)

VALUES = st.recursive(
    SCALARS | TEXT.map(bytearray),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner, inner),
        st.lists(inner, max_size=4).map(Members),
        st.lists(st.tuples(inner, inner), max_size=3).map(Pairs),
        st.dictionaries(SCALARS, inner, max_size=3),
        st.dictionaries(SCALARS, inner, max_size=3).map(lambda each: FlatMap(flattened(each.items()))),
    ),
    max_leaves=12,
)


def written(value: Any, protocol: int) -> bytes:
    out = OutputBuffer()
    ReplyWriter(out, protocol).write(value)
    return out.take(len(out))


def flattened(pairs: Any) -> list[Any]:
    return [element for pair in pairs for element in pair]


def on_the_wire(value: Any, resp3: bool) -> Any:
    """What can be read again of a value: RESP2 tells fewer things apart."""
    if isinstance(value, float):
        return value if resp3 else format_double(value)
    if isinstance(value, bool):
        return value if resp3 else int(value)
    if isinstance(value, Decimal):
        return float(value) if resp3 else bytes(value)
    if isinstance(value, bytearray) or (isinstance(value, (Verbatim, BigNumber)) and not resp3):
        return bytes(value)
    if value is NULL_ARRAY:
        return None if resp3 else value
    if isinstance(value, CommandError):
        return CommandError(value.line.decode("utf-8", "surrogateescape"))
    if isinstance(value, dict):
        if resp3:
            return {on_the_wire(key, True): on_the_wire(element, True) for key, element in value.items()}
        return [on_the_wire(element, False) for element in flattened(value.items())]
    if isinstance(value, FlatMap) and resp3:
        return on_the_wire(dict(zip(value[::2], value[1::2], strict=True)), True)
    if isinstance(value, Pairs) and not resp3:
        return [on_the_wire(element, False) for element in flattened(value)]
    if isinstance(value, (list, tuple)):
        kind = type(value) if resp3 and isinstance(value, (Members, Push)) else list
        return kind(on_the_wire(element, resp3) for element in value)
    return value


def exact(value: Any) -> Any:
    """A form in which `==` sees types, the order of maps, NaN, and what exceptions say."""
    if isinstance(value, dict):
        return dict, [(exact(key), exact(element)) for key, element in value.items()]
    if isinstance(value, list):
        return type(value), [exact(element) for element in value]
    if isinstance(value, Exception):
        return type(value), value.args, vars(value)
    return type(value), repr(value)


@pytest.mark.parametrize("protocol", [2, 3])
@given(value=VALUES | st.lists(VALUES, max_size=4).map(Push))
def test_our_reader(value: Any, protocol: int) -> None:
    reader = ReplyReader()
    reader.feed(written(value, protocol))
    assert exact(reader.next()) == exact(on_the_wire(value, protocol == 3))
    assert reader.next() is NO_REPLY


class Wire:
    """A socket on which one reply has come."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def recv(self, size: int) -> bytes:
        taken, self.data = self.data[:size], self.data[size:]
        return taken


PARSERS: dict[int, Any] = {2: _RESP2Parser, 3: _RESP3Parser}


def parsed(data: bytes, protocol: int, encoder: Encoder, **options: bool) -> Any:
    parser = PARSERS[protocol](65536)
    parser.on_connect(SimpleNamespace(_sock=Wire(data), socket_timeout=None, encoder=encoder))
    return parser.read_response(**options)


def parse_error(text: str) -> Exception:
    """As the parser treats them: what ends the connection is raised at once."""
    error: Exception = BaseParser.parse_error(text)
    if isinstance(error, RedisConnectionError):
        raise error
    return error


def outcome(call: Callable[[], Any]) -> Any:
    """What a call returns or raises."""
    try:
        return "returned", exact(call())
    except (RedisConnectionError, UnicodeDecodeError) as error:
        return "raised", type(error), error.args


ENCODERS = [
    Encoder("utf-8", "strict", False),
    Encoder("utf-8", "strict", True),
    Encoder("UTF8", "replace", True),
    Encoder("latin-1", "strict", True),
]


@pytest.mark.parametrize("encoder", ENCODERS, ids=["bytes", "utf-8", "replace", "latin-1"])
@pytest.mark.parametrize("protocol", [2, 3])
@given(value=VALUES)
def test_shape_is_what_the_parser_returns(value: Any, protocol: int, encoder: Encoder) -> None:
    decode = decoder(encoder.encoding, encoder.encoding_errors) if encoder.decode_responses else None
    data = written(value, protocol)
    expected = outcome(lambda: parsed(data, protocol, encoder))
    assert outcome(lambda: shape(value, protocol, decode, parse_error)) == expected
    undecoded = outcome(lambda: parsed(data, protocol, encoder, disable_decoding=True))
    assert outcome(lambda: shape(value, protocol, None, parse_error)) == undecoded


@pytest.mark.parametrize("protocol", [2, 3])
@given(elements=st.lists(VALUES, max_size=4))
def test_shape_of_pushed_messages(elements: list[Any], protocol: int) -> None:
    value = Push([b"message", *elements])
    options = {"push_request": True} if protocol == 3 else {}
    expected = outcome(lambda: parsed(written(value, protocol), protocol, ENCODERS[1], **options))
    assert outcome(lambda: shape(value, protocol, decoder("utf-8", "strict"), parse_error)) == expected


@pytest.mark.parametrize("protocol", [2, 3])
@given(value=VALUES)
def test_shape_calls_a_decoder_of_the_users_own(value: Any, protocol: int) -> None:
    class Reversing(Encoder):
        def decode(self, value: Any, force: bool = False) -> Any:
            return value[::-1] if isinstance(value, bytes) else value

    encoder = Reversing("utf-8", "strict", True)
    expected = outcome(lambda: parsed(written(value, protocol), protocol, encoder))
    assert outcome(lambda: shape(value, protocol, encoder.decode, parse_error)) == expected


@pytest.mark.parametrize("protocol", [2, 3])
class TestShape:
    def test_lists_and_maps_are_the_callers_own(self, protocol: int) -> None:
        inner = [b"a"]
        value = [inner, {b"k": inner}]
        shaped = shape(value, protocol, None, parse_error)
        assert shaped[0] == inner
        assert shaped is not value
        assert shaped[0] is not inner

    def test_no_reply_stays(self, protocol: int) -> None:
        assert shape(NO_REPLY, protocol, None, parse_error) is NO_REPLY

    @pytest.mark.parametrize("wrong", ["text", object(), {b"a"}])
    def test_a_value_without_a_form(self, protocol: int, wrong: Any) -> None:
        for value in wrong, [wrong], {b"a": wrong}, [NO_REPLY]:
            with pytest.raises(TypeError, match="no reply can hold a"):
                shape(value, protocol, None, parse_error)

    @pytest.mark.parametrize("wrap", [lambda value: [value], lambda value: {b"k": value}])
    def test_deep_nesting(self, protocol: int, wrap: Callable[[Any], Any]) -> None:
        value: Any = b"a"
        for _ in range(300):
            value = wrap(value)
        assert repr(shape(value, protocol, None, parse_error)).count("b'a'") == 1
        for _ in range(10_000):
            value = wrap(value)
        with pytest.raises(RecursionError):
            shape(value, protocol, None, parse_error)
