"""The sample application of the demo: answers its version; a faulty one answers 500, a sick one is unhealthy.

Run as `python -m uno_platform_local.demo.sample PORT VERSION [faulty] [sick]`.
"""

from __future__ import annotations

import asyncio
import signal
import sys


class Sample:
    """A small HTTP/1.1 server with keep-alive, that finishes what it has begun when it is told to stop."""

    def __init__(self, version: str, *, faulty: bool, sick: bool) -> None:
        self._version = version
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
            await asyncio.sleep(0.2)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while not self._stopping.is_set():
                head = await reader.readuntil(b"\r\n\r\n")
                path = head.split(b" ", 2)[1]
                bad = self._sick if path == b"/health" else self._faulty
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


if __name__ == "__main__":
    _, port_, version_, *flags = sys.argv
    asyncio.run(Sample(version_, faulty="faulty" in flags, sick="sick" in flags).run(int(port_)))
