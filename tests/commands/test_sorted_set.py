"""The sorted set commands: examples of the documentation, what is recorded, events, waiting, and the edges."""

from __future__ import annotations

import random
from typing import Any

import pytest

from alcove.engine.session import Session
from alcove.values import NULL_ARRAY, Pairs
from tests.commands.watched import Watched

SYNTAX = "ERR syntax error"
NOT_A_FLOAT = "ERR value is not a valid float"
NOT_AN_INTEGER = "ERR value is not an integer or out of range"
WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"


@pytest.fixture
def run() -> Watched:
    return Watched()


@pytest.fixture
def abc(run: Watched) -> Watched:
    """A sorted set `z` of a, b and c."""
    run("ZADD z 1 a 2 b 3 c")
    return run


class Waiter:
    """A second session, which may wait, and the replies that come late."""

    def __init__(self, run: Watched) -> None:
        self.engine = run.engine
        self.session: Session = run.engine.connect("embedded")
        self.late: list[Any] = []
        self.session.deliver = self.late.append

    def __call__(self, text: str) -> Any:
        return self.engine.execute(self.session, [word.encode() for word in text.split()])


# Adding and removing


def test_zadd(run: Watched) -> None:
    assert run("ZADD z 1 a") == 1
    assert (run.events, run.changes) == (["new z", "zadd z"], 1)
    assert run.recorded == [[b"ZADD", b"z", b"1", b"a"]]
    assert run("ZADD z 1 a") == 0
    assert (run.events, run.changes, run.recorded) == ([], 0, [])
    assert run("ZADD z 2 a") == 0
    assert (run.events, run.changes) == (["zadd z"], 1)
    assert run("ZADD z CH 3 a 1 b 2 c") == 3
    assert (run.events, run.changes) == (["zadd z"], 3)
    assert run("ZRANGE z 0 -1 WITHSCORES") == [(b"b", 1.0), (b"c", 2.0), (b"a", 3.0)]


def test_zadd_on_conditions(abc: Watched) -> None:
    assert abc("ZADD z NX 9 a 9 d") == 1
    assert abc("ZADD z XX CH 8 a 8 e") == 1
    assert abc("ZADD z GT CH 1 a 10 b 5 f") == 2
    assert abc("ZADD z LT CH 100 a 4 b") == 1
    assert abc("ZRANGE z 0 -1 WITHSCORES") == [(b"c", 3.0), (b"b", 4.0), (b"f", 5.0), (b"a", 8.0), (b"d", 9.0)]
    assert abc("ZADD none XX 1 a") == 0
    assert abc("EXISTS none") == 0


def test_zadd_incr(abc: Watched) -> None:
    assert abc("ZADD z INCR 5 a") == 6.0
    assert (abc.events, abc.changes) == (["zincr z"], 1)
    assert abc("ZADD z NX INCR 5 a") is None
    assert abc("ZADD z XX INCR 5 new") is None
    assert abc("ZADD z GT INCR -1 a") is None
    assert abc("ZADD z INCR 0 a") == 6.0
    assert (abc.events, abc.changes) == ([], 0)
    assert abc("ZADD none XX INCR 1 a") is None


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("ZADD z NX XX 1 a", "ERR XX and NX options at the same time are not compatible"),
        ("ZADD z GT LT 1 a", "ERR GT, LT, and/or NX options at the same time are not compatible"),
        ("ZADD z NX LT 1 a", "ERR GT, LT, and/or NX options at the same time are not compatible"),
        ("ZADD z INCR 1 a 2 b", "ERR INCR option supports a single increment-element pair"),
        ("ZADD z 1 a 2", SYNTAX),
        ("ZADD z NX CH", SYNTAX),
        ("ZADD z 1 a x b", NOT_A_FLOAT),
        ("ZADD z nan a", NOT_A_FLOAT),
        ("ZADD z 1_0 a", NOT_A_FLOAT),
        ("ZINCRBY z nx a", SYNTAX),
        ("ZINCRBY z x a", NOT_A_FLOAT),
    ],
)
def test_errors_of_zadd_leave_no_key(run: Watched, command: str, error: str) -> None:
    assert run(command) == error
    assert run("EXISTS z") == 0


