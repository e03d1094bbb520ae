"""Whether one instance can take requests: one attempt, and in words why not."""

from __future__ import annotations

import http.client
import socket

import psutil

from uno_platform_local.records import Record

TIMEOUT = 2.0
HOST = "127.0.0.1"
SETTLE = 1.0
"""How long an instance must run where it has no port to look at."""


def probe(record: Record, pid: int, age: float, *, first: bool) -> str:
    """One attempt; empty where the instance is ready. `first` also asks whose port it is."""
    if record.readiness == "none":
        return "" if age >= SETTLE else f"has run for {age:.1f} s of {SETTLE:g} s"
    reason = _http(record.port, record.readiness) if record.readiness else _tcp(record.port)
    if reason == _REFUSED:
        return f"does not listen on port {record.port} yet ({age:.0f} s)"
    if not reason and first and (thief := foreign(record.port, pid)):
        return f"address in use: {thief} listens on port {record.port}"
    return reason


_REFUSED = "refused"


def _tcp(port: int) -> str:
    try:
        socket.create_connection((HOST, port), timeout=TIMEOUT).close()
    except ConnectionRefusedError:
        return _REFUSED
    except OSError as error:
        return f"no connection to port {port}: {error}"
    return ""


def _http(port: int, path: str) -> str:
    connection = http.client.HTTPConnection(HOST, port, timeout=TIMEOUT)
    try:
        connection.request("GET", path, headers={"User-Agent": "uno-readiness", "Connection": "close"})
        status = connection.getresponse().status
    except ConnectionRefusedError:
        return _REFUSED
    except (OSError, http.client.HTTPException) as error:
        return f"no answer to {path} on port {port}: {str(error) or type(error).__name__}"
    finally:
        connection.close()
    return "" if 200 <= status < 300 else f"answers {status} to {path}"


def foreign(port: int, pid: int) -> str:
    """Who listens on the port instead of the instance; empty where it is the instance, or nobody can tell.

    A helper that was started after the instance (a container's port proxy) counts as the instance's.
    """
    try:
        instance = psutil.Process(pid)
        own = [instance, *instance.children(recursive=True)]
        if any(_listens(process, port) for process in own):
            return ""
        started = instance.create_time()
        for row in psutil.net_connections(kind="tcp"):
            if row.status == psutil.CONN_LISTEN and row.laddr and row.laddr.port == port and row.pid:
                other = psutil.Process(row.pid)
                if other.create_time() < started:
                    return f"{other.name()} (pid {other.pid})"
    except (psutil.Error, OSError):
        return ""
    return ""


def _listens(process: psutil.Process, port: int) -> bool:
    try:
        rows = process.net_connections(kind="tcp")
    except (psutil.Error, OSError):
        return False
    return any(row.status == psutil.CONN_LISTEN and row.laddr.port == port for row in rows)
