"""The short way of plain commands: from redis-py's arguments to the engine and back, with nothing in between.

A command that asks nothing of its connection (it does not block, subscribe, watch, and changes no session) needs no
connection of its own: it runs on one session that all threads and tasks of a client share. What it answers is what
redis-py would have made of the same reply; what does not go this way goes redis-py's own, on a connection of its pool.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from threading import Lock
from typing import Any, Final, TypeAlias

from redis.client import EMPTY_RESPONSE, NEVER_DECODE
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ExecAbortError, ResponseError, WatchError
from redis.observability.providers import get_observability_instance

from alcove.client.arguments import Arguments, words_of
from alcove.client.link import Link
from alcove.engine.declaration import ADMIN, BLOCKING, Command
from alcove.engine.engine import Engine, EngineClosed
from alcove.engine.session import IN_MULTI, Session
from alcove.errors import CommandError
from alcove.protocol.shape import decoder, shape

Callbacks: TypeAlias = MutableMapping[Any, Callable[..., Any]]
# A command in a pipeline of redis-py: its arguments and the options of its response.
Queued: TypeAlias = tuple[tuple[Any, ...], dict[str, Any]]

# What `Fast.execute` answers when a command has to go redis-py's own way.
NOT_PLAIN: Final = object()
# What it answers when there is no session to run it on.
NOT_OPEN: Final = object()
# Whose commands are about their connection, and those that are not.
OF_CONNECTIONS = frozenset(("connection", "pubsub", "transactions"))
OF_NO_CONNECTION = frozenset(("echo", "ping", "publish", "spublish"))
# These set what a cluster's client is on a connection.
OF_CLUSTERS = frozenset(("asking", "readonly", "readwrite"))
# More names than there are commands are no names: "GET key" may be given as one, for any key.
MOST_PLANS = 1000
# How many commands of a pipeline run before others may have the lock.
STRETCH = 500
# A C variable of the compiled build.
_CommandError = CommandError
# Options of redis-py's that are no arguments of callbacks.
KEYS = "keys"


class Plan:
    """What is known of a command by the name that redis-py gives it."""

    def __init__(self, words: list[bytes], callback: object, plain: bool) -> None:
        self.words = words
        # The name by which the response callbacks know it.
        self.callback = callback
        self.plain = plain


def is_plain(command: Command) -> bool:
    """Whether a command asks nothing of the session that it runs on, and answers at once."""
    if command.subcommands is not None:
        return all(is_plain(member) for member in command.members())
    if command.flags & (BLOCKING | ADMIN) or command.sliced or command.name in OF_CLUSTERS:
        return False
    return command.facts.group not in OF_CONNECTIONS or command.name in OF_NO_CONNECTION


def short_way(pool: Any, connection_class: type) -> Fast | None:
    """The short way of a client with this pool; None if all its commands are to go redis-py's own.

    That is so without an engine in this process, with a client-side cache, and where redis-py measures every command.
    """
    is_here = issubclass(pool.connection_class, connection_class)
    is_cached = getattr(pool, "cache", None) is not None
    is_measured = get_observability_instance().is_enabled()
    return Fast(pool) if is_here and not is_cached and not is_measured else None


class Fast:
    """One client's short way, which it shares with its pipelines: the session, the plans, redis-py's rules."""

    def __init__(self, pool: Any) -> None:
        self.engine: Engine = pool.connection_kwargs["engine"]
        # Held while a session is opened.
        self.opening = Lock()
        # Whether who runs a command waits here for the disk, where it must be waited for.
        self.settles = True
        # How many commands an asynchronous client has run since it last let others run.
        self.in_a_row = 0
        encoder = pool.get_encoder()
        self._arguments = Arguments(encoder)
        self._decode = decoder(encoder.encoding, encoder.encoding_errors) if encoder.decode_responses else None
        self._plans: dict[str | bytes, Plan] = {}
        # The connection whose session is used, which redis-py has made ready.
        self.connection: Any = None
        self._session: Session | None = None
        self._error: Callable[[str], Exception] = ResponseError

    # The session

    def is_open(self) -> bool:
        """Whether there is a session; there is none at first, and after CLIENT KILL."""
        session = self._session
        return session is not None and not session.closing

    def use(self, connection: Any) -> None:
        """Has commands run on the session of a connection."""
        link: Link = connection.link
        self.connection = connection
        self._error = connection._parser.error_of
        self._session = link.session

    def drop(self) -> Any:
        """Lets go of the session; returns its connection, which the caller closes."""
        connection, self.connection = self.connection, None
        self._session = None
        return connection

    # Plans

    def plan(self, name: Any) -> Plan:
        plan = self._plans.get(name)
        if plan is None:
            plan = self._new_plan(name)
        return plan

    def _new_plan(self, name: Any) -> Plan:
        words = words_of(name)
        command = self.engine.registry.resolve(words) if words else None
        plan = Plan(words, name.upper(), command is not None and is_plain(command))
        if len(self._plans) >= MOST_PLANS:
            self._plans.clear()
        self._plans[name] = plan
        return plan

    def remembered(self) -> int:
        """How many plans there are."""
        return len(self._plans)

    def plans(self, commands: list[Queued]) -> list[Plan] | None:
        """The plans of a pipeline; None if one of its commands is not plain."""
        plans = []
        for args, _ in commands:
            plan = self.plan(args[0])
            if not plan.plain:
                return None
            plans.append(plan)
        return plans

    # Commands

    def execute(self, args: tuple[Any, ...], options: dict[str, Any], callbacks: Callbacks) -> Any:
        """The response to a command; NOT_PLAIN, or NOT_OPEN when `use` must come first. Otherwise uses up `options`."""
        plan = self.plan(args[0])
        if not plan.plain:
            return NOT_PLAIN
        session = self._session
        if session is None or session.closing:
            return NOT_OPEN
        argv = self._arguments.behind(plan.words, args)
        engine = self.engine
        self._enter()
        try:
            session.active_us = engine.clock.monotonic_us()
            reply = engine.call(session, argv)
        finally:
            unsafe = engine.leave(self.settles)
        if unsafe is not None:
            reply = unsafe
        response = self._response(session.protocol, reply, plan, options, callbacks)
        if type(reply) is _CommandError and isinstance(response, ResponseError):
            raise response
        return response

    def _enter(self) -> None:
        try:
            self.engine.enter()
        except EngineClosed as error:
            raise RedisConnectionError(str(error)) from None

    def _response(self, protocol: int, reply: Any, plan: Plan, options: dict[str, Any], callbacks: Callbacks) -> Any:
        """What redis-py's `parse_response` makes of a reply; an error is returned."""
        decode = self._decode
        if options and options.pop(NEVER_DECODE, None) is not None:
            decode = None
        response = shape(reply, protocol, decode, self._error)
        if type(reply) is _CommandError:
            return options.get(EMPTY_RESPONSE, response)
        return called_back(response, plan, options, callbacks)

    # Pipelines

    def pipeline(self, commands: list[Queued], plans: list[Plan], callbacks: Callbacks) -> list[Any] | None:
        """The responses to a pipeline without a transaction, errors among them; None without a session."""
        session = self._session
        if session is None or session.closing:
            return None
        argvs = [self._arguments.behind(plan.words, args) for plan, (args, _) in zip(plans, commands, strict=True)]
        replies: list[Any] = []
        while len(replies) < len(argvs):
            self._run(session, argvs[len(replies) : len(replies) + STRETCH], replies)
        return [
            self._response(session.protocol, reply, plan, options, callbacks)
            for reply, plan, (_, options) in zip(replies, plans, commands, strict=True)
        ]

    def transaction(self, commands: list[Queued], plans: list[Plan]) -> list[Any] | None:
        """The replies to a pipeline in a transaction: to MULTI, to each command, to EXEC. None without a session.

        As in redis-py, a command that has its response already is left out.
        """
        session = self._session
        if session is None or session.closing:
            return None
        argvs = [[b"MULTI"]]
        for plan, (args, options) in zip(plans, commands, strict=True):
            if EMPTY_RESPONSE not in options:
                argvs.append(self._arguments.behind(plan.words, args))
        argvs.append([b"EXEC"])
        replies: list[Any] = []
        self._run(session, argvs, replies)
        return [shape(reply, session.protocol, self._decode, self._error) for reply in replies]

    def _run(self, session: Session, argvs: list[list[bytes]], replies: list[Any]) -> None:
        """Runs commands in one turn. If what they did is not safe on disk, the error is the reply to each."""
        engine = self.engine
        before = len(replies)
        self._enter()
        try:
            session.active_us = engine.clock.monotonic_us()
            for argv in argvs:
                replies.append(engine.call(session, argv))
        finally:
            if session.gate & IN_MULTI:
                # Stopped on its way; others share the session.
                engine.discard(session)
            unsafe = engine.leave(self.settles)
        if unsafe is not None:
            replies[before:] = [unsafe] * (len(replies) - before)


