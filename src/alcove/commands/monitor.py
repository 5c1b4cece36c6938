"""MONITOR: shows a session every command that the others give."""

from __future__ import annotations

from alcove.engine.context import Context
from alcove.engine.declaration import command
from alcove.engine.session import MONITOR
from alcove.errors import NO_MONITOR_HERE, CommandError
from alcove.values import NO_REPLY, OK

GROUP = "server"


@command("MONITOR", flags="admin noscript loading stale", since="1.0.0", complexity="O(1)")
def monitor(ctx: Context) -> object:
    """Listens for all requests received by the server in real-time.

    As on the real server a monitor that asks again gets no answer, and one in a transaction an error: what is shown
    would not be told from the replies.
    """
    if ctx.session.executing:
        raise CommandError(NO_MONITOR_HERE)
    if ctx.session.gate & MONITOR:
        return NO_REPLY
    ctx.engine.monitor(ctx.session)
    return OK
