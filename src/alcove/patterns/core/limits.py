"""Rate limits without a network: rules, what the server answered about them, and the header fields made of that."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, cached_property
from typing import Final, Literal, get_args

import msgspec
from redis.crc import key_slot

from alcove.patterns.core.errors import InvalidArgument, PatternError
from alcove.patterns.core.keys import Id, Keys, name_text
from alcove.patterns.core.scripts import Script

Algorithm = Literal["fixed-window", "sliding-log", "sliding-counter", "token-bucket", "gcra"]
OnFailure = Literal["raise", "allow", "deny"]
# An id that all rules are about, or for each kind of id, such as "user" and "ip", which one.
Who = Id | Mapping[str, Id]

# Where each algorithm is.
_LUA: Final = {
    "fixed-window": "limits/fixed_window",
    "sliding-log": "limits/sliding_log",
    "sliding-counter": "limits/sliding_counter",
    "token-bucket": "limits/bucket",
    "gcra": "limits/bucket",
}

LARGEST_LIMIT: Final = 10**9
# A log has an entry for each unit, of about a hundred bytes.
LARGEST_LOG: Final = 100_000
LONGEST_WINDOW_S: Final = 10 * 365 * 86_400
# What those are told to wait who are denied because the server cannot be asked.
UNKNOWN_WAIT_S: Final = 1.0
_BUCKETS: Final = ("token-bucket", "gcra")


class RateLimitExceeded(PatternError):
    """A limit is reached. Nothing was counted. `retry_after` says in how many seconds the same would be allowed."""

    def __init__(self, decision: Decision) -> None:
        self.decision = decision
        self.retry_after = decision.retry_after
        super().__init__(f"Rate limit exceeded. Try again in {math.ceil(self.retry_after)} seconds.")

    def __reduce__(self) -> tuple[type[RateLimitExceeded], tuple[Decision]]:
        return RateLimitExceeded, (self.decision,)


class NeverAllowed(InvalidArgument):
    """The cost is more than a rule ever allows: waiting does not help. Nothing was sent."""


class RulesApart(PatternError):
    """The rules' keys are on several nodes of a cluster, so that no single step can ask them. Nothing was counted.

    A limiter with `tag` has its keys on one node.
    """


class Rule(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """At most `limit` units in `window` seconds, counted by an algorithm.

    `by` says what kind of id it is about, such as "user" or "ip", where a hit names several; `name` is told to users
    in header fields and is `by` unless given. `burst` is how many units a token bucket or GCRA allows at once: as many
    as the limit unless given. A rule on trial (`shadow`) is counted and reported, and denies nothing.
    """

    limit: int
    window: float
    algorithm: Algorithm = "fixed-window"
    by: str = ""
    name: str = ""
    burst: int | None = None
    shadow: bool = False

    def __post_init__(self) -> None:
        if self.algorithm not in get_args(Algorithm):
            raise InvalidArgument(f"algorithm is one of {', '.join(get_args(Algorithm))}, not {self.algorithm!r}")
        largest = LARGEST_LOG if self.algorithm == "sliding-log" else LARGEST_LIMIT
        whole("limit", self.limit, largest)
        if isinstance(self.window, bool) or not isinstance(self.window, int | float):
            raise InvalidArgument(f"window is a number of seconds, not {self.window!r}")
        if not 0.001 <= self.window <= LONGEST_WINDOW_S:
            raise InvalidArgument(f"window is 0.001 seconds to ten years, not {self.window}")
        if self.burst is not None:
            if self.algorithm not in _BUCKETS:
                raise InvalidArgument(f"only {' and '.join(_BUCKETS)} have a burst, not {self.algorithm}")
            whole("burst", self.burst, LARGEST_LIMIT)
        for name in (self.by, self.name):
            if name:
                name_text(name)

    @property
    def capacity(self) -> int:
        """The most units that are allowed at once."""
        return self.limit if self.burst is None else self.burst

    @property
    def window_ms(self) -> int:
        return round(self.window * 1000)

    @property
    def label(self) -> str:
        """What users are told of it."""
        return self.name or self.by or "default"

    @cached_property
    def place(self) -> str:
        """What tells its keys from those of other rules. Another algorithm or window begins anew, a limit does not."""
        about = f"{self.algorithm}:{self.window_ms}"
        return about if self.label == "default" else f"{self.label}:{about}"

    @cached_property
    def words(self) -> bytes:
        """What a script is told of it, as it is sent."""
        return f"{self.algorithm} {self.limit} {self.capacity} {self.window_ms} {self.shadow:d}".encode()

    @property
    def policy(self) -> str:
        """It as a member of the field `RateLimit-Policy`: a quota, and in how many seconds all of it comes back."""
        seconds = self.capacity * self.window / self.limit
        return f'"{self.label}";q={self.capacity};w={max(1, math.ceil(seconds))}'


class Verdict(msgspec.Struct, frozen=True):
    """What one rule says. Times are in seconds."""

    rule: Rule
    id: Id
    # Whether the rule allows it, be it on trial or not.
    allowed: bool
    # How many units are left now.
    remaining: int
    # When nothing will be used any more if nobody asks again.
    reset_in: float
    # When the same cost will be allowed if nobody else asks: 0 if it was, infinity if a rule on trial never will.
    retry_after: float

    @property
    def denies(self) -> bool:
        return not (self.allowed or self.rule.shadow)


class Decision(msgspec.Struct, frozen=True):
    """What all rules of a hit say together. Times are in seconds, exact to the millisecond by the server's clock."""

    verdicts: tuple[Verdict, ...]
    cost: int
    # The server's time.
    at_ms: int
    # Why the server could not be asked: then `on_failure` has decided.
    error: Exception | None = None

    @property
    def allowed(self) -> bool:
        return not any(verdict.denies for verdict in self.verdicts)

    @property
    def tightest(self) -> Verdict:
        """The verdict that users are told: of the rule that makes them wait longest, or else has the least left."""
        counting = [verdict for verdict in self.verdicts if not verdict.rule.shadow] or self.verdicts
        denying = [verdict for verdict in counting if verdict.denies]
        if denying:
            return max(denying, key=lambda verdict: verdict.retry_after)
        return min(counting, key=lambda verdict: verdict.remaining)

    @property
    def limit(self) -> int:
        return self.tightest.rule.capacity

    @property
    def remaining(self) -> int:
        return self.tightest.remaining

    @property
    def reset_in(self) -> float:
        return self.tightest.reset_in

    @property
    def retry_after(self) -> float:
        """When the same would be allowed if nobody else asks; 0 if it was."""
        return 0.0 if self.allowed else self.tightest.retry_after

    @property
    def denied_by(self) -> tuple[Verdict, ...]:
        """The verdicts that do not allow it, those of rules on trial among them."""
        return tuple(verdict for verdict in self.verdicts if not verdict.allowed)

    def raise_if_denied(self) -> None:
        """Raises `RateLimitExceeded` unless it is allowed."""
        if not self.allowed:
            raise RateLimitExceeded(self)

    def rate_limit_fields(self) -> dict[str, str]:
        """`RateLimit-Policy` and `RateLimit` of draft-ietf-httpapi-ratelimit-headers-09; no rules on trial.

        The first names each quota `q` and its window `w`, the second what is left of it, `r`, and in how many seconds
        it is whole again, `t`.
        """
        told = [verdict for verdict in self.verdicts if not verdict.rule.shadow]
        if not told:
            return {}
        return {
            "RateLimit-Policy": ", ".join(verdict.rule.policy for verdict in told),
            "RateLimit": ", ".join(
                f'"{verdict.rule.label}";r={verdict.remaining};t={math.ceil(verdict.reset_in)}' for verdict in told
            ),
        }

    def x_rate_limit_headers(self, *, epoch: bool = False) -> dict[str, str]:
        """`X-RateLimit-Limit`, `-Remaining` and `-Reset` of the tightest rule.

        There is no standard for `-Reset`: seconds from now, or of the clock since 1970 with `epoch`.
        """
        reset = self.at_ms / 1000 + self.reset_in if epoch else self.reset_in
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(math.ceil(reset)),
        }

    def retry_after_header(self) -> dict[str, str]:
        """`Retry-After` in whole seconds (RFC 9110, section 10.2.3), for an answer 429; nothing when allowed."""
        return {} if self.allowed else {"Retry-After": str(max(1, math.ceil(self.retry_after)))}

    def headers(self) -> dict[str, str]:
        """All of them."""
        return {**self.rate_limit_fields(), **self.x_rate_limit_headers(), **self.retry_after_header()}