def test_infinite_scores(run: Watched) -> None:
    run("ZADD z inf a -inf b")
    assert run("ZINCRBY z -inf a") == "ERR resulting score is not a number (NaN)"
    assert run("ZINCRBY z 100 a") == float("inf")
    assert run("ZRANGEBYSCORE z -inf (inf") == [b"b"]


def test_zincrby(run: Watched) -> None:
    assert run("ZINCRBY z 1.5 a") == 1.5
    assert run.events == ["new z", "zincr z"]
    assert run.recorded == [[b"ZINCRBY", b"z", b"1.5", b"a"]]
    assert run("ZINCRBY z -0.5 a") == 1.0


def test_zrem(abc: Watched) -> None:
    assert abc("ZREM z a x a") == 1
    assert (abc.events, abc.changes) == (["zrem z"], 1)
    assert abc("ZREM z x") == 0
    assert abc.recorded == []
    assert abc("ZREM z b c") == 2
    assert abc.events == ["zrem z", "del z"]
    assert abc("ZREM z b") == 0


def test_encodings(run: Watched) -> None:
    run("CONFIG SET zset-max-listpack-entries 3 zset-max-listpack-value 5")
    run("ZADD z 1 a 2 b 3 c")
    assert run("OBJECT ENCODING z") == b"listpack"
    run("ZADD z 4 d")
    assert run("OBJECT ENCODING z") == b"skiplist"
    run("ZREM z a b c")
    assert run("OBJECT ENCODING z") == b"skiplist"
    run("ZADD long 1 123456")
    assert run("OBJECT ENCODING long") == b"skiplist"
    run("ZADD same 1 a 2 a 3 a 4 a")
    assert run("OBJECT ENCODING same") == b"skiplist"
    run("ZUNIONSTORE z2 1 z")
    assert run("OBJECT ENCODING z2") == b"listpack"


def test_minus_zero_is_kept_by_the_large_form_alone(run: Watched) -> None:
    run("ZADD small -0 a")
    assert str(run("ZSCORE small a")) == "0.0"
    run("CONFIG SET zset-max-listpack-entries 0")
    run("ZADD large -0 a")
    assert str(run("ZSCORE large a")) == "-0.0"


# Asking


def test_scores_and_ranks(abc: Watched) -> None:
    assert abc("ZCARD z") == 3
    assert abc("ZCARD none") == 0
    assert abc("ZSCORE z b") == 2.0
    assert abc("ZSCORE z x") is None
    assert abc("ZMSCORE z b x a") == [2.0, None, 1.0]
    assert abc("ZMSCORE none b x") == [None, None]
    assert abc("ZRANK z b") == 1
    assert abc("ZREVRANK z a") == 2
    assert abc("ZRANK z b WITHSCORE") == [1, 2.0]
    assert abc("ZREVRANK z a withscore") == [2, 1.0]
    assert abc("ZRANK z x") is None
    assert abc("ZRANK z x WITHSCORE") is NULL_ARRAY
    assert abc("ZRANK none x WITHSCORE") is NULL_ARRAY
    assert abc("ZRANK z b WITHSCORES") == SYNTAX
    assert abc("ZREVRANK z b WITHSCORE x") == "ERR wrong number of arguments for 'zrevrank' command"


