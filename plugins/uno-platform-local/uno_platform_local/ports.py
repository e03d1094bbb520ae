"""Free ports on this machine, outside the range from which the kernel takes those of outgoing connections."""

from __future__ import annotations

import random
import socket

from uno_core import PlatformError

FIRST, LAST = 20_000, 30_000


def taken(host: str, port: int) -> str:
    """Why a port cannot be listened on; empty where it can."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # as servers do: connections that linger after a stopped one do not count, a listener does
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            return error.strerror or str(error)
    return ""


def free(excluded: set[int]) -> int:
    """A port that nobody listens on. Anybody may take it in the next moment: be ready for that."""
    for port in random.sample(range(FIRST, LAST), LAST - FIRST):
        # the second one finds those who listen on another address of this machine
        if port not in excluded and not taken("127.0.0.1", port) and not taken("0.0.0.0", port):  # noqa: S104
            return port
    raise PlatformError(
        "there is no free port",
        expected=f"one between {FIRST} and {LAST}",
        remedy="stop what listens there: `ss -tlnp`",
    )
