"""Leaderboards: the chapter's class, policies, ties, ranks, periods, and what players are told of bad input."""

from __future__ import annotations

import random
import threading
from typing import Any

import pytest

from alcove.patterns import InvalidArgument, ScoreOutOfRange
from tests.patterns.conftest import Toolkit


def shown(rows: Any) -> list[tuple[int, str, float]]:
    return [(row.rank, row.player_id, row.score) for row in rows]


@pytest.fixture
def board(toolkit: Toolkit) -> Any:
    return toolkit.make("Leaderboard")


def test_the_chapters_example(board: Any) -> None:
    for player, score in [("player1", 15000), ("player2", 12000), ("player3", 18000)]:
        board.update_score("g", player, score)
    assert shown(board.get_top_players("g")) == [(1, "player3", 18000), (2, "player1", 15000), (3, "player2", 12000)]
    assert shown(board.get_top_players("g", 1)) == [(1, "player3", 18000)]
    board.increment_score("g", "player1", 500)
    assert shown([board.get_player_rank("g", "player1")]) == [(2, "player1", 15500)]
    around = board.get_players_around("g", "player1", 1)
    assert [(row.player_id, row.is_current_player) for row in around] == [
        ("player3", False),
        ("player1", True),
        ("player2", False),
    ]
    assert board.get_total_players("g") == 3
    assert board.remove_player("g", "player3") is True
    assert board.remove_player("g", "player3") is False
    assert board.get_total_players("g") == 2


def test_ids_may_be_any_text(board: Any) -> None:
    """Rows travel as one text with a line for each, unless an id has several."""
    ids = ["ann", "two\nlines", "\n", "Zoë {b}:1"]
    for score, player in enumerate(ids):
        board.update_score("g", player, score)
        assert [row.player_id for row in board.get_top_players("g")] == ids[score::-1]
        assert shown([board.get_player_rank("g", player)]) == [(1, player, score)]


def test_an_unknown_player_has_no_place(board: Any) -> None:
    board.update_score("g", "ann", 1)
    assert board.get_player_rank("g", "nobody") is None
    assert board.get_players_around("g", "nobody") is None
    assert board.get_percentile("g", "nobody") is None
    assert board.get_player_rank("other", "ann") is None
    assert board.get_top_players("other") == []


@pytest.mark.parametrize(
    ("policy", "order", "scores", "final"),
    [
        ("last", "high", [5, 9, 3], 3),
        ("best", "high", [5, 9, 3], 9),
        ("best", "low", [5, 9, 3], 3),
        ("sum", "high", [5, 9, 3], 17),
        ("sum", "high", [0.5, -2, 3], 1.5),
    ],
)
def test_policies(toolkit: Toolkit, policy: str, order: str, scores: list[float], final: float) -> None:
    board = toolkit.make("Leaderboard", policy=policy, order=order)
    submissions = [board.update_score("g", "ann", score) for score in scores]
    assert submissions[0].previous is None
    assert [later.previous for later in submissions[1:]] == [earlier.score for earlier in submissions[:-1]]
    assert submissions[-1].score == final
    assert board.get_player_rank("g", "ann").score == final


@pytest.mark.parametrize("order", ["high", "low"])
def test_among_equals_the_first_is_first(toolkit: Toolkit, order: str) -> None:
    board = toolkit.make("Leaderboard", order=order)
    for player in ("zoe", "ann", "bob"):
        board.update_score("g", player, 7)
        toolkit.pass_time(1)
    assert [row.player_id for row in board.get_top_players("g")] == ["zoe", "ann", "bob"]
    # The same score again takes nothing away; another one and back does.
    board.update_score("g", "zoe", 7)
    assert board.get_player_rank("g", "zoe").rank == 1
    board.update_score("g", "zoe", 8)
    board.update_score("g", "zoe", 7)
    assert board.get_player_rank("g", "zoe").rank == 3


@pytest.mark.parametrize(
    ("ranks", "expected"), [("ordinal", [1, 2, 3, 4, 5]), ("competition", [1, 2, 2, 4, 5]), ("dense", [1, 2, 2, 3, 4])]
)
@pytest.mark.parametrize("ties", ["time", "id"])
@pytest.mark.parametrize("order", ["high", "low"])
def test_ranks(toolkit: Toolkit, ranks: str, expected: list[int], ties: str, order: str) -> None:
    board = toolkit.make("Leaderboard", ranks=ranks, ties=ties, order=order)
    scores = [50, 40, 40, 30, 20] if order == "high" else [20, 30, 30, 40, 50]
    for number, score in enumerate(scores):
        board.update_score("g", f"p{number}", 1)
        board.update_score("g", f"p{number}", score)
    assert [row.rank for row in board.get_top_players("g")] == expected
    # A page that begins among equals goes on with their rank.
    assert [row.rank for row in board.get_page("g", 2, 2).rows] == expected[2:4]
    for row in board.get_top_players("g"):
        assert board.get_player_rank("g", row.player_id).rank == row.rank
        for near in board.get_players_around("g", row.player_id, 1):
            assert near.rank == board.get_player_rank("g", near.player_id).rank