# Ranges


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        ("ZRANGE z 0 -1", [b"a", b"b", b"c"]),
        ("ZRANGE z 1 1", [b"b"]),
        ("ZRANGE z -2 100", [b"b", b"c"]),
        ("ZRANGE z 2 1", []),
        ("ZRANGE z 3 9", []),
        ("ZRANGE none 0 -1", []),
        ("ZRANGE z 0 1 REV", [b"c", b"b"]),
        ("ZRANGE z 0 1 LIMIT 1 -1", [b"a", b"b"]),
        ("ZREVRANGE z 0 0 WITHSCORES", [(b"c", 3.0)]),
        ("ZRANGE z (1 3 BYSCORE", [b"b", b"c"]),
        ("ZRANGE z 3 (1 BYSCORE REV", [b"c", b"b"]),
        ("ZRANGE z 3 1 BYSCORE", []),
        ("ZRANGE z -inf +inf BYSCORE LIMIT 1 1", [b"b"]),
        ("ZRANGE z +inf -inf BYSCORE REV LIMIT 1 5", [b"b", b"a"]),
        ("ZRANGEBYSCORE z 1 2 WITHSCORES", [(b"a", 1.0), (b"b", 2.0)]),
        ("ZRANGEBYSCORE z 1 3 LIMIT 0 -1", [b"a", b"b", b"c"]),
        ("ZRANGEBYSCORE z 1 3 LIMIT 0 0", []),
        ("ZRANGEBYSCORE z 1 3 LIMIT -1 2", []),
        ("ZRANGEBYSCORE z 1 3 LIMIT 9223372036854775807 9223372036854775807", []),
        ("ZREVRANGEBYSCORE z 3 2 LIMIT 1 1", [b"b"]),
        ("ZCOUNT z (1 +inf", 2),
        ("ZCOUNT z 3 1", 0),
        ("ZCOUNT none 1 3", 0),
    ],
)
def test_ranges(abc: Watched, command: str, reply: object) -> None:
    assert abc(command) == reply
    assert abc.changes == 0


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        ("ZRANGEBYLEX z - +", [b"a", b"b", b"c", b"d"]),
        ("ZRANGEBYLEX z [b (d", [b"b", b"c"]),
        ("ZRANGEBYLEX z (b [d LIMIT 1 1", [b"d"]),
        ("ZRANGEBYLEX z + -", []),
        ("ZREVRANGEBYLEX z (d -", [b"c", b"b", b"a"]),
        ("ZRANGE z [c - BYLEX REV", [b"c", b"b", b"a"]),
        ("ZLEXCOUNT z [bb +", 2),
        ("ZLEXCOUNT z (a [a", 0),
        ("ZREMRANGEBYLEX z [b [c", 2),
    ],
)
def test_ranges_of_members(run: Watched, command: str, reply: object) -> None:
    run("ZADD z 0 a 0 b 0 c 0 d")
    assert run(command) == reply


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("ZRANGE z x 1", NOT_AN_INTEGER),
        ("ZRANGE z (1 2", NOT_AN_INTEGER),
        (
            "ZRANGE z 0 1 LIMIT 0 1",
            "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
        ),
        ("ZRANGE z - + BYLEX WITHSCORES", "ERR syntax error, WITHSCORES not supported in combination with BYLEX"),
        ("ZRANGE z 0 1 BYSCORE BYLEX", SYNTAX),
        ("ZRANGE z 0 1 BYSCORE LIMIT 0", SYNTAX),
        ("ZREVRANGE z 0 1 REV", SYNTAX),
        ("ZRANGEBYSCORE z 0 1 BYSCORE", SYNTAX),
        ("ZRANGESTORE d z 0 1 WITHSCORES", SYNTAX),
        ("ZRANGEBYSCORE z x 1", "ERR min or max is not a float"),
        ("ZCOUNT z nan 1", "ERR min or max is not a float"),
        ("ZRANGEBYLEX z a b", "ERR min or max not valid string range item"),
        ("ZLEXCOUNT z +x -", "ERR min or max not valid string range item"),
    ],
)
def test_errors_of_ranges(abc: Watched, command: str, error: str) -> None:
    assert abc(command) == error


def test_bounds_are_read_as_c_reads_them(abc: Watched) -> None:
    assert abc(b"ZCOUNT", b"z", b"", b"1") == 1
    assert abc(b"ZCOUNT", b"z", b"(", b" 2") == 2
    assert abc(b"ZCOUNT", b"z", b"1\x00x", b"+inf") == 3
    assert abc(b"ZCOUNT", b"z", b" ", b"1") == "ERR min or max is not a float"


def test_zrangestore(abc: Watched) -> None:
    assert abc("ZRANGESTORE d z 0 1") == 2
    assert (abc.events, abc.changes) == (["new d", "zrangestore d"], 1)
    assert abc("ZRANGE d 0 -1 WITHSCORES") == [(b"a", 1.0), (b"b", 2.0)]
    assert abc("ZRANGESTORE z z (1 +inf BYSCORE LIMIT 1 1") == 1
    assert abc("ZRANGE z 0 -1") == [b"c"]
    assert abc("ZRANGESTORE d none 0 -1") == 0
    assert abc.events == ["keymiss none", "del d"]
    assert abc("ZRANGESTORE d none 0 -1") == 0
    assert abc.changes == 0


