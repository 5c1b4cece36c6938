"""Which sockets are ready: `epoll` where there is one, `selectors` elsewhere, with one small interface."""

from __future__ import annotations

import select
import selectors
import sys
from typing import Final, Protocol

# What a socket can be ready for. The bits are those of epoll, which may add others: the peer is gone, an error.
READ: Final = 1
WRITE: Final = 4


class Poller(Protocol):
    """Descriptors with the events that are awaited on each; level-triggered."""

    def add(self, fd: int, interest: int) -> None: ...

    def change(self, fd: int, interest: int) -> None: ...

    def remove(self, fd: int) -> None: ...

    def wait(self, timeout_ms: int) -> list[tuple[int, int]]:
        """The descriptors that are ready, and for what; an empty list when the time is up."""

    def close(self) -> None: ...


class EpollPoller:
    """Linux."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self.add = self._epoll.register
        self.change = self._epoll.modify
        self.remove = self._epoll.unregister
        self.close = self._epoll.close

    def wait(self, timeout_ms: int) -> list[tuple[int, int]]:
        return self._epoll.poll(timeout_ms / 1000)


class SelectorPoller:
    """Everything else: what the `selectors` module finds best there."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self.close = self._selector.close

    def add(self, fd: int, interest: int) -> None:
        self._selector.register(fd, _translated(interest), interest)

    def change(self, fd: int, interest: int) -> None:
        self._selector.modify(fd, _translated(interest), interest)

    def remove(self, fd: int) -> None:
        self._selector.unregister(fd)

    def wait(self, timeout_ms: int) -> list[tuple[int, int]]:
        return [
            (
                key.fd,
                (READ if events & selectors.EVENT_READ else 0) | (WRITE if events & selectors.EVENT_WRITE else 0),
            )
            for key, events in self._selector.select(timeout_ms / 1000)
        ]


def _translated(interest: int) -> int:
    return (selectors.EVENT_READ if interest & READ else 0) | (selectors.EVENT_WRITE if interest & WRITE else 0)


def new_poller() -> Poller:
    return EpollPoller() if sys.platform == "linux" else SelectorPoller()
