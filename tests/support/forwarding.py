"""A forwarder before a TCP server that loses answers: what was asked takes effect, and nobody hears of it."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable

from attrs import define, field


@define
class Forwarder:
    """Hands on messages of DNS over TCP, one a connection. `lose` is how many answers are dropped next.

    before: called once before the next message is handed on. change: what becomes of each answer.
    """

    address: str
    port: int
    lose: int = 0
    before: Callable[[], object] | None = None
    change: Callable[[bytes], bytes] | None = None
    _listening: socket.socket = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def own_port(self) -> int:
        return int(self._listening.getsockname()[1])

    def close(self) -> None:
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._hand_on, args=[connection], daemon=True).start()

    def _hand_on(self, connection: socket.socket) -> None:
        with connection:
            self._handed_on(connection)

    def _handed_on(self, connection: socket.socket) -> None:
        asked = _message(connection)
        if (before := self.before) is not None and _is_update(asked):
            self.before = None
            before()
        try:
            with socket.create_connection((self.address, self.port), timeout=10) as server:
                server.sendall(asked)
                answer = _message(server)
        except OSError:
            return  # the server is not there, or says nothing: nor is there an answer from here
        if self.lose and _is_update(asked):
            self.lose -= 1
            return
        if self.change:
            body = self.change(answer[2:])
            answer = struct.pack("!H", len(body)) + body
        try:
            connection.sendall(answer)
        except OSError:
            pass  # whoever asked has gone


def _is_update(message: bytes) -> bool:
    """By the code of the operation (RFC 2136, 2.2)."""
    return len(message) > 4 and (message[4] >> 3) & 15 == 5


def _message(connection: socket.socket) -> bytes:
    """One, with its length before it; less where the other end has gone."""
    with connection.makefile("rb") as file:
        length = file.read(2)
        return length + file.read(struct.unpack("!H", length)[0]) if len(length) == 2 else b""
