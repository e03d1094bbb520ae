"""One TCP connection to one target."""

from __future__ import annotations

import socket
import threading
import time
from urllib.parse import urlsplit

from uno_core import ConfigError, Probe, Services, Target
from uno_health_tcp.options import TcpOptions

ANSWER_LIMIT = 64 * 1024
"""As much of an answer is looked at, and no more."""


class TcpCheck:
    """Connects once; the timeout covers name lookup, connection and answer together."""

    def __init__(self, options: TcpOptions, services: Services) -> None:  # noqa: ARG002 - as the core calls it
        """Keep the options; do no I/O. Raises ConfigError for a URL that is no tcp://host:port."""
        self._options = options
        self._host, self._port = options.host, options.port
        if options.url:
            parts = urlsplit(options.url)
            # Not parts.port: `{port}` is a port here.
            host, _, port = parts.netloc.rpartition(":")
            if parts.scheme.lower() != "tcp" or not host or not port or parts.path not in ("", "/"):
                raise ConfigError(
                    "the health check tcp cannot connect to this URL",
                    found=options.url,
                    expected="tcp://host:port",
                )
            self._host, self._port = host.removeprefix("[").removesuffix("]"), port

    @property
    def per_instance(self) -> bool:
        return any(name in self._host + self._port for name in ("{host}", "{port}"))

    def check(self, target: Target, timeout: float) -> Probe:
        """One connection. Raises ConfigError where host and port are none: nobody's health is known then."""
        end = time.monotonic() + timeout
        host, port = self._address(target)
        try:
            answer = self._talk(host, port, target, end)
        except TimeoutError:
            answer = (False, f"timed out after {timeout:g} s")
        except OSError as error:
            answer = (False, _in_words(error))
        healthy, text = answer
        return Probe(target=str(target), healthy=healthy, answer=f"{_shown(host)}:{port}: {text}")

    def _address(self, target: Target) -> tuple[str, int]:
        host, port = target.fill(self._host), target.fill(self._port)
        if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
            raise ConfigError(
                f"{target} has no address to connect to",
                found=f"host {host!r}, port {port!r}",
                expected="a host, and a port from 1 to 65535",
                remedy="configure host and port of the health check tcp",
            )
        return host, int(port)

    def _talk(self, host: str, port: int, target: Target, end: float) -> tuple[bool, str]:
        with _connect(host, port, end) as connection:
            if self._options.send:
                connection.settimeout(_left(end))
                connection.sendall(target.fill(self._options.send).encode())
            if not self._options.expect:
                return True, "connected"
            return self._listen(connection, target, end)

    def _listen(self, connection: socket.socket, target: Target, end: float) -> tuple[bool, str]:
        got = b""
        while len(got) < ANSWER_LIMIT:
            try:
                connection.settimeout(_left(end))
                chunk = connection.recv(4096)
            except TimeoutError:
                if got:
                    break  # what did come says more than that time ran out
                raise
            if not chunk:
                break
            got += chunk
            if target.found_in(got.decode(errors="replace"), self._options.expect):
                return True, f"answered {_excerpt(got)}"
        return False, f"answered {_excerpt(got)}, expected {self._options.expect!r}"


def _connect(host: str, port: int, end: float) -> socket.socket:
    last: OSError = OSError("no address")
    for family, kind, protocol, address in _look_up(host, port, _left(end)):
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(_left(end))
            connection.connect(address)
            return connection
        except OSError as error:
            connection.close()
            last = error
    raise last


def _look_up(host: str, port: int, timeout: float) -> list[tuple[int, int, int, tuple[str, int]]]:
    """The addresses of a name. In a thread, since the system's own lookup has no deadline."""
    found: list[tuple[int, int, int, tuple[str, int]]] = []
    errors: list[OSError] = []

    def run() -> None:
        try:
            for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
                found.append((family, kind, protocol, address))  # type: ignore[arg-type]  # longer for IPv6
        except OSError as error:
            errors.append(error)
        except UnicodeError:
            errors.append(socket.gaierror(socket.EAI_NONAME, "not a host's name"))

    thread = threading.Thread(target=run, name="uno-health-tcp", daemon=True)
    thread.start()
    thread.join(timeout)
    if thread.is_alive():
        raise TimeoutError
    if errors:
        raise errors[0]
    return found


def _left(end: float) -> float:
    """Seconds until the end. Raises TimeoutError where there are none: 0 would mean no deadline."""
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _excerpt(got: bytes) -> str:
    text = " ".join(got.decode(errors="replace").split())
    if not text:
        return "nothing"
    text = "".join(c if c.isprintable() else "�" for c in text)
    return repr(text if len(text) <= 80 else text[:80] + "…")


def _in_words(error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return "the host's name was not found"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return "connection reset"
    return (error.strerror or str(error) or type(error).__name__).lower()


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
