"""A writer of the compact sequences that servers had before Redis 7: ziplists and zipmaps."""

from __future__ import annotations

from alcove.numeric import try_int


def ziplist(*elements: bytes, long_sizes: bool = False) -> bytes:
    """A ziplist; with `long_sizes` the size of the entry before takes five bytes even where one would do."""
    entries = b""
    last = 10
    before = 0
    for element in elements:
        last = 10 + len(entries)
        size = bytes((before,)) if before < 254 and not long_sizes else b"\xfe" + before.to_bytes(4, "little")
        entry = size + ziplist_element(element)
        before = len(entry)
        entries += entry
    total = 11 + len(entries)
    head = total.to_bytes(4, "little") + last.to_bytes(4, "little") + min(len(elements), 65535).to_bytes(2, "little")
    return head + entries + b"\xff"


def ziplist_element(element: bytes) -> bytes:
    number = try_int(element)
    if number is not None:
        if 0 <= number <= 12:
            return bytes((0xF1 + number,))
        for kind, width in ((0xFE, 1), (0xC0, 2), (0xF0, 3), (0xD0, 4), (0xE0, 8)):
            if -(1 << 8 * width - 1) <= number < 1 << 8 * width - 1:
                return bytes((kind,)) + number.to_bytes(width, "little", signed=True)
    size = len(element)
    if size < 1 << 6:
        return bytes((size,)) + element
    if size < 1 << 14:
        return bytes((0x40 | size >> 8, size & 0xFF)) + element
    return b"\x80" + size.to_bytes(4, "big") + element


def zipmap(*pairs: bytes, unused: int = 0) -> bytes:
    """A zipmap of fields and values by turns, with so many unused bytes behind each value."""
    out = bytearray((min(len(pairs) // 2, 254),))
    for place, word in enumerate(pairs):
        out += bytes((len(word),)) if len(word) < 254 else b"\xfe" + len(word).to_bytes(4, "little")
        if place % 2:
            out.append(unused)
        out += word
        if place % 2:
            out += b"?" * unused
    out.append(0xFF)
    return bytes(out)
