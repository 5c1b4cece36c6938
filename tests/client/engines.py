"""What the tests of the client share: engines with commands made for tests, and waiting for what is to happen."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

import alcove.commands  # noqa: F401 (declares the commands)
from alcove.engine.context import Context
from alcove.engine.declaration import REGISTRY, Registry
from alcove.engine.engine import Engine
from alcove.engine.session import SUBSCRIBER, Session
from alcove.errors import CommandError
from alcove.values import NO_REPLY, OK, Push, Status

FACTS = {"since": "1.0.0", "complexity": "O(1)"}
REPLACED = {"subscribe", "unsubscribe", "publish", "monitor", "client|tracking"}


def is_waiting(engine: Engine) -> bool:
    """Whether a session waits."""
    return any(session.blocked for session in list(engine.sessions.values()))


def pushing_engine() -> Engine:
    """An engine whose commands of messages are simple ones of its own, and some that misbehave."""
    registry = Registry()
    for command in sorted(REGISTRY, key=attrgetter("id")):
        if command.facts.name not in REPLACED:
            registry.add(command.facts, command.handler, is_container=command.subcommands is not None)
    declare_messages(registry)
    declare_misbehaviour(registry)
    return Engine(registry=registry)


def declare_messages(registry: Registry) -> None:
    listeners: dict[Session, set[bytes]] = {}
    monitors: list[Session] = []
    trackers: list[Session] = []

    @registry.command("SUBSCRIBE channel", group="pubsub", **FACTS)
    def subscribe(ctx: Context, channel: bytes) -> object:
        """Listens to a channel."""
        ctx.session.gate |= SUBSCRIBER
        channels = listeners.setdefault(ctx.session, set())
        channels.add(channel)
        ctx.session.push(Push([b"subscribe", channel, len(channels)]))
        return NO_REPLY

    @registry.command("UNSUBSCRIBE channel", group="pubsub", **FACTS)
    def unsubscribe(ctx: Context, channel: bytes) -> object:
        """Listens to a channel no longer."""
        channels = listeners[ctx.session]
        channels.discard(channel)
        if not channels:
            ctx.session.gate &= ~SUBSCRIBER
        ctx.session.push(Push([b"unsubscribe", channel, len(channels)]))
        return NO_REPLY

    @registry.command("PUBLISH channel message", group="pubsub", **FACTS)
    def publish(ctx: Context, channel: bytes, message: bytes) -> int:
        """Tells those who listen."""
        told = [session for session, channels in listeners.items() if channel in channels]
        for session in told:
            session.push(Push([b"message", channel, message]))
        return len(told)

    @registry.command("MONITOR", group="server", flags="admin", **FACTS)
    def monitor(ctx: Context) -> object:
        """Is sent what others SHOW."""
        monitors.append(ctx.session)
        return OK

    @registry.command("SHOW line", group="server", **FACTS)
    def show(ctx: Context, line: bytes) -> object:
        """Sends a line to those who monitor."""
        for session in monitors:
            session.push(Status(line))
        return OK

    @registry.command("CLIENT TRACKING switch", group="connection", flags="noscript", **FACTS)
    def tracking(ctx: Context, switch: bytes) -> object:
        """Is told of keys that others INVALIDATE."""
        trackers.append(ctx.session)
        return OK

    @registry.command("INVALIDATE key", group="generic", **FACTS)
    def invalidate(ctx: Context, key: bytes) -> object:
        """Tells those who track that a key has changed."""
        for session in trackers:
            session.push(Push([b"invalidate", [key]]))
        return OK


def declare_misbehaviour(registry: Registry) -> None:
    @registry.command("FAIL text", group="generic", **FACTS)
    def fail(ctx: Context, text: bytes) -> object:
        """Fails as it is told."""
        raise CommandError(text.decode())

    @registry.command("BREAK", group="generic", **FACTS)
    def break_(ctx: Context) -> object:
        """Fails as no command should."""
        raise ZeroDivisionError("made for a test")


def declare_inside(engine: Engine, function: Callable[[], Any]) -> None:
    """Gives an engine a command, INSIDE, that calls a function while it runs."""

    @engine.registry.command("INSIDE", group="generic", **FACTS)
    def inside(ctx: Context) -> object:
        """Calls the function."""
        function()
        return OK
