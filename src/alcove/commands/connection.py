"""The connection commands: who a client is, what it speaks, and what others may know of it or do to it."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator

from alcove.engine.arguments import Arguments
from alcove.engine.context import Context
from alcove.engine.declaration import command, container
from alcove.engine.session import IN_MULTI, MONITOR, MUTED, NO_TOUCH, SUBSCRIBER, UNAUTHENTICATED, Session
from alcove.errors import (
    BAD_CLIENT_NAME,
    CLIENT_ID,
    HELLO_PROTO,
    INVALID_CLIENT_ID,
    NO_AUTH_HELLO,
    NO_PASSWORD_SET,
    NO_PROTO,
    NO_SUCH_CLIENT,
    SYNTAX,
    UNBLOCK_REASON,
    WRONG_PASS,
    CommandError,
    bad_client_info,
    client_info_option,
    hello_option,
    no_such_user,
    unknown_client_type,
    wrong_arity,
)
from alcove.numeric import parse_int, try_int
from alcove.values import NO_REPLY, OK, PONG, Status, Verbatim
from alcove.version import REDIS_VERSION

DEFAULT_USER = "default"
CLIENT_TYPES = {
    b"normal": b"normal",
    b"master": b"master",
    b"primary": b"master",
    b"replica": b"replica",
    b"slave": b"replica",
    b"pubsub": b"pubsub",
}


@command(
    "PING [message]",
    flags="fast",
    since="1.0.0",
    complexity="O(1)",
    tips="request_policy:all_shards response_policy:all_succeeded",
)
def ping(ctx: Context, *message: bytes) -> object:
    """Returns the server's liveliness response."""
    session = ctx.session
    if session.gate & SUBSCRIBER and session.protocol == 2 and len(message) <= 1:
        return [b"pong", *(message or (b"",))]
    if not message:
        return PONG
    if len(message) > 1:
        raise CommandError(wrong_arity("ping"))
    return message[0]


@command("ECHO message", flags="loading stale fast", since="1.0.0", complexity="O(1)")
def echo(ctx: Context, message: bytes) -> bytes:
    """Returns the given string."""
    return message


@command("SELECT index", flags="loading stale fast", since="1.0.0", complexity="O(1)")
def select(ctx: Context, index: bytes) -> object:
    """Changes the selected database."""
    ctx.select(ctx.database_at(index).number)
    return OK


@command(
    "QUIT",
    arity=-1,
    flags="allow_busy noscript loading stale fast no_auth",
    since="1.0.0",
    complexity="O(1)",
    deprecated=("7.2.0", "just closing the connection"),
)
def quit_(ctx: Context, *ignored: bytes) -> object:
    """Closes the connection."""
    ctx.session.closing = True
    return OK


@command("RESET", flags="noscript loading stale fast no_auth allow_busy", since="6.2.0", complexity="O(1)")
def reset(ctx: Context) -> object:
    """Resets the connection."""
    session = ctx.session
    ctx.engine.discard(session)
    ctx.engine.channels.leave(session)
    ctx.engine.tracking.stop(session)
    ctx.engine.unmonitor(session)
    ctx.select(0)
    session.gate &= ~NO_TOUCH
    if session.muted_commands < 0:
        # Of CLIENT REPLY only OFF ends here: what SKIP skips is this reply.
        session.gate &= ~MUTED
    session.protocol = 2
    session.name = b""
    session.no_evict = False
    session.user = DEFAULT_USER
    if ctx.config.requirepass:
        session.gate |= UNAUTHENTICATED
    return Status(b"RESET")


@command(
    "AUTH [username] password",
    flags="noscript loading stale fast no_auth allow_busy",
    since="1.0.0",
    complexity="O(N) where N is the number of passwords defined for the user",
)
def auth(ctx: Context, first: bytes, *rest: bytes) -> object:
    """Authenticates the connection."""
    if len(rest) > 1:
        raise CommandError(SYNTAX)
    if not rest and not ctx.config.requirepass:
        raise CommandError(NO_PASSWORD_SET)
    authenticate(ctx, first if rest else DEFAULT_USER.encode(), rest[0] if rest else first)
    return OK


