"""Client-side caching: the subcommands of CLIENT by which a session asks to be told of changed keys."""

from __future__ import annotations

from dataclasses import dataclass, field

from alcove.commands.connection import PLAIN
from alcove.engine.arguments import Arguments
from alcove.engine.context import Context
from alcove.engine.declaration import command
from alcove.engine.tracking import Tracker
from alcove.errors import (
    CACHING_NO,
    CACHING_WITHOUT_TRACKING,
    CACHING_YES,
    NO_SUCH_REDIRECT,
    ONE_REDIRECT,
    OPT_IN_AND_OUT,
    OPT_WITH_BCAST,
    PREFIX_WITHOUT_BCAST,
    SWITCHED_BCAST,
    SWITCHED_OPT,
    SYNTAX,
    CommandError,
    prefix_exists,
    prefix_overlaps,
)
from alcove.values import OK, Members

GROUP = "connection"


@dataclass
class Options:
    """The options of CLIENT TRACKING."""

    broadcast: bool = False
    opt_in: bool = False
    opt_out: bool = False
    no_loop: bool = False
    redirect: int = 0
    prefixes: list[bytes] = field(default_factory=list)


@command(
    "CLIENT TRACKING <ON | OFF> [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [BCAST] [OPTIN] [OPTOUT] "
    "[NOLOOP]",
    flags=PLAIN,
    since="6.0.0",
    complexity="O(1). Some options may introduce additional complexity.",
)
def client_tracking(ctx: Context, status: bytes, *options: bytes) -> object:
    """Controls server-assisted client-side caching for the connection."""
    chosen = tracking_options(ctx, Arguments(options))
    session = ctx.session
    tracking = ctx.engine.tracking
    word = status.upper()
    if word == b"OFF":
        tracking.stop(session)
        return OK
    if word != b"ON":
        raise CommandError(SYNTAX)
    check_options(chosen, session.tracker)
    tracker = tracking.start(session)
    tracker.broadcast = chosen.broadcast
    tracker.opt_in = chosen.opt_in
    tracker.opt_out = chosen.opt_out
    tracker.no_loop = chosen.no_loop
    tracker.redirect = chosen.redirect
    tracker.redirect_broken = False
    if chosen.broadcast:
        for prefix in chosen.prefixes or [b""]:
            tracking.listen(session, prefix)
    return OK


def tracking_options(ctx: Context, arguments: Arguments) -> Options:
    options = Options()
    while arguments:
        word = arguments.word()
        if word == b"REDIRECT" and arguments:
            if options.redirect:
                raise CommandError(ONE_REDIRECT)
            options.redirect = arguments.integer()
            # It may leave later, but a mistake is noticed now.
            if options.redirect not in ctx.engine.sessions:
                raise CommandError(NO_SUCH_REDIRECT)
        elif word == b"PREFIX" and arguments:
            options.prefixes.append(arguments.take())
        elif word == b"BCAST":
            options.broadcast = True
        elif word == b"OPTIN":
            options.opt_in = True
        elif word == b"OPTOUT":
            options.opt_out = True
        elif word == b"NOLOOP":
            options.no_loop = True
        else:
            raise CommandError(SYNTAX)
    return options


def check_options(options: Options, before: Tracker | None) -> None:
    """Whether options go together, and with what the session asked for before."""
    if options.prefixes and not options.broadcast:
        raise CommandError(PREFIX_WITHOUT_BCAST)
    if before is not None and before.broadcast != options.broadcast:
        raise CommandError(SWITCHED_BCAST)
    if options.broadcast and (options.opt_in or options.opt_out):
        raise CommandError(OPT_WITH_BCAST)
    if options.opt_in and options.opt_out:
        raise CommandError(OPT_IN_AND_OUT)
    if before is not None and ((options.opt_in and before.opt_out) or (options.opt_out and before.opt_in)):
        raise CommandError(SWITCHED_OPT)
    existing = [] if before is None else sorted(before.prefixes)
    for place, prefix in enumerate(options.prefixes):
        for other in existing:
            if overlap(prefix, other):
                raise CommandError(prefix_exists(prefix, other))
        for other in options.prefixes[place + 1 :]:
            if overlap(prefix, other):
                raise CommandError(prefix_overlaps(prefix, other))


def overlap(prefix: bytes, other: bytes) -> bool:
    """Whether there are keys with both prefixes."""
    return prefix.startswith(other) or other.startswith(prefix)


@command("CLIENT CACHING <YES | NO>", flags=PLAIN, since="6.0.0", complexity="O(1)")
def client_caching(ctx: Context, mode: bytes) -> object:
    """Instructs the server whether to track the keys in the next request."""
    tracker = ctx.session.tracker
    if tracker is None:
        raise CommandError(CACHING_WITHOUT_TRACKING)
    word = mode.upper()
    if word == b"YES":
        if not tracker.opt_in:
            raise CommandError(CACHING_YES)
    elif word == b"NO":
        if not tracker.opt_out:
            raise CommandError(CACHING_NO)
    else:
        raise CommandError(SYNTAX)
    tracker.caching = True
    return OK


@command("CLIENT GETREDIR", flags=PLAIN, since="6.0.0", complexity="O(1)")
def client_getredir(ctx: Context) -> int:
    """Returns the client ID to which the connection's tracking notifications are redirected."""
    tracker = ctx.session.tracker
    return -1 if tracker is None else tracker.redirect


@command("CLIENT TRACKINGINFO", flags=PLAIN, since="6.2.0", complexity="O(1)")
def client_trackinginfo(ctx: Context) -> dict[bytes, object]:
    """Returns information about server-assisted client-side caching for the connection."""
    tracker = ctx.session.tracker
    if tracker is None:
        return {b"flags": Members((b"off",)), b"redirect": -1, b"prefixes": []}
    return {
        b"flags": Members(tracking_flags(tracker)),
        b"redirect": tracker.redirect,
        b"prefixes": sorted(tracker.prefixes),
    }


def tracking_flags(tracker: Tracker) -> list[bytes]:
    flags = {
        b"bcast": tracker.broadcast,
        b"optin": tracker.opt_in,
        b"caching-yes": tracker.opt_in and tracker.caching,
        b"optout": tracker.opt_out,
        b"caching-no": tracker.opt_out and tracker.caching,
        b"noloop": tracker.no_loop,
        b"broken_redirect": tracker.redirect_broken,
    }
    return [b"on", *(flag for flag, applies in flags.items() if applies)]
