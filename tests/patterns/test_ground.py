"""What all patterns stand on: keys that no id can break, codecs, and scripts that are applied once."""

from __future__ import annotations

import os
import threading
from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from alcove.patterns import CannotDecode, CannotEncode, InvalidArgument, Keys, Leaderboard, OutcomeUnknown
from alcove.patterns.core.codecs import JSON, MSGPACK, Compressed, Json
from alcove.patterns.core.keys import id_text
from alcove.patterns.core.leaderboard import SUBMIT
from alcove.patterns.core.scripts import Lanes
from alcove.patterns.core.waiting import LONGEST_S, longest_wait
from tests.patterns.conftest import Toolkit
from tests.patterns.places import Embedded

# Keys


@given(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20))
def test_no_two_ids_share_a_key(one: str, other: str) -> None:
    keys = Keys("app")
    assert (keys("user", one) == keys("user", other)) == (one == other)
    assert keys.tagged("user", one).count("{") == keys.tagged("user", one).count("}") == 1
    assert not set(":{}*? \n") & set(id_text(one))


def test_names_by_the_chapters_convention() -> None:
    assert Keys()("user", 1, "profile") == "user:1:profile"
    assert Keys("cache")("user", 1, "timeline") == "cache:user:1:timeline"
    assert Keys("cache").tagged("product", "a:b", "reviews") == "cache:product:{a%3Ab}:reviews"


@pytest.mark.parametrize("wrong", ["", None, 1.5, True, b"x", "x" * 1025])
def test_what_is_no_id(wrong: Any) -> None:
    with pytest.raises(InvalidArgument):
        Keys()("user", wrong)


@pytest.mark.parametrize("wrong", ["", "a b", "a::b", "{x}", ":a", 5])
def test_what_is_no_name(wrong: Any) -> None:
    with pytest.raises(InvalidArgument):
        Keys()(wrong, 1)


# Codecs

# JSON has no infinity.
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize("codec", [JSON, MSGPACK, Compressed(JSON), Compressed(MSGPACK, above=10)])
@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | NUMBERS | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=10,
    )
)
def test_what_is_written_is_read(codec: Any, value: Any) -> None:
    assert codec.decode(codec.encode(value)) == value


def test_what_cannot_be_written_is_refused() -> None:
    for codec in (JSON, MSGPACK, Compressed(JSON)):
        with pytest.raises(CannotEncode):
            codec.encode(object())


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xff", b"\x02abc", b"\x01abc"])
def test_what_is_damaged_is_told(data: bytes) -> None:
    with pytest.raises(CannotDecode):
        Compressed(JSON).decode(data)


def test_what_is_of_another_type_is_told() -> None:
    with pytest.raises(CannotDecode):
        Json(dict[str, int]).decode(b'{"a": "b"}')


def test_a_bomb_is_not_inflated() -> None:
    bomb = Compressed(JSON, at_most=1 << 30).encode("x" * 5_000_000)
    assert len(bomb) < 50_000
    with pytest.raises(CannotDecode, match="larger"):
        Compressed(JSON, at_most=1_000_000).decode(bomb)


# Scripts


def test_a_script_is_sent_again_when_the_server_has_forgotten_it(toolkit: Toolkit) -> None:
    board = toolkit.make("Leaderboard")
    board.update_score("g", "ann", 1)
    toolkit.client.script_flush()
    board.update_score("g", "ann", 2)
    assert board.get_player_rank("g", "ann").score == 2


def test_a_call_that_is_repeated_is_applied_once(toolkit: Toolkit) -> None:
    """What a client does when the connection times out: the very same command once more."""
    keys = [f"leaderboard:{{g}}{tail}" for tail in (":players", "", ":members", ":distinct", ":calls")]
    words = ["high", "time", "", "sum", "5", "ann", "", 0, 0, 0, 0, "lane", 1]
    command = SUBMIT.by_text(keys, words)
    first = toolkit.client.execute_command(*command)
    assert toolkit.client.execute_command(*command) == first
    assert toolkit.client.zcard("leaderboard:{g}") == 1
    words[-1] = 2
    second = toolkit.client.execute_command(*SUBMIT.by_text(keys, words))
    assert [float(second[0]), float(second[1])] == [10.0, 5.0]
    with pytest.raises(redis.ResponseError, match="STALE"):
        toolkit.client.execute_command(*command)