Target = tuple[Rule, Id]


def whole(name: str, value: object, largest: int) -> int:
    """A whole number from 1. Raises `InvalidArgument` if it is another thing."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= largest:
        raise InvalidArgument(f"{name} is a whole number from 1 to {largest}, not {value!r}")
    return value


@cache
def chapters_rule(algorithm: Algorithm, limit: int, window: float, shadow: bool = False) -> Rule:
    """That of `check_limit` or of `check_sliding_window`."""
    return Rule(limit=limit, window=window, algorithm=algorithm, shadow=shadow)


def rules_checked(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """The rules of a limiter. Raises `InvalidArgument` when there is none, or two of them have one name."""
    if not rules:
        raise InvalidArgument("a limiter has at least one rule")
    labels = [rule.label for rule in rules]
    for label in labels:
        if labels.count(label) > 1:
            raise InvalidArgument(f"several rules are called {label!r}: give them names")
    return rules


def targets_of(rules: tuple[Rule, ...], who: Who) -> list[Target]:
    """Which rules are asked about which ids. Raises `InvalidArgument` when there are none, or of an unknown kind."""
    if not isinstance(who, Mapping):
        return [(rule, who) for rule in rules]
    unknown = set(who) - {rule.by for rule in rules}
    if unknown or not who:
        raise InvalidArgument(f"no rule is by {', '.join(map(repr, unknown)) or 'nothing'}")
    return [(rule, who[rule.by]) for rule in rules if rule.by in who]


def check_cost(targets: Sequence[Target], cost: int) -> None:
    """Raises `InvalidArgument` for what is no cost, `NeverAllowed` for what no waiting makes possible."""
    whole("cost", cost, LARGEST_LIMIT)
    for rule, _ in targets:
        if cost > rule.capacity and not rule.shadow:
            raise NeverAllowed(f"a cost of {cost} is never allowed by {rule.label}, which has {rule.capacity} at most")


@cache
def script(name: str, algorithms: frozenset[str], once: bool) -> Script:
    """`lua/limits/<name>.lua` with some algorithms: what a script has it defines anew each time."""
    with_ = ["limits/rules", *sorted({_LUA[algorithm] for algorithm in algorithms}), "limits/asked"]
    if name == "check" and algorithms == {"fixed-window"}:
        with_.insert(0, "limits/within")
    return Script(f"limits/{name}", once=once, with_=with_)


def algorithms_of(rules: Iterable[Rule]) -> frozenset[str]:
    return frozenset(rule.algorithm for rule in rules)


def key_of(keys: Keys, tag: Id | None, target: Target) -> str:
    """The key of a rule's state for an id."""
    rule, id = target
    place = keys.tagged("ratelimit", id) if tag is None else keys.tagged("ratelimit:shared", tag, id)
    return f"{place}:{rule.place}"