def authenticate(ctx: Context, user: bytes, password: bytes) -> None:
    """Lets a session in, or raises WRONGPASS. Without `requirepass` the default user needs no password."""
    secret = ctx.config.requirepass
    if user != DEFAULT_USER.encode() or (secret and not hmac.compare_digest(secret, password)):
        raise CommandError(WRONG_PASS)
    ctx.session.gate &= ~UNAUTHENTICATED


@command(
    "HELLO [protover [AUTH username password] [SETNAME clientname]]",
    flags="noscript loading stale fast no_auth allow_busy",
    since="6.0.0",
    complexity="O(1)",
)
def hello(ctx: Context, *options: bytes) -> object:
    """Handshakes with the server and sets the protocol."""
    session = ctx.session
    arguments = Arguments(options)
    protocol = session.protocol
    if arguments:
        protocol = parse_int(arguments.take(), HELLO_PROTO)
        if protocol not in (2, 3):
            raise CommandError(NO_PROTO)
    name: bytes | None = None
    while arguments:
        option = arguments.take()
        word = option.upper()
        if word == b"AUTH" and len(arguments) >= 2:
            authenticate(ctx, arguments.take(), arguments.take())
        elif word == b"SETNAME" and arguments:
            name = client_name(arguments.take())
        else:
            raise CommandError(hello_option(option))
    if session.gate & UNAUTHENTICATED:
        raise CommandError(NO_AUTH_HELLO)
    if name is not None:
        session.name = name
    session.protocol = protocol
    return {
        b"server": b"redis",
        b"version": REDIS_VERSION.encode(),
        b"proto": protocol,
        b"id": session.id,
        b"mode": b"standalone",
        b"role": b"master",
        b"modules": [],
    }


container(
    "CLIENT",
    since="2.4.0",
    group="connection",
    summary="A container for client connection commands.",
    help_since="5.0.0",
)

PLAIN = "noscript loading stale"
ADMIN = "admin noscript loading stale"


@command("CLIENT ID", flags=PLAIN, since="5.0.0", complexity="O(1)")
def client_id(ctx: Context) -> int:
    """Returns the unique client ID of the connection."""
    return ctx.session.id


@command("CLIENT GETNAME", flags=PLAIN, since="2.6.9", complexity="O(1)")
def client_getname(ctx: Context) -> bytes | None:
    """Returns the name of the connection."""
    return ctx.session.name or None


@command(
    "CLIENT SETNAME connection-name",
    flags=PLAIN,
    since="2.6.9",
    complexity="O(1)",
    tips="request_policy:all_nodes response_policy:all_succeeded",
)
def client_setname(ctx: Context, connection_name: bytes) -> object:
    """Sets the connection name."""
    ctx.session.name = client_name(connection_name)
    return OK


def client_name(name: bytes) -> bytes:
    """A name that fits into a line of CLIENT LIST."""
    if not is_one_word(name):
        raise CommandError(BAD_CLIENT_NAME)
    return name


def is_one_word(text: bytes) -> bool:
    """Whether all bytes are printable ASCII and none is a blank."""
    return all(33 <= byte <= 126 for byte in text)


@command(
    "CLIENT SETINFO <LIB-NAME libname | LIB-VER libver>",
    flags=PLAIN,
    since="7.2.0",
    complexity="O(1)",
    tips="request_policy:all_nodes response_policy:all_succeeded",
)
def client_setinfo(ctx: Context, attribute: bytes, value: bytes) -> object:
    """Sets information specific to the client or connection."""
    word = attribute.upper()
    if word not in (b"LIB-NAME", b"LIB-VER"):
        raise CommandError(client_info_option(attribute))
    if not is_one_word(value):
        raise CommandError(bad_client_info(word.decode().lower()))
    if word == b"LIB-NAME":
        ctx.session.lib_name = value
    else:
        ctx.session.lib_version = value
    return OK


@command("CLIENT NO-EVICT <ON | OFF>", flags=ADMIN, since="7.0.0", complexity="O(1)")
def client_no_evict(ctx: Context, enabled: bytes) -> object:
    """Sets the client eviction mode of the connection."""
    ctx.session.no_evict = is_on(enabled)
    return OK


@command("CLIENT NO-TOUCH <ON | OFF>", flags=PLAIN, since="7.2.0", complexity="O(1)")
def client_no_touch(ctx: Context, enabled: bytes) -> object:
    """Controls whether commands sent by the client affect the LRU/LFU of accessed keys."""
    if is_on(enabled):
        ctx.session.gate |= NO_TOUCH
    else:
        ctx.session.gate &= ~NO_TOUCH
    return OK


