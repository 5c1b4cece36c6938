"""Lua 5.1's bytecode, as far as one thing needs it: calls in the last place of a function.

`return redis.call(...)` is a tail call, which takes the caller's frame off the stack, and with it the line that an
error message is to name. The real server's functions are written in C, for which Lua keeps the frame; ours are closures
of Lua. So such calls are made ordinary ones: in a chunk's main function, which runs once, all of them; in the functions
within it those of a global (`pcall(...)`) or of a global's field (`redis.call(...)`). Globals are ours, since scripts
cannot change them; a script's own functions, which may call each other as often as they like, are none of them.

A dumped chunk is a header and its main function. A function is its source, two line numbers and four sizes of a byte,
its instructions, constants, functions, and what debuggers want to know: lines, local names, names of upvalues. Source:
`ldump.c` and `lopcodes.h` of Lua 5.1.
"""

from __future__ import annotations

from typing import Final

# The header: signature, version, format, endianness, then the sizes of int, size_t, instructions and numbers.
HEADER_BYTES: Final = 12
LITTLE_ENDIAN_AT: Final = 6
INT_SIZE_AT: Final = 7
SIZE_T_SIZE_AT: Final = 8
NUMBER_SIZE_AT: Final = 10
INSTRUCTION_BYTES: Final = 4
FOUR_SIZES: Final = 4

# The kinds of constants.
NIL: Final = 0
BOOLEAN: Final = 1
NUMBER: Final = 3

# An instruction's lowest bits are its operation, the next its register A, and the highest its register B.
OP_GETGLOBAL: Final = 5
OP_GETTABLE: Final = 6
OP_JMP: Final = 22
OP_EQ: Final = 23
OP_LE: Final = 25
OP_CALL: Final = 28
OP_TAILCALL: Final = 29
OP_MASK: Final = 0x3F
A_SHIFT: Final = 6
A_MASK: Final = 0xFF
B_SHIFT: Final = 23
# Whose A is no register.
WITHOUT_REGISTER: Final = frozenset((OP_JMP, *range(OP_EQ, OP_LE + 1)))


def without_tail_calls(code: bytes) -> bytes:
    """What `string.dump` made of a chunk, with ordinary calls where a frame is to be kept."""
    chunk = Chunk(code)
    chunk.function(HEADER_BYTES, is_main=True)
    return bytes(chunk.changed)


class Chunk:
    """A dumped chunk that is being changed."""

    def __init__(self, code: bytes) -> None:
        self.changed = bytearray(code)
        self.view = memoryview(code)
        self.is_little = code[LITTLE_ENDIAN_AT] == 1
        self.int_bytes = code[INT_SIZE_AT]
        self.size_bytes = code[SIZE_T_SIZE_AT]
        self.number_bytes = code[NUMBER_SIZE_AT]

    def _number(self, place: int, size: int) -> int:
        return int.from_bytes(self.view[place : place + size], "little" if self.is_little else "big")

    def _count(self, place: int) -> tuple[int, int]:
        """The number at a place, and the place behind it."""
        return self._number(place, self.int_bytes), place + self.int_bytes

    def _skip_string(self, place: int) -> int:
        return place + self.size_bytes + self._number(place, self.size_bytes)

    def function(self, place: int, is_main: bool = False) -> int:
        """Changes the function at a place and those in it, and answers the place behind it."""
        place = self._skip_string(place) + 2 * self.int_bytes + FOUR_SIZES
        count, place = self._count(place)
        self._change(place, count, is_main)
        place = self._skip_constants(place + count * INSTRUCTION_BYTES)
        count, place = self._count(place)
        for _ in range(count):
            place = self.function(place)
        count, place = self._count(place)
        place += count * self.int_bytes
        count, place = self._count(place)
        for _ in range(count):
            place = self._skip_string(place) + 2 * self.int_bytes
        count, place = self._count(place)
        for _ in range(count):
            place = self._skip_string(place)
        return place

    def _skip_constants(self, place: int) -> int:
        count, place = self._count(place)
        for _ in range(count):
            kind = self.view[place]
            place += 1
            if kind == NUMBER:
                place += self.number_bytes
            elif kind == BOOLEAN:
                place += 1
            elif kind != NIL:
                place = self._skip_string(place)
        return place

    def _change(self, start: int, count: int, every: bool) -> None:
        lowest = 0 if self.is_little else INSTRUCTION_BYTES - 1
        code = self.changed
        for at in range(start, start + count * INSTRUCTION_BYTES, INSTRUCTION_BYTES):
            byte = code[at + lowest]
            if byte & OP_MASK == OP_TAILCALL and (every or self._calls_global(start, at)):
                code[at + lowest] = byte & ~OP_MASK & 0xFF | OP_CALL

    def _calls_global(self, start: int, at: int) -> bool:
        """Whether the call at a place is of a global, or of one's field: going back, what has filled its register?"""
        register = self._number(at, INSTRUCTION_BYTES) >> A_SHIFT & A_MASK
        while at > start:
            at -= INSTRUCTION_BYTES
            instruction = self._number(at, INSTRUCTION_BYTES)
            operation = instruction & OP_MASK
            if instruction >> A_SHIFT & A_MASK != register or operation in WITHOUT_REGISTER:
                continue
            if operation != OP_GETTABLE:
                return operation == OP_GETGLOBAL
            register = instruction >> B_SHIFT
        return False
