"""A server for the tests, in a thread, whose clock they can move."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from alcove.engine.clock import ManualClock
from alcove.engine.conf_file import load_options
from alcove.engine.config import Config
from alcove.engine.engine import Engine
from alcove.server.server import Server
from tests.server.wire import Client, registry_with_test_commands


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def start(clock: ManualClock) -> Iterator[Callable[..., Server]]:
    """Starts servers with settings; they end with the test."""
    with ExitStack() as running:

        def start(**settings: object) -> Server:
            config = Config()
            load_options(config, settings)
            engine = Engine(config, clock, registry_with_test_commands())
            return running.enter_context(Server(engine, port=0, bind=["127.0.0.1"]))

        yield start


@pytest.fixture
def server(start: Callable[..., Server]) -> Server:
    return start()


@pytest.fixture
def connect(server: Server) -> Iterator[Callable[[], Client]]:
    """Opens connections to the server."""
    with ExitStack() as opened:
        yield lambda: opened.enter_context(Client(server))


@pytest.fixture
def client(connect: Callable[[], Client]) -> Client:
    return connect()
