"""The chat with real WebSockets: two rooms, a slow socket, a cut connection that resumes, notifications."""

from __future__ import annotations

import importlib.util
import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import uvicorn
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

import alcove
from tests.waiting import PATIENCE_S, eventually

APP = Path(__file__).parent.parent.parent / "examples" / "chat" / "app.py"
# More messages than all buffers between a program and a socket that does not read.
MANY = 600


class Chat:
    """The program, running in a thread, and clients of it."""

    def __init__(self, module: ModuleType) -> None:
        config = uvicorn.Config(module.app, host="127.0.0.1", port=0, log_level="warning", ws_max_queue=1)
        self._server = uvicorn.Server(config)
        # Small buffers, so that a socket that does not read is soon noticed.
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)
        listening.bind(("127.0.0.1", 0))
        self._port = listening.getsockname()[1]
        self._thread = threading.Thread(target=self._server.run, args=([listening],), daemon=True)
        self._thread.start()
        eventually(lambda: self._server.started)

    def open(self, path: str, **options: Any) -> ClientConnection:
        return connect(f"ws://127.0.0.1:{self._port}{path}", **options)

    def slow(self, path: str) -> ClientConnection:
        """A client whose computer takes in next to nothing."""
        narrow = socket.socket()
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        narrow.connect(("127.0.0.1", self._port))
        return self.open(path, sock=narrow, max_queue=1, compression=None)

    def post(self, path: str, **body: Any) -> Any:
        request = urllib.request.Request(f"http://127.0.0.1:{self._port}{path}", json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:
            return json.load(response)

    def get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=PATIENCE_S) as response:
            return str(response.read().decode())

    def close(self) -> None:
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(PATIENCE_S)


@pytest.fixture(params=["embedded", "served"])
def chat(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Chat]:
    monkeypatch.setenv("CHAT_PATIENCE", "0.5")
    with ExitStack() as running:
        monkeypatch.delenv("ALCOVE_URL", raising=False)
        if request.param == "served":
            port = running.enter_context(alcove.serve(port=0)).port
            monkeypatch.setenv("ALCOVE_URL", f"redis://127.0.0.1:{port}")
        chat = Chat(loaded())
        running.callback(chat.close)
        yield chat


def loaded() -> ModuleType:
    """The program, as a module."""
    spec = importlib.util.spec_from_file_location("chat_example", APP)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def heard(connection: ClientConnection, kind: str, until: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
    """What a socket says of a kind, up to what is waited for."""
    found: list[dict[str, Any]] = []
    while not (found and until(found[-1])):
        data = json.loads(connection.recv(timeout=PATIENCE_S))
        if data["type"] == kind:
            found.append(data)
    return found


def until_closed(connection: ClientConnection) -> list[Any]:
    """All that a socket says before it is closed."""
    found = []
    try:
        while True:
            found.append(connection.recv(timeout=PATIENCE_S))
    except ConnectionClosed:
        return found


def texts(connection: ClientConnection, last: str) -> list[str]:
    return [one["text"] for one in heard(connection, "message", lambda one: one["text"] == last)]


def test_the_page(chat: Chat) -> None:
    assert "<h1>Alcove chat</h1>" in chat.get("/")


def test_two_rooms(chat: Chat) -> None:
    with (
        chat.open("/rooms/1?user=ann") as ann,
        chat.open("/rooms/1?user=bob") as bob,
        chat.open("/rooms/2?user=cy") as cy,
    ):
        heard(ann, "present", lambda one: one["users"] == ["ann", "bob"])
        ann.send(json.dumps({"text": "hello"}))
        assert chat.post("/api/chat/send", room="2", user="dee", text="in two")["success"]
        assert texts(ann, "hello") == texts(bob, "hello") == ["hello"]
        assert texts(cy, "in two") == ["in two"]
    with chat.open("/rooms/1?user=eve") as eve:
        assert texts(eve, "hello") == ["hello"]


def test_a_cut_connection_resumes(chat: Chat) -> None:
    with chat.open("/rooms/1?user=ann") as ann:
        ann.send(json.dumps({"text": "1", "id": "a"}))
        (first,) = heard(ann, "message", lambda one: True)
        ann.socket.close()
    # It was not known whether it had arrived: sent again, it is said once.
    for text, id in (("1", "a"), ("2", "b"), ("3", "c")):
        chat.post("/api/chat/send", room="1", user="bob", text=text, id=id)
    with chat.open(f"/rooms/1?user=ann&after={first['id']}") as ann:
        chat.post("/api/chat/send", room="1", user="bob", text="4")
        assert texts(ann, "4") == ["2", "3", "4"]


def test_a_slow_socket_holds_nobody_up(chat: Chat) -> None:
    with chat.slow("/rooms/1?user=slow") as slow, chat.open("/rooms/1?user=quick") as quick:
        heard(quick, "present", lambda one: one["users"] == ["quick", "slow"])
        for number in range(MANY):
            quick.send(json.dumps({"text": f"{number} " + "x" * 3900}))
            if number % 50 == 49:
                heard(quick, "message", lambda one, number=number: one["text"].startswith(f"{number} "))
        # The slow one was closed, and is gone from the room.
        heard(quick, "present", lambda one: one["users"] == ["quick"])
        assert len(until_closed(slow)) < MANY


def test_notifications(chat: Chat) -> None:
    chat.post("/api/notify", user="ann", text="while you were away")
    with chat.open("/users/ann?roles=admin") as ann, chat.open("/users/bob") as bob:
        (first,) = heard(ann, "notification", lambda one: True)
        assert first["text"] == "while you were away"
        chat.post("/api/notify", role="admin", text="for admins")
        chat.post("/api/notify", text="for all")
        both = [heard(ann, "notification", lambda _: True)[0]["text"] for _ in range(2)]
        assert sorted(both) == ["for admins", "for all"]
        assert [one["text"] for one in heard(bob, "notification", lambda _: True)] == ["for all"]
        heard(ann, "unread", lambda one: one["count"] == 3)
        ann.send(json.dumps({"read": [first["id"]]}))
        heard(ann, "unread", lambda one: one["count"] == 2)
    with chat.open("/users/ann?roles=admin") as ann:
        heard(ann, "unread", lambda one: one["count"] == 2)


def test_what_makes_no_sense(chat: Chat) -> None:
    for path in ("/rooms/1?user=", "/rooms/1?user=ann&after=x"):
        with chat.open(path) as connection, pytest.raises(ConnectionClosed) as caught:
            connection.recv(timeout=PATIENCE_S)
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1003
    with chat.open("/rooms/1?user=ann") as ann:
        ann.send(json.dumps({"text": ""}))
        until_closed(ann)
    with pytest.raises(urllib.error.HTTPError) as refused:
        chat.post("/api/chat/send", room="1", user="ann", text="x" * 5000)
    assert refused.value.code == 400
