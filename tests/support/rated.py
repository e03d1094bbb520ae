"""An application whose versions fail and dawdle as they are told: `rated.py PORT VERSION RATE...`.

A RATE is `v2=0.05/1.5`: five answers in a hundred fail, and they take half as long again. A version that
is not named fails once in a hundred times; 10 ms are the median, log-normally distributed.
"""

from __future__ import annotations

import asyncio
import random
import signal
import sys

ERRORS = 0.01
SECONDS = 0.010
SPREAD = 0.5


async def answered(reader, writer, version, errors, slow):
    chance = random.Random()
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            status, text = "200 OK", version
            if not head.startswith(b"GET /health"):
                await asyncio.sleep(SECONDS * slow * chance.lognormvariate(0.0, SPREAD))
                if chance.random() < errors:
                    status, text = "500 Internal Server Error", f"{version} failed"
            body = f"{text}\n".encode()
            writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main(port, version, rates):
    found = next((rate for rate in rates if rate.startswith(f"{version}=")), f"={ERRORS}/1")
    errors, _, slow = found.partition("=")[2].partition("/")
    server = await asyncio.start_server(
        lambda reader, writer: answered(reader, writer, version, float(errors), float(slow)),
        "127.0.0.1",
        port,
    )
    leave = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, leave.set)
    async with server:
        await leave.wait()


if __name__ == "__main__":
    _, port, version, *rates = sys.argv
    asyncio.run(main(int(port), version, rates))