@pytest.mark.parametrize("seed", range(3))
def test_a_model_agrees(toolkit: Toolkit, seed: int) -> None:
    chance = random.Random(seed)
    board = toolkit.make("Leaderboard", ranks="dense", policy="best")
    model: dict[str, float] = {}
    for _ in range(60):
        player = f"p{chance.randrange(12)}"
        act = chance.random()
        if act < 0.6:
            score = chance.randint(0, 5)
            board.update_score("g", player, score)
            model[player] = max(score, model.get(player, score))
        elif act < 0.8:
            points = chance.randint(-2, 2)
            board.increment_score("g", player, points)
            model[player] = model.get(player, 0) + points
        else:
            assert board.remove_player("g", player) == (model.pop(player, None) is not None)
    better = sorted(set(model.values()), reverse=True)
    rows = board.get_top_players("g", 100)
    assert {row.player_id: row.score for row in rows} == model
    assert all(row.rank == better.index(row.score) + 1 for row in rows)
    for player, score in model.items():
        at_or_below = sum(other <= score for other in model.values())
        assert board.get_percentile("g", player) == pytest.approx(100 * at_or_below / len(model))


def test_pages(board: Any) -> None:
    for number in range(7):
        board.update_score("g", f"p{number}", 100 - number)
    page = board.get_page("g", 3, 3)
    assert (page.page, page.pages, page.total, shown(page.rows)) == (3, 3, 7, [(7, "p6", 94)])
    assert board.get_page("g", 4, 3).rows == []


def test_players_data(toolkit: Toolkit) -> None:
    board = toolkit.make("Leaderboard", client_options={"decode_responses": True})
    board.update_score("g", "ann", 5, data={"name": "Ann"})
    board.update_score("g", "bob", 4)
    assert [row.data for row in board.get_top_players("g", with_data=True)] == [{"name": "Ann"}, None]
    assert [row.data for row in board.get_top_players("g")] == [None, None]
    board.set_player_data("g", "bob", {"name": "Bob"})
    assert board.get_player_rank("g", "bob").data == {"name": "Bob"}
    board.remove_player("g", "bob")
    board.update_score("g", "bob", 4)
    assert board.get_player_rank("g", "bob").data is None


def test_one_submit_counts_for_the_day_and_the_week(toolkit: Toolkit) -> None:
    if toolkit.unit != 1.0:
        pytest.skip("nobody waits for tomorrow")
    board = toolkit.make("Leaderboard", periods=("daily", "weekly"), policy="sum")
    board.update_score("g", "ann", 10)
    for period in ("", "daily", "weekly"):
        assert shown(board.get_top_players("g", period=period)) == [(1, "ann", 10)]
    toolkit.pass_time(86_400)
    assert board.get_top_players("g", period="daily") == []
    board.update_score("g", "ann", 5)
    assert board.get_player_rank("g", "ann", period="daily").score == 5
    assert board.get_player_rank("g", "ann").score == 15
    toolkit.pass_time(7 * 86_400)
    assert board.get_total_players("g", period="weekly") == 0
    toolkit.pass_time(31 * 86_400)
    assert board.get_total_players("g") == 0
    assert toolkit.client.keys("*") == []


def test_ids_may_be_anything(board: Any) -> None:
    players = ["a:b", "{x}", "snow ☃", "0000000000000000:x", "%41"]
    for number, player in enumerate(players):
        board.update_score("a:b {c}", player, number)
    assert [row.player_id for row in board.get_top_players("a:b {c}")] == players[::-1]
    assert board.get_total_players("a%3Ab") == 0
    board.update_score(7, 42, 1)
    assert board.get_player_rank(7, 42).player_id == "42"


@pytest.mark.parametrize("score", [float("nan"), float("inf"), -float("inf"), 2**60, "5", None, True])
def test_scores_that_are_none(board: Any, score: Any) -> None:
    with pytest.raises(InvalidArgument):
        board.update_score("g", "ann", score)
    assert board.get_total_players("g") == 0


def test_a_sum_beyond_all_numbers_changes_nothing(board: Any) -> None:
    board.update_score("g", "ann", 1e308)
    with pytest.raises(ScoreOutOfRange):
        board.increment_score("g", "ann", 1e308)
    assert board.get_player_rank("g", "ann").score == 1e308


def test_arguments_that_make_no_sense(toolkit: Toolkit, board: Any) -> None:
    for wrong in ({"policy": "first"}, {"ranks": "none"}, {"ttl": 0}, {"periods": ["yearly"]}, {"namespace": "a b"}):
        with pytest.raises(InvalidArgument):
            toolkit.make("Leaderboard", **wrong)
    for call in (
        lambda: board.update_score("", "ann", 1),
        lambda: board.update_score("g", "", 1),
        lambda: board.get_page("g", 0),
        lambda: board.get_top_players("g", -1),
        lambda: board.get_players_around("g", "ann", -1),
        lambda: board.get_top_players("g", period="daily"),
    ):
        with pytest.raises(InvalidArgument):
            call()
    assert toolkit.client.keys("*") == []


def test_many_at_once_lose_no_point(live_toolkit: Toolkit) -> None:
    board = live_toolkit.make("Leaderboard", ranks="dense")

    def play() -> None:
        for number in range(50):
            board.increment_score("g", f"p{number % 3}", 1)

    threads = [threading.Thread(target=play) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(row.score for row in board.get_top_players("g")) == 400
