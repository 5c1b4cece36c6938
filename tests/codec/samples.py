"""Values of every type in every encoding, as the commands that make them, and what there is to see of a value."""

from __future__ import annotations

from functools import cache
from typing import Any

from alcove.types.hash import Hash
from alcove.types.list import List
from alcove.types.set import Set
from alcove.types.sorted_set import SortedSet
from alcove.types.stream import Stream
from alcove.types.stream_id import LAST, ZERO
from tests.commands.watched import Watched

Commands = list[list[bytes]]

WORD = b"Alcove keeps what it is given. "
BINARY = bytes(range(256))
# Texts that are integers in no, one, two, four, eight and more bytes, or look like one and are none.
NUMBERS = [
    b"0", b"-1", b"12", b"127", b"128", b"-129", b"4095", b"-4096", b"4096", b"32767", b"-32769", b"8388607",
    b"-8388609", b"2147483647", b"-2147483649", b"9223372036854775807", b"-9223372036854775808",
    b"9223372036854775808", b"-0", b"007", b"+1", b"1e3", b" 1", b"1.0",
]  # fmt: skip
# Elements at the bounds of the encodings of strings.
SIZES = [b"", b"a", b"b" * 63, b"c" * 64, WORD * 4, b"d" * 4095, b"e" * 4096]


def many(word: str, count: int) -> list[bytes]:
    return [b"%s:%d" % (word.encode(), number) for number in range(count)]


def pairs(fields: list[bytes], values: list[bytes]) -> list[bytes]:
    return [word for pair in zip(fields, values, strict=True) for word in pair]


def strings() -> dict[str, Commands]:
    texts = {"empty": b"", "word": b"word", "long": WORD * 100, "binary": BINARY, "longest_integer": b"-2147483648"}
    texts |= {f"number_{place}": number for place, number in enumerate(NUMBERS)}
    return {f"string_{name}": [[b"SET", b"k", text]] for name, text in texts.items()} | {
        "string_edited": [[b"SET", b"k", WORD], [b"APPEND", b"k", BINARY], [b"SETRANGE", b"k", b"400", b"end"]]
    }


def lists() -> dict[str, Commands]:
    return {
        "list_small": [[b"RPUSH", b"k", b"a", b"", b"1", BINARY]],
        "list_numbers": [[b"RPUSH", b"k", *NUMBERS]],
        "list_sizes": [[b"RPUSH", b"k", *SIZES]],
        "list_nodes": [[b"RPUSH", b"k", *many("element", 3000)], [b"LPUSH", b"k", *NUMBERS]],
        "list_plain": [[b"RPUSH", b"k", b"x" * 9000, b"a", BINARY * 80, b"b", WORD * 700]],
        "list_one_plain": [[b"RPUSH", b"k", b"y" * 20_000]],
    }


def sets() -> dict[str, Commands]:
    return {
        "set_16": [[b"SADD", b"k", b"1", b"-32768", b"32767"]],
        "set_32": [[b"SADD", b"k", b"1", b"-32769", b"70000"]],
        "set_64": [[b"SADD", b"k", b"9223372036854775807", b"-9223372036854775808", b"0"]],
        "set_ints": [[b"SADD", b"k", *[b"%d" % (number * 7) for number in range(400)]]],
        "set_words": [[b"SADD", b"k", b"a", b"", b"1", b"-5", BINARY[:60]]],
        "set_numbers": [[b"SADD", b"k", *NUMBERS]],
        "set_table": [[b"SADD", b"k", *many("member", 700)]],
        "set_long": [[b"SADD", b"k", WORD * 10, b"1"]],
        "set_many_ints": [[b"SADD", b"k", *[b"%d" % number for number in range(600)]]],
    }


def sorted_sets() -> dict[str, Commands]:
    scores = [b"0", b"-1", b"1.5", b"0.1", b"inf", b"-inf", b"1e100", b"-1e-5", b"9007199254740993", b"3", b"3", b"3"]
    return {
        "zset_scores": [[b"ZADD", b"k", *pairs(scores, many("m", len(scores)))]],
        "zset_numbers": [[b"ZADD", b"k", *pairs([b"7"] * len(NUMBERS), NUMBERS)]],
        "zset_table": [[b"ZADD", b"k", *pairs([b"%d.25" % (n % 50) for n in range(900)], many("member", 900))]],
        "zset_long": [[b"ZADD", b"k", b"-0", WORD * 5, b"1", b""]],
    }