def test_zremrange(abc: Watched) -> None:
    assert abc("ZREMRANGEBYRANK z 0 0") == 1
    assert (abc.events, abc.changes) == (["zremrangebyrank z"], 1)
    assert abc("ZREMRANGEBYSCORE z (2 3") == 1
    assert abc.events == ["zremrangebyscore z"]
    assert abc("ZREMRANGEBYSCORE z 5 6") == 0
    assert abc.changes == 0
    assert abc("ZREMRANGEBYLEX z - +") == 1
    assert abc.events == ["zremrangebylex z", "del z"]
    assert abc("ZREMRANGEBYRANK z 0 -1") == 0


# Taking from the ends


def test_zpop(abc: Watched) -> None:
    assert abc("ZPOPMIN z") == [b"a", 1.0]
    assert (abc.events, abc.changes) == (["zpopmin z"], 1)
    reply = abc("ZPOPMAX z 5")
    assert (type(reply), reply) == (Pairs, [(b"c", 3.0), (b"b", 2.0)])
    assert abc.events == ["zpopmax z", "del z"]
    assert abc.recorded == [[b"ZPOPMAX", b"z", b"5"]]
    assert abc("ZPOPMIN z") == []
    assert abc("ZPOPMIN z 1 2") == SYNTAX
    for bad in ("-1", "x", "9223372036854775808"):
        assert abc(f"ZPOPMIN z {bad}") == "ERR value is out of range, must be positive"


def test_zmpop(abc: Watched) -> None:
    assert abc("ZMPOP 2 none z MIN COUNT 2") == [b"z", [[b"a", 1.0], [b"b", 2.0]]]
    assert abc.recorded == [[b"ZPOPMIN", b"z", b"2"]]
    assert abc("ZMPOP 1 z max") == [b"z", [[b"c", 3.0]]]
    assert abc.recorded == [[b"ZPOPMAX", b"z", b"1"]]
    assert abc.events == ["zpopmax z", "del z"]
    assert abc("ZMPOP 1 z MAX") is NULL_ARRAY
    assert abc("ZMPOP 0 z MAX") == "ERR numkeys should be greater than 0"
    assert abc("ZMPOP 9223372036854775807 z MAX") == SYNTAX
    assert abc("ZMPOP 1 z MID") == SYNTAX
    assert abc("ZMPOP 1 z MIN COUNT 0") == "ERR count should be greater than 0"
    assert abc("ZMPOP 1 z MIN COUNT 1 COUNT 1") == SYNTAX
    abc("SET s x")
    assert abc("ZMPOP 2 none s MIN") == WRONG_TYPE


def test_bzpop_answers_at_once_if_it_can(abc: Watched) -> None:
    assert abc("BZPOPMIN none z 0") == [b"z", b"a", 1.0]
    assert abc.recorded == [[b"ZPOPMIN", b"z", b"1"]]
    assert abc("BZMPOP 0 2 none z MAX COUNT 5") == [b"z", [[b"c", 3.0], [b"b", 2.0]]]
    assert abc.recorded == [[b"ZPOPMAX", b"z", b"2"]]


def test_bzpop_waits(run: Watched) -> None:
    first, second = Waiter(run), Waiter(run)
    first("BZPOPMAX a b 0")
    second("BZMPOP 0 1 b MIN")
    run("SET b text")
    assert (first.late, second.late) == ([], [])
    run("DEL b")
    run("ZADD b 1 x 2 y 3 z")
    assert first.late == [[b"b", b"z", 3.0]]
    assert second.late == [[b"b", [[b"x", 1.0]]]]
    assert run.recorded == [
        [b"ZADD", b"b", b"1", b"x", b"2", b"y", b"3", b"z"],
        [b"ZPOPMAX", b"b", b"1"],
        [b"ZPOPMIN", b"b", b"1"],
    ]
    assert run("ZRANGE b 0 -1") == [b"y"]


def test_bzpop_times_out(run: Watched) -> None:
    waiter = Waiter(run)
    waiter("BZPOPMIN a 0.0015")
    run.clock.advance(0.001)
    run.engine.tick()
    assert waiter.late == []
    run.clock.advance(0.001)
    run.engine.tick()
    assert waiter.late == [NULL_ARRAY]


