"""A leaderboard without a network: its rows, ranks, periods, and how the scripts' answers are read."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any, Final, Literal, get_args

import msgspec

from alcove.patterns.core.codecs import Codec
from alcove.patterns.core.errors import InvalidArgument, PatternError
from alcove.patterns.core.keys import Id, plain_text
from alcove.patterns.core.scripts import Script, words_of

Score = int | float
Policy = Literal["last", "best", "sum"]
Ranks = Literal["ordinal", "competition", "dense"]
Ties = Literal["time", "id"]
Order = Literal["high", "low"]

SUBMIT: Final = Script("leaderboard/submit", once=True, with_=["leaderboard/board"])
REMOVE: Final = Script("leaderboard/remove", once=True, with_=["leaderboard/board"])
PAGE: Final = Script("leaderboard/page", with_=["whole", "leaderboard/board"])
STANDING: Final = Script("leaderboard/standing", with_=["whole", "leaderboard/board"])

DAY_MS: Final = 86_400_000
# 1 January 1970 was a Thursday: weeks begin on Mondays, as ISO 8601 has them.
_MONDAY_MS: Final = 3 * DAY_MS
# Whole numbers beyond are not exact in a double, which is what scores are.
LARGEST_EXACT: Final = 2**53


class ScoreOutOfRange(PatternError, ValueError):
    """A sum of scores would leave the range of finite numbers. Nothing was changed."""


class Period(msgspec.Struct, frozen=True):
    """A board that begins anew at midnight UTC, or at Monday's: its name, its length, and how long it is kept after."""

    name: str
    length_ms: int
    kept_ms: int
    shift_ms: int = 0

    def number(self, time_ms: int) -> int:
        """The number of the period that this time is in."""
        return (time_ms + self.shift_ms) // self.length_ms

    def words(self, time_ms: int) -> list[int]:
        """What a script is told of the period that this time is in."""
        return [self.length_ms + self.kept_ms, self.length_ms, self.shift_ms, self.number(time_ms)]

    def label(self, time_ms: int) -> str:
        """The first day of the period that this time is in, such as 2024-05-01."""
        begin_ms = self.number(time_ms) * self.length_ms - self.shift_ms
        return datetime.fromtimestamp(begin_ms / 1000, UTC).date().isoformat()


DAILY: Final = Period("daily", DAY_MS, 7 * DAY_MS)
WEEKLY: Final = Period("weekly", 7 * DAY_MS, 28 * DAY_MS, _MONDAY_MS)
PERIODS: Final = {period.name: period for period in (DAILY, WEEKLY)}


class Row(msgspec.Struct, frozen=True):
    """A player's place on a board."""

    rank: int
    player_id: str
    score: Score
    is_current_player: bool = False
    # What `set_player_data` stored, where it was asked for.
    data: Any = None


class Submission(msgspec.Struct, frozen=True):
    """What a submit made of a player's score, on the board of all time."""

    score: Score
    # The score before; None for a new player.
    previous: Score | None
    # By the order of the board: 1 is the first, and no two players have the same.
    position: int

    @property
    def is_improved(self) -> bool:
        return self.previous is None or self.score != self.previous


class Page(msgspec.Struct, frozen=True):
    """A page of a board."""

    rows: list[Row]
    page: int
    pages: int
    total: int


class Rules(msgspec.Struct, frozen=True):
    """How a leaderboard counts."""

    policy: Policy
    ranks: Ranks
    ties: Ties
    order: Order

    def __post_init__(self) -> None:
        for name, kind in (("policy", Policy), ("ranks", Ranks), ("ties", Ties), ("order", Order)):
            if getattr(self, name) not in get_args(kind):
                raise InvalidArgument(f"{name} is one of {', '.join(get_args(kind))}, not {getattr(self, name)!r}")

    @property
    def words(self) -> tuple[str, str, str]:
        """What every script is told first."""
        return self.order, self.ties, "dense" if self.ranks == "dense" else ""


def score_text(score: Score) -> str:
    """A score as the server is told it. Raises `InvalidArgument` unless it is a finite number that a double holds."""
    if isinstance(score, bool) or not isinstance(score, int | float):
        raise InvalidArgument(f"a score is a number, not {type(score).__name__}")
    if isinstance(score, int):
        if abs(score) > LARGEST_EXACT:
            raise InvalidArgument(f"a whole score is between -2^53 and 2^53, not {score}")
    elif not math.isfinite(score):
        raise InvalidArgument(f"a score is finite, not {score}")
    return repr(score)


def score_of(text: bytes) -> Score:
    """A score from a reply: a whole number where it is one."""
    score = float(text)
    return int(score) if score.is_integer() and abs(score) <= LARGEST_EXACT else score


def player_of(member: bytes, ties: Ties) -> str:
    """The player of a member: where ties go by time, the time stands before the player."""
    return (member[17:] if ties == "time" else member).decode()


def rows_of(answer: list[Any], rules: Rules, codec: Codec[Any], current: str | None = None) -> list[Row]:
    """The rows of a page: `start, players and scores above the first row's, member, score ... as one, [data ...]`."""
    start, better, better_scores, whole, data = answer
    flat = words_of(whole)
    members, scores = flat[::2], flat[1::2]
    rows: list[Row] = []
    rank = 0
    previous: bytes | None = None
    for place, (member, score) in enumerate(zip(members, scores, strict=True)):
        rank = next_rank(rules.ranks, rank, start + place + 1, better, better_scores, score != previous, place == 0)
        previous = score
        player = player_of(member, rules.ties)
        known = codec.decode(data[place]) if data and data[place] else None
        rows.append(Row(rank, player, score_of(score), player == current, known))
    return rows


def next_rank(
    ranks: Ranks, rank: int, position: int, better: int, better_scores: int, is_other: bool, is_first: bool
) -> int:
    """The rank of a row, from that of the row before it."""
    if ranks == "ordinal":
        return position
    if is_first:
        return (better if ranks == "competition" else better_scores) + 1
    if not is_other:
        return rank
    return position if ranks == "competition" else rank + 1


def percentile_of(at_or_below: int, total: int) -> float:
    """The share of players, in percent, whose score is not better than one's own: 100.0 is the best."""
    return 100.0 * at_or_below / total


def player_text(player: Id) -> str:
    """A player's id as the boards have it. Raises `InvalidArgument` for an empty one."""
    return plain_text(player, "a player's id")