def is_on(word: bytes) -> bool:
    """The meaning of ON or OFF."""
    switch = word.upper()
    if switch not in (b"ON", b"OFF"):
        raise CommandError(SYNTAX)
    return switch == b"ON"


@command("CLIENT REPLY <ON | OFF | SKIP>", flags=PLAIN, since="3.2.0", complexity="O(1)")
def client_reply(ctx: Context, action: bytes) -> object:
    """Instructs the server whether to reply to commands."""
    session = ctx.session
    word = action.upper()
    if word == b"ON":
        session.gate &= ~MUTED
        return OK
    if word == b"SKIP":
        if not session.gate & MUTED or session.muted_commands > 0:
            session.muted_commands = 2
    elif word == b"OFF":
        session.muted_commands = -1
    else:
        raise CommandError(SYNTAX)
    session.gate |= MUTED
    return NO_REPLY


@command("CLIENT UNBLOCK client-id [TIMEOUT | ERROR]", flags=ADMIN, since="5.0.0", complexity="O(log N)")
def client_unblock(ctx: Context, client_id: bytes, *reason: bytes) -> int:
    """Unblocks a client blocked by a blocking command from a different connection."""
    word = reason[0].upper() if reason else b"TIMEOUT"
    if word not in (b"TIMEOUT", b"ERROR") or len(reason) > 1:
        raise CommandError(UNBLOCK_REASON)
    session = ctx.engine.sessions.get(parse_int(client_id))
    return int(session is not None and ctx.engine.waits.unblock(session, word == b"ERROR"))


@command("CLIENT INFO", flags=PLAIN, since="6.2.0", complexity="O(1)", tips="nondeterministic_output")
def client_info(ctx: Context) -> Verbatim:
    """Returns information about the connection."""
    return Verbatim(describe(ctx, ctx.session).encode("utf-8", "surrogateescape") + b"\n")


@command(
    "CLIENT LIST [TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] [ID client-id [client-id ...]]",
    flags=ADMIN,
    since="2.4.0",
    complexity="O(N) where N is the number of client connections",
    tips="nondeterministic_output",
)
def client_list(ctx: Context, *options: bytes) -> Verbatim:
    """Lists open connections."""
    arguments = Arguments(options)
    sessions = list(ctx.engine.sessions.values())
    while arguments:
        word = arguments.word()
        if word == b"TYPE" and arguments:
            kind = client_type(arguments.take())
            sessions = [session for session in sessions if type_of(session) == kind]
        elif word == b"ID" and arguments:
            wanted = {client_identity(item, INVALID_CLIENT_ID) for item in arguments.rest()}
            sessions = [session for session in sessions if session.id in wanted]
        else:
            raise CommandError(SYNTAX)
    lines = "".join(f"{describe(ctx, session)}\n" for session in sessions)
    return Verbatim(lines.encode("utf-8", "surrogateescape"))


def client_identity(text: bytes, error: str) -> int:
    number = try_int(text)
    if number is None or number <= 0:
        raise CommandError(error)
    return number


def client_type(name: bytes) -> bytes:
    kind = CLIENT_TYPES.get(name.lower())
    if kind is None:
        raise CommandError(unknown_client_type(name))
    return kind


def type_of(session: Session) -> bytes:
    return b"pubsub" if session.gate & SUBSCRIBER else b"normal"


def describe(ctx: Context, session: Session) -> str:
    """A session as one line of CLIENT LIST."""
    now_us = ctx.engine.clock.monotonic_us()
    buffers = dict(session.buffers())
    channels = ctx.engine.channels
    fields: dict[str, object] = {
        "id": session.id,
        "addr": session.address,
        "laddr": session.local_address,
        "fd": buffers.pop("fd", -1),
        "name": session.name.decode("utf-8", "surrogateescape"),
        "age": (now_us - session.created_us) // 1_000_000,
        "idle": (now_us - session.active_us) // 1_000_000,
        "flags": flags_of(session),
        "db": session.database.number,
        "sub": channels.channels.subscriptions(session),
        "psub": channels.patterns.subscriptions(session),
        "ssub": channels.shards.subscriptions(session),
        "multi": len(session.queue) if session.gate & IN_MULTI else -1,
        "watch": len(session.watched),
        **buffers,
        "cmd": session.last_command,
        "user": session.user,
        "redir": -1 if session.tracker is None else session.tracker.redirect,
        "resp": session.protocol,
        "lib-name": session.lib_name.decode(),
        "lib-ver": session.lib_version.decode(),
        "tot-cmds": session.commands,
    }
    return " ".join(f"{name}={value}" for name, value in fields.items())