def calls_key(keys: Keys, tag: Id | None, id: Id) -> str:
    """The key of the calls that were applied, on the node of the states."""
    return keys.tagged("ratelimit", id, "calls") if tag is None else keys.tagged("ratelimit:shared", tag, "calls")


def are_apart(keys: list[str]) -> bool:
    """Whether a cluster may have the keys on different nodes."""
    return len({key_slot(key.encode()) for key in keys}) > 1


def decision_of(answer: bytes, targets: Sequence[Target], cost: int) -> Decision:
    """What `lua/limits/check.lua` answers: the time, and four numbers for each rule."""
    numbers = map(int, answer.split())
    at_ms = next(numbers) * 1000 + next(numbers) // 1000
    verdicts = []
    for (rule, id), allowed, remaining, reset_ms, retry_ms in zip(targets, *[numbers] * 4, strict=True):
        retry_after = math.inf if retry_ms < 0 else retry_ms / 1000
        verdicts.append(Verdict(rule, id, allowed == 1, remaining, reset_ms / 1000, retry_after))
    return Decision(tuple(verdicts), cost, at_ms)


def decision_without(error: Exception, on_failure: OnFailure, targets: Sequence[Target], cost: int) -> Decision:
    """What is decided when the server cannot be asked."""
    allowed = on_failure == "allow"
    verdicts = [
        Verdict(rule, id, allowed, rule.capacity if allowed else 0, 0.0, 0.0 if allowed else UNKNOWN_WAIT_S)
        for rule, id in targets
    ]
    return Decision(tuple(verdicts), cost, 0, error)