def execute(fast: Fast, args: tuple[Any, ...], options: dict[str, Any], callbacks: Callbacks) -> Any:
    """`fast.execute`, as a C function of the compiled build."""
    return fast.execute(args, options, callbacks)


def called_back(response: Any, plan: Plan, options: dict[str, Any], callbacks: Callbacks) -> Any:
    """What a response callback makes of a response, if there is one. Uses up `options`."""
    if options:
        options.pop(KEYS, None)
        options.pop(EMPTY_RESPONSE, None)
    # The mapping's own methods make upper case of every name, which plans have done once.
    callback = dict.get(callbacks, plan.callback)  # type: ignore[call-overload]
    if callback is None:
        return response
    return callback(response, **options) if options else callback(response)


def transacted(
    pipe: Any, commands: list[Queued], plans: list[Plan], replies: list[Any], raise_on_error: bool
) -> list[Any]:
    """What redis-py's pipelines make of the replies to a transaction, in the same words."""
    responses = replies.pop()
    errors = refused(pipe, commands, replies)
    if isinstance(responses, ExecAbortError) and errors:
        raise errors[0][1]
    if isinstance(responses, ResponseError):
        raise responses
    if responses is None:
        raise WatchError("Watched variable changed.")
    for position, error in errors:
        responses.insert(position, error)
    if len(responses) != len(commands):
        raise ResponseError("Wrong number of response items from pipeline execution")
    if raise_on_error:
        pipe.raise_first_error(commands, responses)
    callbacks = pipe.response_callbacks
    return [
        response if isinstance(response, Exception) else called_back(response, plan, options, callbacks)
        for response, plan, (_, options) in zip(responses, plans, commands, strict=True)
    ]


def refused(pipe: Any, commands: list[Queued], replies: list[Any]) -> list[tuple[int, Any]]:
    """The errors of commands that were not queued, and where they belong among the responses."""
    errors: list[tuple[int, Any]] = []
    if isinstance(replies[0], ResponseError):
        errors.append((0, replies[0]))
    read = 1
    for position, (args, options) in enumerate(commands):
        if EMPTY_RESPONSE in options:
            errors.append((position, options[EMPTY_RESPONSE]))
            continue
        if isinstance(replies[read], ResponseError):
            pipe.annotate_exception(replies[read], position + 1, args)
            errors.append((position, replies[read]))
        read += 1
    return errors
