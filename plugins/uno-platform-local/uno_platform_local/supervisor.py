"""supervisord: asked over its unix socket, every call bounded in time."""

from __future__ import annotations

import http.client
import json
import math
import shlex
import socket
import xmlrpc.client
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import frozen

from uno_core import PlatformError


class NotRunning(PlatformError):
    """The supervisor does not answer: nothing was asked of it."""


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__()
        self._path = path
        self._timeout = timeout

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        connection = _Connection(self._path, self._timeout)
        self._connection = host, connection  # where `close` looks for it
        return connection


@frozen
class Process:
    """What supervisord knows of one program."""

    name: str
    pid: int
    state: str
    exit: int
    error: str
    started: int
    stopped: int

    @property
    def alive(self) -> bool:
        return self.pid > 0 and self.state in {"STARTING", "RUNNING", "STOPPING"}

    @property
    def down(self) -> bool:
        return self.state in {"STOPPED", "EXITED", "FATAL", "UNKNOWN"}


@frozen
class Supervisor:
    """The calls that are needed of supervisord. Each raises NotRunning where it does not answer."""

    path: str
    timeout: float = 5.0

    def _call(self, method: str, *arguments: Any) -> Any:
        transport = _Transport(self.path, self.timeout)
        proxy = xmlrpc.client.ServerProxy("http://localhost", transport=transport, allow_none=True)
        try:
            return getattr(proxy, method)(*arguments)
        except (OSError, http.client.HTTPException, xmlrpc.client.ProtocolError) as error:
            raise NotRunning(
                "the supervisor does not answer",
                found=str(error) or type(error).__name__,
                where=self.path,
                remedy="uno local up",
            ) from error
        finally:
            transport.close()

    def pid(self) -> int:
        return int(self._call("supervisor.getPID"))

    def processes(self) -> Mapping[str, Process]:
        rows = self._call("supervisor.getAllProcessInfo")
        return {
            row["name"]: Process(
                row["name"],
                row["pid"],
                row["statename"],
                row["exitstatus"],
                row["spawnerr"],
                row["start"],
                row["stop"],
            )
            for row in rows
        }

    def reread(self) -> None:
        """Let it read its configuration files again; nothing starts or stops by that."""
        self._call("supervisor.reloadConfig")

    def add(self, name: str) -> None:
        """Take up a program that was reread. Idempotent."""
        self._tolerating("ALREADY_ADDED", "supervisor.addProcessGroup", name)

    def start(self, name: str) -> None:
        """Idempotent; returns at once."""
        self._tolerating("ALREADY_STARTED", "supervisor.startProcess", name, False)

    def stop(self, name: str) -> None:
        """SIGTERM, later SIGKILL; returns at once. Idempotent."""
        self._tolerating("NOT_RUNNING BAD_NAME", "supervisor.stopProcess", name, False)

    def remove(self, name: str) -> None:
        """Forget a stopped program. Idempotent."""
        self._tolerating("BAD_NAME", "supervisor.removeProcessGroup", name)

    def shutdown(self) -> None:
        self._call("supervisor.shutdown")

    def _tolerating(self, faults: str, method: str, *arguments: Any) -> None:
        try:
            self._call(method, *arguments)
        except xmlrpc.client.Fault as fault:
            name = fault.faultString.partition(":")[0]
            if name not in faults.split():
                raise PlatformError(
                    "the supervisor refused", found=fault.faultString, where=f"{method}{arguments}"
                ) from fault


def quoted(*arguments: str | Path) -> str:
    """A command as supervisor's configuration wants it."""
    return shlex.join(str(a) for a in arguments).replace("%", "%%")


def section(name: str, command: str, **values: str | float | bool) -> str:
    """One `[program:…]` section."""
    rows = {"command": command, **values}
    text = "\n".join(f"{key}={_plain(value)}" for key, value in rows.items())
    return f"[program:{name}]\n{text}\n"


def _plain(value: str | float | bool) -> str:
    if isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, float):
        return str(math.ceil(value))  # supervisor counts whole seconds
    return str(value)
