"""Random uses of bit, struct, cjson and cmsgpack in scripts: values, options, and input that is damaged or hostile."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

from tests.scripting.shown import script


def words(text: str) -> list[str]:
    return text.split()


NUMBERS = words(
    "0 -0 1 -1 127 128 255 256 -32 -33 -128 -129 32767 32768 65535 65536 -32768 -32769 2^31 2^31-1 -2^31 2^32 2^32-1"
    " 2^51 2^51+1 2^53 -2^53 2^62 2^63 -2^63 2^64 1e300 -1e300 1e-300 5e-324 1e-45 3.4028235e38 3.5e38 0.1 0.5 -0.5 1.5"
    " 2.5 1/3 1/0 -1/0 0/0 16777217 305419896 '12' '0x10'"
)
VALUES = [
    "nil",
    "true",
    "false",
    "{}",
    "'abc'",
    "cjson.null",
    "type",
    "{1,2,3}",
    "{a=1}",
    "{{}}",
    "{1,nil,3}",
    "{[0]=1}",
]
HEX = 'local function hex(s) return (s:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) end '
OPTIONS = [*words("b B h H l L T i I i3 i8 I16 i0 f d x s c3 c0 c < > ! !4 !2 !16 !3 z % i33 c99999999999"), " "]
BIT = words("tobit tohex bnot band bor bxor lshift rshift arshift rol ror bswap")
TEXTS = ["", "abc", "é€😀", 'a"b\\c/', "\x00\x1f\x7f", "x" * 70]
DAMAGE = b'{}[],:"\\ue0123456789.+-xaIinftr \x00\n\xff'


def generate(chance: random.Random) -> list[bytes]:
    source, argument = chance.choice(GENERATORS)(chance)
    return [b"EVAL", script(source), b"0", argument]


def number(chance: random.Random) -> str:
    return chance.choice([*NUMBERS, str(chance.getrandbits(32)), str(chance.getrandbits(53))])


def arguments(chance: random.Random, most: int) -> str:
    """Numbers mostly, and now and then something else."""
    some = [number(chance) if chance.random() < 0.9 else chance.choice(VALUES) for _ in range(chance.randint(0, most))]
    return ", ".join(some)


def bit(chance: random.Random) -> tuple[str, bytes]:
    return f"bit.{chance.choice(BIT)}({arguments(chance, 4)})", b""


def struct_format(chance: random.Random) -> str:
    return "".join(chance.choice(OPTIONS) for _ in range(chance.randint(1, 4)))


def struct_pack(chance: random.Random) -> tuple[str, bytes]:
    words = [chance.choice([number(chance), "'abc'", "'abcdef'", "nil"]) for _ in range(chance.randint(0, 3))]
    call = ", ".join([f"'{struct_format(chance)}'", *words])
    return f"{HEX}local packed = struct.pack({call}) return hex(packed)", b""


def struct_unpack(chance: random.Random) -> tuple[str, bytes]:
    data = bytes(chance.choice([0, 1, 2, 3, 65, 128, 255]) for _ in range(chance.randint(0, 30)))
    offset = chance.choice(["", "", ", 1", ", 2", ", 0", ", -1", ", 100", ", nil", ", '2'", ", 1.9", ", {}"])
    return f"struct.unpack('{struct_format(chance)}', ARGV[1]{offset})", data


def document(chance: random.Random, depth: int = 0) -> Any:
    kind = chance.random()
    if depth > 4 or kind < 0.5:
        scalars = [None, True, False, 0, -1, 1.5, 1e100, chance.random(), chance.getrandbits(40), *TEXTS]
        return chance.choice(scalars)
    size = chance.randint(0, 4)
    if kind < 0.75:
        return [document(chance, depth + 1) for _ in range(size)]
    return {chance.choice(["a", "b", "", "é", 'x"y', "1"]): document(chance, depth + 1) for _ in range(size)}


def damaged(chance: random.Random, text: bytes) -> bytes:
    data = bytearray(text)
    for _ in range(chance.randint(0, 3)):
        at = chance.randrange(len(data) + 1)
        kind = chance.random()
        if kind < 0.1:
            del data[at:]
        elif kind < 0.5:
            del data[at : at + 1]
        else:
            data[at : at + 1] = bytes([chance.choice(DAMAGE)])
    return bytes(data)


def cjson_decode(chance: random.Random) -> tuple[str, bytes]:
    text = json.dumps(document(chance), ensure_ascii=chance.random() < 0.5, indent=chance.choice([None, 1]))
    setup = "local j = cjson.new() "
    if chance.random() < 0.2:
        setup += f"j.decode_invalid_numbers({chance.choice(['true', 'false'])}) "
    if chance.random() < 0.2:
        setup += f"j.decode_max_depth({chance.randint(1, 4)}) "
    wanted = chance.choice(["value", "j.encode(value)", "cmsgpack.pack(value)"])
    return f"{setup} local value = j.decode(ARGV[1]) local answer = {wanted} return answer", damaged(
        chance, text.encode()
    )


def cjson_encode(chance: random.Random) -> tuple[str, bytes]:
    value = chance.choice([*VALUES, f"{{{arguments(chance, 4)}}}", f"{{[{number(chance)}] = 1}}", number(chance)])
    flag = chance.choice(["true", "false", "'null'", "'no'"])
    # With the ratio 0 the servers write as many nulls as the index says, for half a minute at 2^31-1.
    ratio = chance.choice([-1, 1, 2, 3])
    settings = [
        "",
        f"j.encode_number_precision({chance.randint(0, 15)})",
        f"j.encode_invalid_numbers({flag})",
        f"j.encode_max_depth({chance.randint(0, 2)})",
        f"j.encode_sparse_array({flag}, {ratio}, {chance.randint(0, 3)})",
    ]
    setting = chance.choice(settings)
    return f"local j = cjson.new() {setting} local text = j.encode({value}) return text", b""


def cmsgpack_pack(chance: random.Random) -> tuple[str, bytes]:
    some = [number(chance) if chance.random() < 0.6 else chance.choice(VALUES) for _ in range(chance.randint(0, 3))]
    return f"{HEX}local packed = cmsgpack.pack({', '.join(some)}) return hex(packed)", b""


def cmsgpack_unpack(chance: random.Random) -> tuple[str, bytes]:
    pieces = []
    for _ in range(chance.randint(0, 4)):
        pieces.append(bytes([chance.choice([chance.randrange(0xC0, 0xE0), chance.randrange(256)])]))
        tails = [
            b"",
            b"\x00",
            b"\x01\x02",
            b"\x00\x00\x00\x01",
            b"\xff" * 4,
            chance.randbytes(8),
            b"a" * chance.randint(0, 40),
        ]
        pieces.append(chance.choice(tails))
    name = chance.choice(["unpack(ARGV[1])", "unpack_one(ARGV[1], {0})", "unpack_limit(ARGV[1], {1}, {0})"])
    return f"cmsgpack.{name.format(chance.randint(-1, 5), chance.randint(-1, 4))}", b"".join(pieces)


GENERATORS: list[Callable[[random.Random], tuple[str, bytes]]] = [
    bit,
    struct_pack,
    struct_unpack,
    cjson_decode,
    cjson_encode,
    cmsgpack_pack,
    cmsgpack_unpack,
]
