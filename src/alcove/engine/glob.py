"""Redis's glob patterns: `*`, `?`, `[abc]`, `[^a-c]` and `\\x`, over bytes.

The matcher remembers only the last `*` and restarts behind it, so its time is bounded by the product of the two
lengths and it never recurses: the classic recursive matcher takes exponential time on `a*a*a*a*b`
(CVE-2022-36021, CVE-2024-31228).
"""

from __future__ import annotations


def matches(pattern: bytes, text: bytes, nocase: bool = False) -> bool:
    """Whether the whole of `text` fits `pattern`.

    As on the real server the empty text fits only the empty pattern, not even `*`: where that is to stand for
    everything, as in KEYS and SCAN, it is not asked of here.
    """
    if len(text) == 0:
        return len(pattern) == 0
    if nocase:
        pattern = pattern.lower()
        text = text.lower()
    return _match(pattern, len(pattern), text, len(text))


def _match(pattern: bytes, plen: int, text: bytes, tlen: int) -> bool:
    """A loop with one place to restart from: behind the last star, one byte of text further on."""
    p = t = 0
    star = resume = -1
    while t < tlen:
        if p < plen:
            sign = pattern[p]
            if sign == 42:  # *
                while p < plen and pattern[p] == 42:
                    p += 1
                if p == plen:
                    return True
                star, resume = p, t
                continue
            if sign == 63:  # ?
                p += 1
                t += 1
                continue
            if sign == 91:  # [
                verdict = _class(pattern, plen, p, text[t])
                if verdict > 0:
                    p = verdict
                    t += 1
                    continue
            else:
                if sign == 92 and p + 1 < plen:  # a backslash takes the next byte as it is
                    p += 1
                    sign = pattern[p]
                if sign == text[t]:
                    p += 1
                    t += 1
                    continue
        if star < 0:
            return False
        resume += 1
        p, t = star, resume
    while p < plen and pattern[p] == 42:
        p += 1
    return p == plen


def _class(pattern: bytes, plen: int, start: int, byte: int) -> int:
    """Whether `byte` is in the class that opens at `start`: the place behind the class if so, its negative if not.

    As on the real server an unclosed class ends with the pattern, and a range may be given in either order.
    """
    p = start + 1
    negated = p < plen and pattern[p] == 94  # ^
    if negated:
        p += 1
    found = False
    while p < plen and pattern[p] != 93:  # ]
        if pattern[p] == 92 and p + 1 < plen:
            p += 1
            found = found or pattern[p] == byte
        elif p + 2 < plen and pattern[p + 1] == 45:  # a range such as a-z
            low, high = pattern[p], pattern[p + 2]
            if low > high:
                low, high = high, low
            found = found or low <= byte <= high
            p += 2
        else:
            found = found or pattern[p] == byte
        p += 1
    behind = p + 1 if p < plen else plen
    return behind if found != negated else -behind
