"""A steady load over keep-alive connections, each answer written down.

Run as `python -m uno_platform_local.demo.load HOST PORT RATE CONNECTIONS FILE`; stops at SIGTERM. Each
line of the file is one request: seconds since the epoch, status (0: no answer), version, milliseconds.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from typing import TextIO

REQUEST = b"GET / HTTP/1.1\r\nhost: demo\r\n\r\n"


class Client:
    """One keep-alive connection, opened anew when it is lost."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def get(self) -> tuple[int, str]:
        """Status and version of one answer; status 0 where none came."""
        try:
            if self._streams is None:
                self._streams = await asyncio.open_connection(self._host, self._port)
            reader, writer = self._streams
            writer.write(REQUEST)
            head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)).decode("latin-1")
            status_line, *lines = head.split("\r\n")
            headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
            await reader.readexactly(int(headers.get("content-length", "0")))
            if headers.get("connection") == "close":
                self.close()
            return int(status_line.split(" ")[1]), headers.get("x-version", "-")
        except (OSError, EOFError, ValueError, TimeoutError, asyncio.LimitOverrunError):
            self.close()
            return 0, "-"

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
        self._streams = None


async def ask(client: Client, pace: float, offset: float, out: TextIO, stopping: asyncio.Event) -> None:
    """Request after request at this pace; what was missed is not made up for."""
    due = time.monotonic() + offset
    while not stopping.is_set():
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        began, at = time.monotonic(), time.time()
        status, version = await client.get()
        out.write(f"{at:.4f} {status} {version} {(time.monotonic() - began) * 1000:.2f}\n")
        due = max(due + pace, time.monotonic())
    client.close()


async def flush(out: TextIO, stopping: asyncio.Event) -> None:
    while not stopping.is_set():
        await asyncio.sleep(0.2)
        out.flush()


async def run(host: str, port: int, rate: float, connections: int, path: str) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    pace = connections / rate
    with open(path, "w", encoding="ascii") as out:  # noqa: ASYNC230, PTH123 - lines are buffered, a write is quick
        await asyncio.gather(
            flush(out, stopping),
            *(ask(Client(host, port), pace, i / rate, out, stopping) for i in range(connections)),
        )


if __name__ == "__main__":
    _, host_, port_, rate_, connections_, path_ = sys.argv
    asyncio.run(run(host_, int(port_), float(rate_), int(connections_), path_))
