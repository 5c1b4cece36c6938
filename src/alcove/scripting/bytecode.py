"""Lua 5.1's bytecode, as far as one thing needs it: calls in the last place of a script.

`return redis.call(...)` is a tail call, which takes the script's frame off the stack, and with it the line that an
error message is to name. The real server's functions are written in C, for which Lua keeps the frame; ours are closures
of Lua. A script's main function runs once, so that an ordinary call costs it nothing.
"""

from __future__ import annotations

from typing import Final, Literal

# The header: signature, version, format, endianness, then the sizes of int, size_t, instructions and numbers.
HEADER_BYTES: Final = 12
INT_SIZE_AT: Final = 7
SIZE_T_SIZE_AT: Final = 8
LITTLE_ENDIAN_AT: Final = 6
INSTRUCTION_BYTES: Final = 4
OP_CALL: Final = 28
OP_TAILCALL: Final = 29
OP_MASK: Final = 0x3F


def without_tail_calls(code: bytes) -> bytes:
    """What `string.dump` made of a chunk, its main function's tail calls made ordinary ones."""
    order: Literal["little", "big"] = "little" if code[LITTLE_ENDIAN_AT] else "big"
    int_bytes, size_t_bytes = code[INT_SIZE_AT], code[SIZE_T_SIZE_AT]
    # Behind the header: the chunk's name, two line numbers, four counts of a byte each, then the instructions.
    place = HEADER_BYTES + size_t_bytes
    place += int.from_bytes(code[HEADER_BYTES:place], order) + 2 * int_bytes + 4
    count = int.from_bytes(code[place : place + int_bytes], order)
    place += int_bytes
    changed = bytearray(code)
    first = 0 if order == "little" else INSTRUCTION_BYTES - 1
    for at in range(place + first, place + count * INSTRUCTION_BYTES, INSTRUCTION_BYTES):
        if changed[at] & OP_MASK == OP_TAILCALL:
            changed[at] = changed[at] & ~OP_MASK & 0xFF | OP_CALL
    return bytes(changed)
