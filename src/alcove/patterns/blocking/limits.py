# Derived from alcove/patterns/asyncio/limits.py by derive_blocking.py: change it there.
"""Rate limits: how often each user, address or program may do something."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from typing import ParamSpec, TypeVar, get_args

from redis import Redis
from redis.exceptions import (
    ClusterCrossSlotError,
    ClusterDownError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    TryAgainError,
)

from alcove.patterns.blocking.pattern import Pattern
from alcove.patterns.blocking.runtime import monotonic, result_of, sleep
from alcove.patterns.core.errors import InvalidArgument, OutcomeUnknown
from alcove.patterns.core.keys import Id
from alcove.patterns.core.limits import (
    Algorithm,
    Decision,
    OnFailure,
    Rule,
    RulesApart,
    Target,
    Who,
    algorithms_of,
    are_apart,
    calls_key,
    chapters_rule,
    check_cost,
    decision_of,
    decision_without,
    key_of,
    rules_checked,
    script,
    targets_of,
    whole,
)

P = ParamSpec("P")
T = TypeVar("T")

# What a server that cannot be asked, or cannot count just now, makes of a question.
_FAILURES = (
    OutcomeUnknown,
    ClusterDownError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    TryAgainError,
)


class RateLimiter(Pattern):
    """Limits on what any number of users do, counted on the server.

        >>> import alcove
        >>> limiter = RateLimiter(alcove.open(), limit=2, window=60)
        >>> decision = limiter.check_limit("ann")
        >>> decision.allowed, decision.remaining, decision.reset_in
        (True, 1, 60.0)
        >>> decision = limiter.check_limit("ann")
        >>> limiter.check_limit("ann")
        Traceback (most recent call last):
        alcove.patterns.core.limits.RateLimitExceeded: Rate limit exceeded. Try again in 60 seconds.

    At most `limit` units are allowed in `window` seconds, by an `algorithm`:

    - "fixed-window": a window begins with the first hit. Around its end up to twice the limit may come at once.
    - "sliding-log": never more than the limit in any window. It keeps each unit, about a hundred bytes of it.
    - "sliding-counter": nearly that in some bytes, by two windows of which the older one counts in part.
    - "token-bucket" and "gcra", two names of one thing: units come back one by one, `limit` of them in `window`;
      `burst` may be used at once. Nobody has to wait for the end of a window.

    Instead of these, `rules` may be several (`Rule`); a hit is counted by all of them or, when one denies it, by none.
    A hit names one id for all rules, or one for each kind (`{"user": "ann", "ip": "10.0.0.1"}`). In a cluster such ids
    are on several nodes, and `RulesApart` is raised, unless a `tag` puts all that the limiter keeps on one of them.
    With `shadow` the limit is on trial: counted, and never denying.

    Every operation is one trip. A hit that is sent again after a lost connection counts once; with `once=False` it may
    count again, and the server keeps no record of calls, which is a second small key for ten minutes per id. When the
    server cannot be asked, `on_failure` says what happens: "raise", "allow" (fail open) or "deny" (fail closed); how
    long the client tries before is its own `socket_timeout` and `retry`. When it restarts, counts are what it kept.
    Its clock is the only one: one set on may end windows early, one set back makes nobody wait longer than a window.
    """

    def __init__(
        self,
        client: Redis,
        limit: int = 100,
        window: float = 3600,
        *,
        algorithm: Algorithm = "fixed-window",
        burst: int | None = None,
        shadow: bool = False,
        rules: Iterable[Rule] | None = None,
        tag: Id | None = None,
        on_failure: OnFailure = "raise",
        once: bool = True,
        namespace: str = "",
    ) -> None:
        super().__init__(client, namespace=namespace)
        if on_failure not in get_args(OnFailure):
            raise InvalidArgument(f"on_failure is one of {', '.join(get_args(OnFailure))}, not {on_failure!r}")
        rule = Rule(limit=limit, window=window, algorithm=algorithm, burst=burst, shadow=shadow)
        self.rules = (rule,) if rules is None else rules_checked(tuple(rules))
        self.limit = limit
        self.window = window
        self.shadow = shadow
        self.tag = tag
        self.on_failure = on_failure
        self.once = once
        self._algorithms = algorithms_of(self.rules)
        if tag is not None:
            # Raises for what is no id.
            self.keys.tagged("ratelimit", tag)

    # The chapter's

    def check_limit(self, user_id: Id, cost: int = 1) -> Decision:
        """Counts a hit in a fixed window. Raises `RateLimitExceeded` when the limit is reached."""
        return self._checked("fixed-window", user_id, cost)

    def check_sliding_window(self, user_id: Id, cost: int = 1) -> Decision:
        """Counts a hit in a sliding log. Raises `RateLimitExceeded` when the limit is reached."""
        return self._checked("sliding-log", user_id, cost)

    def _checked(self, algorithm: Algorithm, user_id: Id, cost: int) -> Decision:
        rule = chapters_rule(algorithm, self.limit, self.window, self.shadow)
        decision = self._asked(True, [(rule, user_id)], cost, frozenset((algorithm,)))
        decision.raise_if_denied()
        return decision

    # The rules'

    def hit(self, who: Who, cost: int = 1) -> Decision:
        """Counts a hit of `cost` units by all rules that `who` has an id for, or by none if one of them denies it.

        Raises `NeverAllowed` when the cost is more than one of them ever allows.
        """
        return self._asked(True, targets_of(self.rules, who), cost, self._algorithms)

    def peek(self, who: Who, cost: int = 1) -> Decision:
        """What `hit` would answer. Counts nothing; `remaining` is what is left without it."""
        return self._asked(False, targets_of(self.rules, who), cost, self._algorithms)

    def wait(self, who: Who, cost: int = 1, *, timeout: float | None = None) -> Decision:
        """Hits as soon as it is allowed. Raises `RateLimitExceeded` when that will not be within `timeout` seconds.

        Those who wait are not in order: whoever asks first when there is room gets it.
        """
        give_up = None if timeout is None else monotonic() + timeout
        while True:
            decision = self.hit(who, cost)
            if decision.allowed:
                return decision
            if give_up is not None and monotonic() + decision.retry_after > give_up:
                decision.raise_if_denied()
            sleep(decision.retry_after)

    def refund(self, decision: Decision, cost: int | None = None) -> None:
        """Gives back what an allowed hit used, or `cost` units of it, where it still counts.

        For what turned out cheaper than it was taken to be, or failed. A decision may come from another process, of a
        limiter like this one. Nothing keeps a caller from giving back twice.
        """
        units = decision.cost if cost is None else whole("cost", cost, decision.cost)
        counted = [(verdict.rule, verdict.id) for verdict in decision.verdicts if verdict.allowed]
        if decision.allowed and decision.error is None and counted:
            algorithms = algorithms_of(rule for rule, _ in counted)
            self._run_on("refund", algorithms, True, counted, b"%d %d" % (decision.at_ms, units))

    def reset(self, who: Who) -> None:
        """Forgets what was counted for the ids, be it by the rules or by the chapter's two methods."""
        targets = targets_of(self.rules, who)
        if not isinstance(who, Mapping):
            targets += [(chapters_rule(name, 1, self.window), who) for name in ("fixed-window", "sliding-log")]
        # Each by itself: in a cluster they may be on several nodes.
        for key in {key_of(self.keys, self.tag, target) for target in targets}:
            self._command("DEL", key)

    def limited(self, who: Who | Callable[..., Who], *, cost: int = 1) -> Callable[[Callable[P, T]], Callable[P, T]]:
        """A decorator: each call is a hit first, and raises `RateLimitExceeded` when that is denied.

        `who` is called with the arguments of the call, unless it is the same for all calls.
        """

        def decorated(function: Callable[P, T]) -> Callable[P, T]:
            @wraps(function)
            def limited(*args: P.args, **options: P.kwargs) -> T:
                decision = self.hit(who(*args, **options) if callable(who) else who, cost)
                decision.raise_if_denied()
                return result_of(function(*args, **options))

            return limited

        return decorated

    def _asked(self, counts: bool, targets: Sequence[Target], cost: int, algorithms: frozenset[str]) -> Decision:
        check_cost(targets, cost)
        word = b"%d" % (cost if counts else -cost)
        try:
            answer = self._run_on("check", algorithms, self.once and counts, targets, word)
            return decision_of(answer, targets, cost)
        except _FAILURES as error:
            if self.on_failure == "raise":
                raise
            return decision_without(error, self.on_failure, targets, cost)

    def _run_on(
        self, name: str, algorithms: frozenset[str], once: bool, targets: Sequence[Target], word: bytes
    ) -> bytes:
        """What a script answers about the targets. Raises `RulesApart` when their keys are not on one node."""
        keys = [key_of(self.keys, self.tag, target) for target in targets]
        described = [rule.words for rule, _ in targets]
        if once:
            keys.append(calls_key(self.keys, self.tag, targets[0][1]))
        try:
            answer: bytes = self._run(script(name, algorithms, once), keys, [word, *described])
        except (ClusterCrossSlotError, RedisClusterException) as error:
            if are_apart(keys):
                raise RulesApart("the ids are on several nodes of the cluster: give the limiter a tag") from error
            raise
        return answer
