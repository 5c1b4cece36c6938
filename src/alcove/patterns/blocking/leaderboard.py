# Derived from alcove/patterns/asyncio/leaderboard.py by derive_blocking.py: change it there.
"""Leaderboards: scores, ranks and neighbours of players, for all time and for each day and week."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from redis import Redis
from redis.exceptions import ResponseError

from alcove.patterns.blocking.pattern import Pattern
from alcove.patterns.core.codecs import JSON, Codec
from alcove.patterns.core.errors import InvalidArgument
from alcove.patterns.core.keys import Id
from alcove.patterns.core.leaderboard import (
    PAGE,
    PERIODS,
    REMOVE,
    STANDING,
    SUBMIT,
    Order,
    Page,
    Period,
    Policy,
    Ranks,
    Row,
    Rules,
    Score,
    ScoreOutOfRange,
    Submission,
    Ties,
    percentile_of,
    player_text,
    rows_of,
    score_of,
    score_text,
)
from alcove.patterns.core.scripts import Script, Word

MONTH_S = 2_592_000


class Leaderboard(Pattern):
    """The leaderboards of any number of games.

        >>> import alcove
        >>> board = Leaderboard(alcove.open())
        >>> for player, score in [("ann", 1500), ("bob", 1800), ("cy", 1500)]:
        ...     submission = board.update_score("chess", player, score)
        >>> [(row.rank, row.player_id, row.score) for row in board.get_top_players("chess")]
        [(1, 'bob', 1800), (2, 'ann', 1500), (3, 'cy', 1500)]

    `policy` says what `update_score` makes of a score that is there already: "last" replaces it, "best" keeps the
    better one, "sum" adds. `order` is "high" where more is better, else "low". Among equal scores the player who had
    it first is first; with `ties="id"` it is by id, which takes half the memory. `ranks` are "ordinal" (1 2 3 4),
    "competition" (1 2 2 4) or "dense" (1 2 2 3). With `periods=("daily", "weekly")` one submit counts on those boards
    too; they begin at midnight UTC, of Mondays. A board expires `ttl` seconds after its last submit, that of a period
    when it is over and kept for a week or four.

    Every operation is one trip and O(log n) in the players, plus its rows. Scores are doubles: whole numbers are exact
    up to 2^53. All keys of a game are on one node of a cluster. A submit that is sent again after a lost connection
    counts once. When a submit raises `OutcomeUnknown`, submitting again is safe with "last" and "best", not with
    "sum". When the server restarts, a board is what the server kept of it.
    """

    def __init__(
        self,
        client: Redis,
        *,
        policy: Policy = "last",
        order: Order = "high",
        ties: Ties = "time",
        ranks: Ranks = "ordinal",
        periods: Iterable[str] = (),
        ttl: float | None = MONTH_S,
        codec: Codec[Any] = JSON,
        namespace: str = "",
    ) -> None:
        super().__init__(client, namespace=namespace)
        self.rules = Rules(policy, ranks, ties, order)
        self.periods = [period_named(name) for name in periods]
        if ttl is not None and ttl <= 0:
            raise InvalidArgument(f"ttl is None or more than 0 seconds, not {ttl}")
        self.ttl = ttl
        self.codec = codec
        # What the server's clock is ahead of ours.
        self._ahead_ms = 0

    # Scores

    def update_score(self, game_id: Id, player_id: Id, score: Score, *, data: Any = None) -> Submission:
        """Enters a player's score by the policy. `data` replaces what is known of the player, such as a name."""
        return self._submit(self.rules.policy, game_id, player_id, score, data)

    def increment_score(self, game_id: Id, player_id: Id, points: Score) -> Submission:
        """Adds to a player's score, whatever the policy: a new player begins with 0.

        Raises `ScoreOutOfRange` when the sum would not be finite.
        """
        return self._submit("sum", game_id, player_id, points, None)

    def _submit(self, policy: str, game_id: Id, player_id: Id, score: Score, data: Any) -> Submission:
        encoded = b"" if data is None else self.codec.encode(data)
        words: list[Word] = [policy, score_text(score), player_text(player_id), encoded]
        try:
            answer = self._ask(SUBMIT, game_id, [None, *self.periods], words)
        except ResponseError as error:
            if str(error).startswith("OUTOFRANGE"):
                raise ScoreOutOfRange(f"the score of {player_id} would not be finite") from None
            raise
        score_now, previous, position = answer
        return Submission(score_of(score_now), None if previous is None else score_of(previous), position + 1)

    def remove_player(self, game_id: Id, player_id: Id) -> bool:
        """Takes a player off the boards that are going on. False when there was none of that id."""
        return bool(self._ask(REMOVE, game_id, [None, *self.periods], [player_text(player_id)]))

    def set_player_data(self, game_id: Id, player_id: Id, data: Any) -> None:
        """Stores what is to be known of a player, such as a name and a picture, beside the scores."""
        self._command(
            "HSET", self.keys.tagged("leaderboard", game_id, "players"), player_text(player_id), self.codec.encode(data)
        )

    # Boards. `period` is the name of one of the periods, for the board that is going on.

    def get_top_players(self, game_id: Id, limit: int = 10, *, period: str = "", with_data: bool = False) -> list[Row]:
        """The first `limit` rows."""
        return (self.get_page(game_id, 1, limit, period=period, with_data=with_data)).rows

    def get_page(
        self, game_id: Id, page: int = 1, limit: int = 20, *, period: str = "", with_data: bool = False
    ) -> Page:
        """A page of `limit` rows; the first is page 1. One beyond the last has no rows."""
        if page < 1 or limit < 1:
            raise InvalidArgument(f"page and limit are at least 1, not {page} and {limit}")
        first = (page - 1) * limit
        total, rows = self._rows(game_id, period, first, first + limit - 1, "", with_data) or (0, [])
        return Page(rows, page, -(-total // limit), total)

    def get_players_around(
        self, game_id: Id, player_id: Id, range: int = 5, *, period: str = "", with_data: bool = False
    ) -> list[Row] | None:
        """The rows of a player and of up to `range` before and after. None when the player is not on the board."""
        if range < 0:
            raise InvalidArgument(f"range is at least 0, not {range}")
        found = self._rows(game_id, period, range, range, player_text(player_id), with_data)
        return None if found is None else found[1]

    def _rows(
        self, game_id: Id, period: str, first: int, last: int, player: str, with_data: bool
    ) -> tuple[int, list[Row]] | None:
        words: list[Word] = [first, last, player, "data" if with_data else ""]
        answer = self._ask(PAGE, game_id, [self._period(period)], words)
        if answer is None:
            return None
        return answer[0], rows_of(answer[1], self.rules, self.codec, player or None)

    def get_player_rank(self, game_id: Id, player_id: Id, *, period: str = "") -> Row | None:
        """A player's row, with its data; None when the player is not on the board."""
        player = player_text(player_id)
        answer = self._ask(STANDING, game_id, [self._period(period)], [player])
        return None if answer is None else rows_of(answer[1], self.rules, self.codec, player)[0]

    def get_percentile(self, game_id: Id, player_id: Id, *, period: str = "") -> float | None:
        """The share of players, in percent, whose score is not better: 100.0 is best. None for an unknown player."""
        answer = self._ask(STANDING, game_id, [self._period(period)], [player_text(player_id)])
        if answer is None:
            return None
        total, (_, better, *_) = answer
        return percentile_of(total - better, total)

    def get_total_players(self, game_id: Id, *, period: str = "") -> int:
        """How many players are on a board."""
        if not period:
            total: int = self._command("ZCARD", self._board(game_id, None, 0)[0])
            return total
        return (self.get_page(game_id, period=period, limit=1)).total

    # Scripts and keys

    def _ask(self, script: Script, game_id: Id, periods: Iterable[Period | None], words: list[Word]) -> Any:
        """What a script answers about boards, those of the periods that it is by the server's clock."""
        ttl_ms = 0 if self.ttl is None else int(self.ttl * 1000)
        while True:
            now_ms = int(time.time() * 1000) + self._ahead_ms
            keys = [self.keys.tagged("leaderboard", game_id, "players")]
            described: list[int] = []
            for period in periods:
                keys += self._board(game_id, period, now_ms)
                described += [ttl_ms, 0, 0, 0] if period is None else period.words(now_ms)
            if script.once:
                keys.append(self.keys.tagged("leaderboard", game_id, "calls"))
            answer = self._run(script, keys, [*self.rules.words, *words, *described])
            if not isinstance(answer, list) or answer[0] != b"period":
                return answer
            # It is another day on the server.
            self._ahead_ms = answer[1] - int(time.time() * 1000)

    def _board(self, game_id: Id, period: Period | None, now_ms: int) -> list[str]:
        place = [] if period is None else [period.name, period.label(now_ms)]
        board = self.keys.tagged("leaderboard", game_id, *place)
        return [board, f"{board}:members", f"{board}:distinct"]

    def _period(self, name: str) -> Period | None:
        if not name:
            return None
        if name not in (period.name for period in self.periods):
            raise InvalidArgument(f"this leaderboard has no period {name!r}")
        return PERIODS[name]


def period_named(name: str) -> Period:
    if name not in PERIODS:
        raise InvalidArgument(f"periods are {' and '.join(PERIODS)}, not {name!r}")
    return PERIODS[name]