class Forgetful:
    """A client whose connection breaks after the server has done what was asked, as often as it is told."""

    def __init__(self, client: redis.Redis, breaks: int, again: bool) -> None:
        self._client = client
        self._breaks = breaks
        self._again = again

    def execute_command(self, *words: Any, **options: Any) -> Any:
        reply = self._client.execute_command(*words, **options)
        while self._breaks:
            self._breaks -= 1
            if not self._again:
                raise redis.TimeoutError("no answer")
            reply = self._client.execute_command(*words, **options)
        return reply


def test_a_client_that_sends_again_counts_once() -> None:
    with Embedded().client() as client:
        board = Leaderboard(Forgetful(client, 3, again=True))  # type: ignore[arg-type]
        board.increment_score("g", "ann", 5)
        assert board.get_player_rank("g", "ann").score == 5  # type: ignore[union-attr]


def test_a_lost_answer_is_told() -> None:
    with Embedded().client() as client:
        board = Leaderboard(Forgetful(client, 1, again=False))  # type: ignore[arg-type]
        with pytest.raises(OutcomeUnknown) as caught:
            board.increment_score("g", "ann", 5)
        assert isinstance(caught.value, redis.ConnectionError)
        board.increment_score("g", "ann", 5)
        assert board.get_player_rank("g", "ann").score == 10  # type: ignore[union-attr]


def test_lanes_are_as_many_as_calls_at_a_time() -> None:
    lanes = Lanes()
    seen: set[tuple[bytes, bytes]] = set()
    barrier = threading.Barrier(4)

    def call() -> None:
        for _ in range(200):
            lane = lanes.take()
            assert lane.words not in seen
            seen.add(lane.words)
            lanes.give_back(lane)
        barrier.wait()

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 800
    assert len({lane for lane, _ in seen}) <= 4


def test_a_call_without_an_answer_gives_up_its_lane() -> None:
    with Embedded().client() as client:
        forgetful = Forgetful(client, 1, again=False)
        board = Leaderboard(forgetful)  # type: ignore[arg-type]
        with pytest.raises(OutcomeUnknown):
            board.increment_score("g", "ann", 5)
        board.increment_score("g", "ann", 5)
        board.increment_score("g", "ann", 5)
        # The first call is the only one in its lane, the others are in one.
        calls = client.hgetall("leaderboard:{g}:calls").values()
        assert sorted(call.split()[0] for call in calls) == [b"1", b"2"]


def test_a_fork_has_lanes_of_its_own() -> None:
    lanes = Lanes()
    ours = lanes.take()
    lanes.give_back(ours)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, lanes.take().name)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        theirs = pipe.read()
    assert os.waitpid(child, 0)[1] == 0
    assert theirs
    assert theirs != ours.name


def test_old_lanes_are_forgotten(toolkit: Toolkit) -> None:
    if toolkit.unit != 1.0:
        pytest.skip("nobody waits for ten minutes")
    keys = [f"leaderboard:{{g}}{tail}" for tail in (":players", "", ":members", ":distinct", ":calls")]
    for number in range(300):
        words = ["high", "time", "", "sum", "5", "ann", "", 0, 0, 0, 0, f"lane{number}", 1]
        toolkit.client.execute_command(*SUBMIT.by_text(keys, words))
        if number % 50 == 0:
            toolkit.pass_time(500)
    words[-1] = 256
    toolkit.client.execute_command(*SUBMIT.by_text(keys, words))
    assert toolkit.client.hlen("leaderboard:{g}:calls") < 120
    toolkit.pass_time(700)
    assert toolkit.client.exists("leaderboard:{g}:calls") == 0


# Waiting


def test_nobody_waits_longer_than_the_client() -> None:
    assert longest_wait(redis.Redis(socket_timeout=5)) == 3.0
    assert longest_wait(redis.Redis(socket_timeout=None)) == LONGEST_S


def test_clients_of_all_kinds_are_understood(toolkit: Toolkit) -> None:
    for options in ({"decode_responses": True}, {"protocol": 3}, {"protocol": 2}, {"socket_timeout": 2.0}):
        board = toolkit.make("Leaderboard", client_options=options)
        board.update_score("g", "ünï", 1.5, data={"a": 1})
        assert board.get_player_rank("g", "ünï").data == {"a": 1}
        if "socket_timeout" in options:
            assert board._longest_wait() == pytest.approx(1.2)