def flags_of(session: Session) -> str:
    letters = {
        "O": bool(session.gate & MONITOR),
        "P": bool(session.gate & SUBSCRIBER),
        "x": bool(session.gate & IN_MULTI) or session.executing,
        "b": session.wait is not None,
        "t": session.tracker is not None,
        "R": session.tracker is not None and session.tracker.redirect_broken,
        "B": session.tracker is not None and session.tracker.broadcast,
        "d": session.watch_broken,
        "c": session.closing,
        "U": session.kind == "unix",
        "e": session.no_evict,
        "T": bool(session.gate & NO_TOUCH),
    }
    return "".join(letter for letter, applies in letters.items() if applies) or "N"


KILL_FILTERS = (
    "[ID client-id] | [TYPE <NORMAL | MASTER | PRIMARY | SLAVE | REPLICA | PUBSUB>] | [USER username] | "
    "[ADDR ip:port] | [LADDR ip:port] | [SKIPME <YES | NO>] | [MAXAGE maxage]"
)


@command(
    f"CLIENT KILL <ip:port | <{KILL_FILTERS} [{KILL_FILTERS} ...]>>",
    flags=ADMIN,
    since="2.4.0",
    complexity="O(N) where N is the number of client connections",
)
def client_kill(ctx: Context, first: bytes, *rest: bytes) -> object:
    """Terminates open connections."""
    if not rest:
        victims = [session for session in sessions_of(ctx) if session.address == first.decode("latin-1")]
        if not victims:
            raise CommandError(NO_SUCH_CLIENT)
        kill(ctx, victims[:1])
        return OK
    tests, skip_me = kill_filters(ctx, Arguments((first, *rest)))
    victims = [session for session in sessions_of(ctx) if all(test(session) for test in tests)]
    if skip_me:
        victims = [session for session in victims if session is not ctx.session]
    kill(ctx, victims)
    return len(victims)


def sessions_of(ctx: Context) -> Iterator[Session]:
    yield from ctx.engine.sessions.values()


def kill_filters(ctx: Context, arguments: Arguments) -> tuple[list[Callable[[Session], bool]], bool]:
    """The tests a session must pass to be killed, and whether the asking one is spared."""
    tests: list[Callable[[Session], bool]] = []
    skip_me = True
    now_us = ctx.engine.clock.monotonic_us()
    while arguments:
        word = arguments.word()
        value = arguments.take()
        if word == b"ID":
            identity = client_identity(value, CLIENT_ID)
            tests.append(lambda session, identity=identity: session.id == identity)  # type: ignore[misc]
        elif word == b"TYPE":
            kind = client_type(value)
            tests.append(lambda session, kind=kind: type_of(session) == kind)  # type: ignore[misc]
        elif word in (b"ADDR", b"LADDR"):
            attribute = "address" if word == b"ADDR" else "local_address"
            address = value.decode("latin-1")
            tests.append(lambda session, attribute=attribute, address=address: getattr(session, attribute) == address)  # type: ignore[misc]
        elif word == b"USER":
            if value != DEFAULT_USER.encode():
                raise CommandError(no_such_user(value))
        elif word == b"MAXAGE":
            age_us = parse_int(value) * 1_000_000
            tests.append(lambda session, age_us=age_us: now_us - session.created_us >= age_us)  # type: ignore[misc]
        elif word == b"SKIPME" and value.upper() in (b"YES", b"NO"):
            skip_me = value.upper() == b"YES"
        else:
            raise CommandError(SYNTAX)
    return tests, skip_me


def kill(ctx: Context, victims: list[Session]) -> None:
    """Ends connections; the asking one after its reply."""
    for session in victims:
        if session is ctx.session:
            session.closing = True
        else:
            # The connection may take until the end of the turn to close; it receives nothing any more.
            ctx.engine.channels.leave(session)
            session.close()
