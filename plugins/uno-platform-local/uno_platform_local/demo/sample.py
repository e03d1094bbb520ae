"""The sample application of the demo: answers its version; a faulty one 500, a sick one is unhealthy."""

from __future__ import annotations

import asyncio
import signal


class Sample:
    """A small HTTP/1.1 server with keep-alive, that finishes what it has begun when it is told to stop."""

    def __init__(self, version: str, *, faulty: bool, sick: bool, delay: float = 0.0) -> None:
        """`delay`: seconds that each answer takes, as if there were work to do."""
        self._version = version
        self._delay = delay
        self._faulty = faulty
        self._sick = sick
        self._stopping = asyncio.Event()

    async def run(self, port: int) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        async with server:
            await self._stopping.wait()
            server.close()
            # Whoever is just being answered gets the answer; idle connections are nobody's loss.
            await asyncio.sleep(0.2 + self._delay)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while not self._stopping.is_set():
                head = await reader.readuntil(b"\r\n\r\n")
                path = head.split(b" ", 2)[1]
                bad = self._sick if path == b"/health" else self._faulty
                if self._delay:
                    await asyncio.sleep(self._delay)
                writer.write(self._answer(bad=bad))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return  # the client went away
        finally:
            writer.close()

    def _answer(self, *, bad: bool) -> bytes:
        body = f"{self._version}\n".encode()
        status = "500 Internal Server Error" if bad else "200 OK"
        close = "connection: close\r\n" if self._stopping.is_set() else ""
        head = (
            f"HTTP/1.1 {status}\r\nx-version: {self._version}\r\ncontent-length: {len(body)}\r\n{close}\r\n"
        )
        return head.encode() + body