def test_bzpop_does_not_wait_in_a_transaction(run: Watched) -> None:
    run("MULTI")
    run("BZPOPMIN a 0")
    run("BZMPOP 0 1 a MAX")
    assert run("EXEC") == [NULL_ARRAY, NULL_ARRAY]


@pytest.mark.parametrize(
    ("timeout", "error"),
    [
        ("x", "ERR timeout is not a float or out of range"),
        ("1e5000", "ERR timeout is not a float or out of range"),
        ("-1", "ERR timeout is negative"),
        ("-inf", "ERR timeout is negative"),
        ("inf", "ERR timeout is out of range"),
        ("1e400", "ERR timeout is out of range"),
        ("9223372036854775", "ERR timeout is out of range"),
    ],
)
def test_timeouts(run: Watched, timeout: str, error: str) -> None:
    assert run(f"BZPOPMIN a {timeout}") == error
    assert run(f"BZMPOP {timeout} 1 a MIN") == error


# By chance and by cursor


def test_zrandmember(abc: Watched) -> None:
    assert abc("ZRANDMEMBER z") in (b"a", b"b", b"c")
    assert abc("ZRANDMEMBER none") is None
    assert abc("ZRANDMEMBER none 3") == []
    assert abc("ZRANDMEMBER z 0") == []
    assert sorted(abc("ZRANDMEMBER z 9")) == [b"a", b"b", b"c"]
    assert len(set(abc("ZRANDMEMBER z 2"))) == 2
    assert len(abc("ZRANDMEMBER z -20")) == 20
    reply = abc("ZRANDMEMBER z -5 WITHSCORES")
    assert type(reply) is Pairs
    assert all((member, score) in {(b"a", 1.0), (b"b", 2.0), (b"c", 3.0)} for member, score in reply)


def test_counts_of_zrandmember(abc: Watched) -> None:
    assert abc("ZRANDMEMBER z x") == NOT_AN_INTEGER
    limits = "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807"
    assert abc("ZRANDMEMBER z -9223372036854775808") == limits
    assert abc("ZRANDMEMBER z 9223372036854775807 WITHSCORES") == "ERR value is out of range"
    assert abc("ZRANDMEMBER z -9223372036854775807 WITHSCORES") == "ERR value is out of range"
    assert abc("ZRANDMEMBER z -9223372036854775807") == "ERR value is out of range"
    assert abc("ZRANDMEMBER z 1 foo") == SYNTAX
    assert abc("ZRANDMEMBER z 1 WITHSCORES x") == SYNTAX


def test_every_member_has_a_chance(run: Watched) -> None:
    for at in range(200):
        run(f"ZADD z {at} m{at}")
    seen = {member for _ in range(40) for member in run("ZRANDMEMBER z 50")}
    assert len(seen) == 200


def test_zscan_of_a_small_set_answers_all(abc: Watched) -> None:
    assert abc("ZSCAN z 0 COUNT 1") == [b"0", [b"a", b"1", b"b", b"2", b"c", b"3"]]
    assert abc("ZSCAN z 0 NOSCORES MATCH [ab]") == [b"0", [b"a", b"b"]]
    assert abc(b"ZSCAN", b"z", b"0", b"MATCH", b"") == [b"0", []]
    assert abc("ZSCAN none 0 BAD") == [b"0", []]
    assert abc("ZSCAN z 0 BAD") == SYNTAX
    assert abc("ZSCAN z 0 COUNT 0") == SYNTAX
    assert abc("ZSCAN z x") == "ERR invalid cursor"


def test_zscan_misses_nothing_that_stays(run: Watched) -> None:
    rng = random.Random(1)
    for at in range(1000):
        run(f"ZADD z {at} m{at}")
    seen: dict[bytes, bytes] = {}
    cursor = b"0"
    gone = [f"m{at}" for at in range(0, 1000, 3)]
    rng.shuffle(gone)
    while True:
        cursor, found = run("ZSCAN", "z", cursor, "COUNT", "30")
        assert len(found) <= 60
        seen.update(zip(found[::2], found[1::2], strict=True))
        if cursor == b"0":
            break
        for _ in range(8):
            run("ZREM", "z", gone.pop())
        run(f"ZADD z {rng.random()} new{rng.random()}")
    stayed = {b"m%d" % at: b"%d" % at for at in range(1000) if at % 3}
    assert stayed.items() <= seen.items()


