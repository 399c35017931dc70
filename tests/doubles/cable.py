"""A network cable between a client and a server of this machine: it can be cut, or hold everything back."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from select import select
from types import TracebackType


class Cable:
    """A relay of TCP connections on a port of its own.

    Args:
        port: The server's port at 127.0.0.1.

    Attributes:
        port: The port for clients.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener: socket.socket | None = None
        self._open = list[socket.socket]()
        self._passing = threading.Event()
        self._passing.set()
        self.port = 0
        self.mend()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cut(self) -> None:
        """End all connections without a farewell, and refuse new ones."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with suppress(OSError):  # it wakes the thread that waits; until then a closed port stays taken
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        connections, self._open = self._open, []
        for connection in connections:
            with suppress(OSError):  # a reset in place of an orderly end
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def hang(self) -> None:
        """Hold back all bytes from now on, and close nothing."""
        self._passing.clear()

    def mend(self) -> None:
        """Let everything pass again; what was held back is lost with its connection."""
        if not self._passing.is_set():
            self.cut()
            self._passing.set()
        if self._listener is None:
            self._listener = socket.create_server(("127.0.0.1", self.port))
            self.port = self._listener.getsockname()[1]
            threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def __enter__(self) -> Cable:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._passing.set()
        self.cut()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                if not select([listener], [], [], 0.2)[0]:
                    continue
                client, _ = listener.accept()
            except (OSError, ValueError):  # closed
                return
            if self._listener is not listener:
                client.close()
                return
            threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    def _relay(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self._target))
        except OSError:
            client.close()
            return
        self._open += [client, server]
        with suppress(OSError, ValueError):
            while True:
                for side in select([client, server], [], [], 0.2)[0]:
                    data = side.recv(65536)
                    if not self._passing.is_set():
                        self._passing.wait()
                        return
                    if not data:
                        return
                    (server if side is client else client).sendall(data)
        for side in (client, server):
            side.close()
