"""Pub/Sub: subscribe to channels, to patterns and to shard channels, and publish messages to whoever has.

On one server shard channels are channels of their own, that is all. What these commands answer are pushes: one for
each channel, the number of subscriptions that the client then has at its end.
"""

from __future__ import annotations

from typing import Final

from alcove.engine.channels import Audience
from alcove.engine.context import Context
from alcove.engine.declaration import command, container
from alcove.errors import CommandError, not_for_deny_blocking, wrong_subcommand
from alcove.values import Push, Replies

LISTENING: Final = "pubsub noscript loading stale"
ASKING: Final = "pubsub loading stale"
PUBLISHING: Final = "pubsub loading stale fast"


@command(
    "SUBSCRIBE channel [channel ...]",
    flags=LISTENING,
    since="2.0.0",
    complexity="O(N) where N is the number of channels to subscribe to.",
)
def subscribe(ctx: Context, *channels: bytes) -> object:
    """Listens for messages published to channels."""
    return listen(ctx, b"subscribe", ctx.engine.channels.channels, channels)


@command(
    "PSUBSCRIBE pattern [pattern ...]",
    flags=LISTENING,
    since="2.0.0",
    complexity="O(N) where N is the number of patterns to subscribe to.",
)
def psubscribe(ctx: Context, *patterns: bytes) -> object:
    """Listens for messages published to channels that match one or more patterns."""
    return listen(ctx, b"psubscribe", ctx.engine.channels.patterns, patterns)


@command(
    "SSUBSCRIBE shardchannel [shardchannel ...]",
    flags=LISTENING,
    since="7.0.0",
    complexity="O(N) where N is the number of shard channels to subscribe to.",
)
def ssubscribe(ctx: Context, *shardchannels: bytes) -> object:
    """Listens for messages published to shard channels."""
    if ctx.session.executing:
        raise CommandError(not_for_deny_blocking("SSUBSCRIBE"))
    return listen(ctx, b"ssubscribe", ctx.engine.channels.shards, shardchannels)


def listen(ctx: Context, kind: bytes, audience: Audience, names: tuple[bytes, ...]) -> object:
    channels = ctx.engine.channels
    return answer([Push((kind, name, channels.subscribe(ctx.session, audience, name))) for name in names])


@command(
    "UNSUBSCRIBE [channel [channel ...]]",
    flags=LISTENING,
    since="2.0.0",
    complexity="O(N) where N is the number of channels to unsubscribe.",
)
def unsubscribe(ctx: Context, *channels: bytes) -> object:
    """Stops listening to messages posted to channels."""
    return turn_away(ctx, b"unsubscribe", ctx.engine.channels.channels, channels)


@command(
    "PUNSUBSCRIBE [pattern [pattern ...]]",
    flags=LISTENING,
    since="2.0.0",
    complexity="O(N) where N is the number of patterns to unsubscribe.",
)
def punsubscribe(ctx: Context, *patterns: bytes) -> object:
    """Stops listening to messages published to channels that match one or more patterns."""
    return turn_away(ctx, b"punsubscribe", ctx.engine.channels.patterns, patterns)


@command(
    "SUNSUBSCRIBE [shardchannel [shardchannel ...]]",
    flags=LISTENING,
    since="7.0.0",
    complexity="O(N) where N is the number of shard channels to unsubscribe.",
)
def sunsubscribe(ctx: Context, *shardchannels: bytes) -> object:
    """Stops listening to messages posted to shard channels."""
    return turn_away(ctx, b"sunsubscribe", ctx.engine.channels.shards, shardchannels)


def turn_away(ctx: Context, kind: bytes, audience: Audience, names: tuple[bytes, ...]) -> object:
    """Ends the subscriptions that are named, or all of that kind; one answer even if there are none."""
    channels = ctx.engine.channels
    session = ctx.session
    wanted = names or audience.names(session)
    if not wanted:
        return Push((kind, None, channels.subscriptions(session, audience)))
    return answer([Push((kind, name, channels.unsubscribe(session, audience, name))) for name in wanted])


def answer(pushes: list[Push]) -> object:
    return pushes[0] if len(pushes) == 1 else Replies(pushes)


@command(
    "PUBLISH channel message",
    flags=PUBLISHING,
    since="2.0.0",
    complexity=(
        "O(N+M) where N is the number of clients subscribed to the receiving channel and M is the total number of "
        "subscribed patterns (by any client)."
    ),
)
def publish(ctx: Context, channel: bytes, message: bytes) -> int:
    """Posts a message to a channel."""
    return ctx.engine.channels.publish(channel, message)


@command(
    "SPUBLISH shardchannel message",
    flags=PUBLISHING,
    since="7.0.0",
    complexity="O(N) where N is the number of clients subscribed to the receiving shard channel.",
)
def spublish(ctx: Context, shardchannel: bytes, message: bytes) -> int:
    """Post a message to a shard channel"""
    return ctx.engine.channels.publish_sharded(shardchannel, message)


container("PUBSUB", since="2.8.0", group="pubsub", summary="A container for Pub/Sub commands.", help_since="6.2.0")


@command(
    "PUBSUB CHANNELS [pattern]",
    flags=ASKING,
    since="2.8.0",
    complexity=(
        "O(N) where N is the number of active channels, and assuming constant time pattern matching (relatively short "
        "channels and patterns)"
    ),
)
def pubsub_channels(ctx: Context, *pattern: bytes) -> list[bytes]:
    """Returns the active channels."""
    return active(ctx.engine.channels.channels, pattern, "CHANNELS")


@command(
    "PUBSUB SHARDCHANNELS [pattern]",
    flags=ASKING,
    since="7.0.0",
    complexity=(
        "O(N) where N is the number of active shard channels, and assuming constant time pattern matching (relatively "
        "short shard channels)."
    ),
)
def pubsub_shardchannels(ctx: Context, *pattern: bytes) -> list[bytes]:
    """Returns the active shard channels."""
    return active(ctx.engine.channels.shards, pattern, "SHARDCHANNELS")


def active(audience: Audience, pattern: tuple[bytes, ...], subcommand: str) -> list[bytes]:
    if len(pattern) > 1:
        raise CommandError(wrong_subcommand("PUBSUB", subcommand))
    return list(audience.matching(pattern[0]) if pattern else audience.listeners)


@command("PUBSUB NUMPAT", flags=ASKING, since="2.8.0", complexity="O(1)")
def pubsub_numpat(ctx: Context) -> int:
    """Returns a count of unique pattern subscriptions."""
    return len(ctx.engine.channels.patterns)


@command(
    "PUBSUB NUMSUB [channel [channel ...]]",
    flags=ASKING,
    since="2.8.0",
    complexity="O(N) for the NUMSUB subcommand, where N is the number of requested channels",
)
def pubsub_numsub(ctx: Context, *channels: bytes) -> list[object]:
    """Returns a count of subscribers to channels."""
    return counted(ctx.engine.channels.channels, channels)


@command(
    "PUBSUB SHARDNUMSUB [shardchannel [shardchannel ...]]",
    flags=ASKING,
    since="7.0.0",
    complexity="O(N) for the SHARDNUMSUB subcommand, where N is the number of requested shard channels",
)
def pubsub_shardnumsub(ctx: Context, *shardchannels: bytes) -> list[object]:
    """Returns the count of subscribers of shard channels."""
    return counted(ctx.engine.channels.shards, shardchannels)


def counted(audience: Audience, names: tuple[bytes, ...]) -> list[object]:
    """Each name and how many listen to that, in a row."""
    row: list[object] = []
    for name in names:
        row += (name, audience.count(name))
    return row
