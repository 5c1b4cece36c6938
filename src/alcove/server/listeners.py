"""The sockets that the server listens on, TCP and Unix, opened as the configuration says."""

from __future__ import annotations

import errno
import logging
import os
import socket
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

# A machine without IPv6, or without the address: what a dash before an address forgives, and what is always forgiven.
_NO_SUCH_ADDRESS: Final = errno.EADDRNOTAVAIL
_NO_SUCH_FAMILY: Final = frozenset(
    (errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, errno.ESOCKTNOSUPPORT, errno.EPFNOSUPPORT, errno.ENOPROTOOPT)
)
# How often another free port is tried when the one found for the first address is taken on the next.
_PORT_ATTEMPTS: Final = 10

log = logging.getLogger(__name__)


class CannotListen(OSError):
    """No socket could be opened where the configuration wants one; the text says which and why."""


@dataclass(eq=False)
class Listener:
    """A listening socket; `kind` is that of its sessions."""

    socket: socket.socket
    kind: str
    # The host, or the path of a Unix socket, and for that the file it is bound to.
    host: str
    port: int = 0
    inode: int = field(default=0, repr=False)

    @property
    def fd(self) -> int:
        return self.socket.fileno()

    def close(self) -> None:
        """Stops listening, and removes the file of a Unix socket unless another server has taken its place."""
        self.socket.close()
        if self.kind == "unix":
            try:
                if os.stat(self.host).st_ino == self.inode:
                    log.info("Removing the unix socket file.")
                    os.unlink(self.host)
            except FileNotFoundError:
                log.warning("The unix socket file %s is gone already", self.host)


def listen_tcp(addresses: Iterable[str], port: int, backlog: int, mark: int = 0) -> list[Listener]:
    """Listens on every address: names, IPv4, IPv6, `*` for all; a dash before one says that it may be missing.

    Port 0 chooses one that is free, the same on all addresses. All or, with a `CannotListen`, none of them.
    """
    wanted = list(addresses)
    for attempt in range(_PORT_ATTEMPTS):
        opened: list[Listener] = []
        try:
            for address in wanted:
                opened += _listen_address(address, opened[0].port if opened else port, backlog, mark)
            if not opened:
                raise CannotListen(errno.EADDRNOTAVAIL, f"Failed listening on port {port} (TCP): no address to bind")
        except CannotListen as error:
            for listener in opened:
                listener.close()
            if port or error.errno != errno.EADDRINUSE or attempt == _PORT_ATTEMPTS - 1:
                raise
        else:
            break
    return opened


def _listen_address(address: str, port: int, backlog: int, mark: int) -> list[Listener]:
    host = address.removeprefix("-")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        if host in ("*", "::*"):
            sock = _bound(family, (None, port), mark)
        else:
            sock = _bound(family, (host, port), mark)
    except OSError as error:
        if error.errno in _NO_SUCH_FAMILY or (address.startswith("-") and error.errno == _NO_SUCH_ADDRESS):
            return []
        reason = f"Could not create server TCP listening socket {host}:{port}: {error.strerror}"
        raise CannotListen(error.errno, reason) from error
    sock.listen(min(backlog, socket.SOMAXCONN) if os.name == "nt" else backlog)
    return [Listener(sock, "tcp", host, sock.getsockname()[1])]


def _bound(family: socket.AddressFamily, address: tuple[str | None, int], mark: int) -> socket.socket:
    where = socket.getaddrinfo(*address, family, socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][4]
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if os.name == "posix":
            # Elsewhere it would let two servers share a port.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if mark:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
        sock.bind(where)
    except BaseException:
        sock.close()
        raise
    return sock


def listen_unix(path: str, permissions: int, group: str, backlog: int) -> Listener:
    """Listens on a Unix socket, whose permissions are set before anyone can connect.

    A socket file that nobody listens on is replaced; any other file is left alone. Raises `CannotListen`.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _make_way(path)
        sock.setblocking(False)
        sock.bind(path)
        if permissions:
            os.chmod(path, permissions)
        if group:
            import shutil  # rarely needed, and long to import

            shutil.chown(path, group=group)
        # Until here a client that connects is refused.
        sock.listen(backlog)
        return Listener(sock, "unix", path, inode=os.stat(path).st_ino)
    except (OSError, LookupError) as error:
        sock.close()
        code, reason = (error.errno, error.strerror) if isinstance(error, OSError) else (errno.EINVAL, error)
        raise CannotListen(code, f"Failed opening Unix socket {path}: {reason}") from error


def _make_way(path: str) -> None:
    """Removes the socket file of a server that is gone."""
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            return
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
