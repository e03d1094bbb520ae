"""An application in two places, a local platform for each slot, with a name before them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from attrs import define, field
from bind import KEY, NAME, SECRET, ZONE, Bind
from dialled import Dialled, asked
from shop import SAMPLE, Ended, ended, free_port

STRATEGIES = {
    "blue-green": {"verify_for": "6s", "keep_old_for": "1s", "drain": "1s"},
    "canary": {
        "initial_percentage": 50, "increments": [100], "increment_interval": "12s", "keep_old_for": "1s",
        "drain": "1s",
    },
}  # fmt: skip


@define
class Placed:
    """The application, with uno as somebody runs it. server: where clients ask for the name."""

    folder: Path
    server: tuple[str, int]
    name: str = NAME
    environ: Mapping[str, str] = field(factory=dict)
    config: dict[str, Any] = field(factory=dict)
    port: int = field(factory=free_port)

    @classmethod
    def behind(cls, bind: Bind, folder: Path, **traffic: Any) -> Placed:
        """With the name in a real BIND."""
        made = cls(folder, (bind.address, bind.port))
        made.configure(record=NAME, rfc2136=server_of(bind), **traffic)
        return made

    def configure(self, **traffic: Any) -> None:
        """Two places at addresses of their own on this machine, two instances each."""
        number = os.getpid() % 250
        listen = {"blue": f"127.91.{number}.1", "green": f"127.91.{number}.2"}
        self.config = {
            "application": "shop",
            "environment": "development",
            "platform": {
                "name": "local", "instances": 2, "command": SAMPLE, "grace": "5s",
                "root": str(self.folder / "blue"),
                "slots": {
                    slot: {"root": str(self.folder / slot), "traffic": {"listen": f"{address}:{self.port}"}}
                    for slot, address in listen.items()
                },
            },
            "traffic": {
                "name": "dns", "ttl": "2s", "overstay": "1s",
                "addresses": {slot: [address] for slot, address in listen.items()}, **traffic,
            },
            "health": {"name": "http", "url": "http://{host}:{port}/health"},
            "look_every": "1s",
            "strategies": STRATEGIES,
        }  # fmt: skip
        self.write()

    @property
    def addresses(self) -> dict[str, str]:
        """The address of each slot."""
        return {slot: found[0] for slot, found in self.config["traffic"]["addresses"].items()}

    def write(self) -> None:
        (self.folder / "uno.yaml").write_text(yaml.safe_dump(self.config))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        given = {**os.environ, **self.environ, "UNO_TSIG": SECRET, "HOME": str(self.folder)}
        given["XDG_STATE_HOME"] = ""
        given.pop("CI", None)
        return subprocess.Popen(
            [sys.executable, "-m", "uno_core", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, env=given, cwd=self.folder,
        )  # fmt: skip

    def uno(self, *arguments: str, code: int | None = 0) -> Ended:
        return ended(self.start(*arguments), code=code)

    def asking(self, strategy: str, version: str, *options: str) -> list[str]:
        pairs = [part for option in options for part in ("--option", f"strategy.{option}")]
        return ["deploy", "--strategy", strategy, "--version", version, *pairs]

    def deploy(self, strategy: str, version: str, *options: str, code: int | None = 0) -> Ended:
        return self.uno(*self.asking(strategy, version, *options), code=code)

    def plan(self, strategy: str, version: str) -> Any:
        """The document of a plan."""
        return self.uno("plan", "--strategy", strategy, "--version", version, "--output", "json").document

    def load(self, rate: float = 40.0) -> Dialled:
        """Requests of clients that ask the name server."""
        return Dialled(self.port, rate, server=self.server, name=self.name)

    def answered(self) -> set[str]:
        """The slots that the name leads to, by one answer."""
        values = asked(self.server, self.name)
        return {slot for slot, address in self.addresses.items() if address in values}

    def close(self) -> None:
        for slot in ("blue", "green"):
            self.uno("local", "down", "--root", str(self.folder / slot), code=None)


def server_of(bind: Bind) -> dict[str, Any]:
    """What uno is told of it."""
    return {
        "server": bind.address,
        "port": bind.port,
        "zone": ZONE,
        "key": KEY,
        "secret": "${UNO_TSIG}",
    }
