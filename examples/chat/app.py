"""A chat with notifications over WebSockets: rooms with history and presence, an inbox for each user."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

import alcove.asyncio
from alcove.patterns import ChatMessage, InvalidArgument, Notification, SlowListener
from alcove.patterns.asyncio import Broadcaster, ChatRoom, NotificationService

PAGE = Path(__file__).parent / "index.html"
# What waits for a socket in this process; the rest waits in the room, and is read from there.
MOST_WAITING = 100
# A socket that takes nothing for so long is closed; its user comes back where he was.
PATIENCE_S = float(os.environ.get("CHAT_PATIENCE", "10"))
# WebSocket's codes for "try again later" and "unacceptable data".
TOO_SLOW, REFUSED = 1013, 1003


@contextlib.asynccontextmanager
async def running(app: Starlette) -> AsyncIterator[None]:
    """One client for all who come, for as long as the program runs."""
    client = alcove.asyncio.from_url()
    app.state.client = client
    app.state.notifications = NotificationService(client)
    try:
        yield
    finally:
        await Broadcaster.of(client).aclose()
        await client.aclose()


def room_of(connection: Request | WebSocket) -> ChatRoom:
    return ChatRoom(connection.app.state.client, connection.path_params["room"])


# Pages and calls


async def page(_: Request) -> Response:
    return FileResponse(PAGE)


async def send(request: Request) -> Response:
    """The chapter's call: `{"room": ..., "user": ..., "text": ...}`, and an `id` so that it is said once."""
    body = await request.json()
    room = ChatRoom(request.app.state.client, str(body.get("room", "")))
    message = await room.send(body.get("user"), body.get("text"), id=body.get("id"))
    return JSONResponse({"success": True, "id": message.id})


async def notify(request: Request) -> Response:
    """`{"text": ...}` with a `user`, a `role`, or neither for everybody."""
    body = await request.json()
    service: NotificationService = request.app.state.notifications
    content = {"text": str(body.get("text", ""))}
    if "user" in body:
        sent = await service.notify(str(body["user"]), content)
    elif "role" in body:
        sent = await service.notify_by_role(str(body["role"]), content)
    else:
        sent = await service.notify_all(content)
    return JSONResponse({"success": True, "id": sent.id})


async def refused(_: Request, error: Exception) -> Response:
    return JSONResponse({"success": False, "error": str(error)}, status_code=400)


# Sockets


def shown(message: ChatMessage) -> dict[str, Any]:
    return {
        "type": "message",
        "id": message.id,
        "user": message.user,
        "text": message.text,
        "timestamp": message.timestamp,
    }


async def give(socket: WebSocket, data: dict[str, Any]) -> None:
    """Sends, unless the socket takes nothing: then it is closed, and its user told why."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            await socket.send_json(data)
    except TimeoutError:
        raise SlowListener("this connection takes its messages too slowly") from None


async def serve(socket: WebSocket, *parts: Coroutine[Any, Any, None]) -> None:
    """Runs what a socket needs until one part of it ends, and ends it as is fit."""
    tasks = {asyncio.create_task(part) for part in parts}
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    while pending:
        # More than once: a client that is just connecting may take a cancellation for its own.
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=0.1)
    for task in done:
        match task.exception():
            case SlowListener() as error:
                await close(socket, TOO_SLOW, str(error))
            case InvalidArgument() as error:
                await close(socket, REFUSED, str(error))
            case WebSocketDisconnect() | None:
                # Its user has left, or will come back.
                pass
            case error:
                raise error


async def close(socket: WebSocket, code: int, reason: str) -> None:
    with contextlib.suppress(RuntimeError, TimeoutError, WebSocketDisconnect):
        async with asyncio.timeout(1):
            await socket.close(code, reason[:120])


async def chat(socket: WebSocket) -> None:
    """A room's socket: `?user=` says who it is, `?after=` the last message seen before the connection was cut."""
    user, after = socket.query_params.get("user", ""), socket.query_params.get("after")
    await socket.accept()
    room = room_of(socket)
    try:
        seat = await room.join(user, after=after, limit=MOST_WAITING)
    except InvalidArgument as error:
        await close(socket, REFUSED, str(error))
        return

    async def speak() -> None:
        if after is None:
            for message in await room.history(50):
                await give(socket, shown(message))
        async for message in seat:
            if seat.missed:
                seat.missed = False
                await give(socket, {"type": "missed"})
            await give(socket, shown(message))

    async def listen() -> None:
        while True:
            said = await socket.receive_json()
            await room.send(user, said.get("text"), id=said.get("id"))

    async def show_presence() -> None:
        before: list[str] = []
        while True:
            users = await room.present()
            if users != before:
                await give(socket, {"type": "present", "users": users})
                before = users
            await asyncio.sleep(1)

    async with seat:
        await serve(socket, speak(), listen(), show_presence())


async def inbox(socket: WebSocket) -> None:
    """A user's socket: notifications as they come, the unread first; `{"read": [...]}` acknowledges them."""
    user = socket.path_params["user"]
    roles = [role for role in socket.query_params.get("roles", "").split(",") if role]
    await socket.accept()
    service: NotificationService = socket.app.state.notifications
    given: dict[str, Notification] = {}

    async def unread() -> None:
        await give(socket, {"type": "unread", "count": await service.unread_count(user, roles=roles)})

    async def tell(notifications: Any) -> None:
        await unread()
        async for one in notifications:
            given[one.id] = one
            await give(socket, {"type": "notification", "id": one.id, "audience": one.audience, **one.data})
            await unread()

    async def acknowledge() -> None:
        while True:
            read = await socket.receive_json()
            known = [given.pop(id) for id in read.get("read", ()) if id in given]
            await service.mark_read(user, *known)
            await unread()

    async with await service.listen(user, roles=roles, limit=MOST_WAITING) as notifications:
        await serve(socket, tell(notifications), acknowledge())


app = Starlette(
    routes=[
        Route("/", page),
        Route("/api/chat/send", send, methods=["POST"]),
        Route("/api/notify", notify, methods=["POST"]),
        WebSocketRoute("/rooms/{room}", chat),
        WebSocketRoute("/users/{user}", inbox),
    ],
    lifespan=running,
    exception_handlers={InvalidArgument: refused},
)

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ.get("PORT", "8000")))