# Combining


@pytest.fixture
def two(run: Watched) -> Watched:
    run("ZADD x 1 a 2 b 3 c")
    run("ZADD y 10 b 20 c 30 d")
    run("SADD s b d e")
    run("SET text t")
    return run


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        ("ZUNION 2 x y WITHSCORES", [(b"a", 1.0), (b"b", 12.0), (b"c", 23.0), (b"d", 30.0)]),
        ("ZUNION 2 x y", [b"a", b"b", b"c", b"d"]),
        (
            "ZUNION 2 x y WEIGHTS 10 1 AGGREGATE MAX WITHSCORES",
            [(b"a", 10.0), (b"b", 20.0), (b"c", 30.0), (b"d", 30.0)],
        ),
        ("ZUNION 2 s x WITHSCORES", [(b"a", 1.0), (b"d", 1.0), (b"e", 1.0), (b"b", 3.0), (b"c", 3.0)]),
        ("ZUNION 1 none", []),
        ("ZINTER 2 x y AGGREGATE MIN WITHSCORES", [(b"b", 2.0), (b"c", 3.0)]),
        ("ZINTER 3 x y s WEIGHTS 1 1 100 WITHSCORES", [(b"b", 112.0)]),
        ("ZINTER 2 x x WITHSCORES", [(b"a", 2.0), (b"b", 4.0), (b"c", 6.0)]),
        ("ZINTER 2 x none", []),
        ("ZDIFF 2 x y WITHSCORES", [(b"a", 1.0)]),
        ("ZDIFF 3 y s none", [b"c"]),
        ("ZDIFF 2 none x", []),
        ("ZINTERCARD 2 x y", 2),
        ("ZINTERCARD 2 x y LIMIT 1", 1),
        ("ZINTERCARD 2 x y LIMIT 0", 2),
    ],
)
def test_combining(two: Watched, command: str, reply: object) -> None:
    assert two(command) == reply
    assert two.changes == 0


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("ZUNION 0 x", "ERR at least 1 input key is needed for 'zunion' command"),
        ("ZINTERSTORE d -1 x", "ERR at least 1 input key is needed for 'zinterstore' command"),
        ("ZDIFF x x", NOT_AN_INTEGER),
        ("ZUNION 3 x y", SYNTAX),
        ("ZUNION 2 x text", WRONG_TYPE),
        ("ZUNION 2 x y WEIGHTS 1", SYNTAX),
        ("ZUNION 2 x y WEIGHTS 1 x", "ERR weight value is not a float"),
        ("ZUNION 2 x y AGGREGATE AVG", SYNTAX),
        ("ZUNIONSTORE d 2 x y WITHSCORES", SYNTAX),
        ("ZDIFF 2 x y WEIGHTS 1 1", SYNTAX),
        ("ZINTERCARD 2 x y WITHSCORES", SYNTAX),
        ("ZINTERCARD 2 x y LIMIT -1", "ERR LIMIT can't be negative"),
    ],
)
def test_errors_of_combining(two: Watched, command: str, error: str) -> None:
    assert two(command) == error


def test_stores(two: Watched) -> None:
    assert two("ZUNIONSTORE d 2 x y") == 4
    assert (two.events, two.changes) == (["new d", "zunionstore d"], 1)
    assert two("EXPIRE d 100") == 1
    assert two("ZINTERSTORE d 2 x y") == 2
    assert two.events == ["zinterstore d"]
    assert two("TTL d") == -1
    assert two("ZDIFFSTORE x 2 x y") == 1
    assert two.events == ["zdiffstore x"]
    assert two("ZDIFFSTORE d 2 x x") == 0
    assert two.events == ["del d"]
    assert two("ZUNIONSTORE text 1 y") == 3


def test_infinities_combined(run: Watched) -> None:
    run("ZADD p inf a")
    run("ZADD n -inf a")
    assert run("ZUNION 2 p n WITHSCORES") == [(b"a", 0.0)]
    assert run("ZUNION 1 p WEIGHTS 0 WITHSCORES") == [(b"a", 0.0)]
    assert run("ZINTER 2 p n WITHSCORES") == [(b"a", 0.0)]
    assert run("ZUNION 2 p n AGGREGATE MIN WITHSCORES") == [(b"a", float("-inf"))]