def hashes() -> dict[str, Commands]:
    return {
        "hash_small": [[b"HSET", b"k", b"f", b"v", b"", b"", b"1", b"2", b"binary", BINARY[:60]]],
        "hash_numbers": [[b"HSET", b"k", *pairs(NUMBERS, NUMBERS[::-1])]],
        "hash_full": [[b"HSET", b"k", *pairs(many("f", 500), many("v", 500))]],
        "hash_table": [[b"HSET", b"k", *pairs(many("field", 2000), many("value", 2000))]],
        "hash_long": [[b"HSET", b"k", b"f", WORD * 20, BINARY, b"1"]],
    }


def streams() -> dict[str, Commands]:
    entries = [[b"XADD", b"k", b"%d-%d" % (n // 3 + 1, n % 3), b"name", b"value %d" % n, b"n", b"%d" % n]
               for n in range(250)]  # fmt: skip
    other = [[b"XADD", b"k", b"1000-*", *pairs(NUMBERS, SIZES[:3] * 8)], [b"XADD", b"k", b"1000-7", BINARY, WORD * 200]]
    group = [[b"XGROUP", b"CREATE", b"k", b"g", b"0"], [b"XGROUP", b"CREATE", b"k", b"idle", b"$"]]
    group += [[b"XGROUP", b"CREATE", b"k", BINARY, b"5-1"], [b"XGROUP", b"CREATECONSUMER", b"k", b"g", b"lazy"]]
    reads = [[b"XREADGROUP", b"GROUP", b"g", name, b"COUNT", count, b"STREAMS", b"k", b">"]
             for name, count in ((b"alice", b"20"), (b"bob", b"9"), (b"alice", b"5"))]  # fmt: skip
    reads += [[b"XACK", b"k", b"g", b"2-1", b"3-0"], [b"XCLAIM", b"k", b"g", b"bob", b"0", b"4-1", b"RETRYCOUNT", b"9"]]
    gone = [[b"XDEL", b"k", b"1-0", b"1-1", b"7-2", b"84-0"], [b"XTRIM", b"k", b"MINID", b"4-0"]]
    return {
        "stream_one": [entries[5]],
        "stream_nodes": [*entries, *other],
        "stream_groups": [*entries, *group, *reads],
        "stream_gaps": [*entries, *group, *reads, *gone],
        "stream_emptied": [entries[0], entries[1], [b"XDEL", b"k", b"1-0", b"1-1"]],
        "stream_made_empty": [[b"XGROUP", b"CREATE", b"k", b"g", b"$", b"MKSTREAM"]],
        "stream_set_id": [*entries[:3], [b"XSETID", b"k", b"9999-18446744073709551615", b"ENTRIESADDED", b"500"]],
    }


SAMPLES: dict[str, Commands] = strings() | lists() | sets() | sorted_sets() | hashes() | streams()


def made(name: str) -> Any:
    """The value that a sample's commands make."""
    run = Watched()
    for command in SAMPLES[name]:
        reply = run(*command)
        assert not isinstance(reply, str), reply
    return run.value("k")


@cache
def kept(name: str) -> Any:
    """As `made`, for who leaves the value as it is."""
    return made(name)


def content(value: Any) -> Any:
    """What there is to see of a value."""
    if isinstance(value, bytes | bytearray):
        return bytes(value)
    value._check()
    if type(value) is List:
        return value.range(0, len(value))
    if type(value) is Set:
        return sorted(value.members())
    if type(value) is SortedSet:
        return value.pairs(0, len(value))
    if type(value) is Hash:
        return dict(zip(value.fields(), value.values(), strict=True)), value.deadlines()
    return stream_content(value)


def stream_content(stream: Stream) -> Any:
    counters = stream.last_id, stream.first_id, stream.max_deleted_id, stream.entries_added
    groups = []
    for group in stream.groups():
        consumers = []
        for consumer in group.consumers():
            ids = consumer.pending.page(ZERO, 1 << 30)
            records = [(group.pending.get(each) or b"")[:32] for each in ids]
            consumers.append((consumer.name, consumer.seen_ms, consumer.active_ms, records))
        groups.append((group.name, group.last_id, group.entries_read, consumers))
    return stream.range(ZERO, LAST), counters, groups
