"""An application in two places, a local platform for each slot, with a name in a real BIND before them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from attrs import define, field
from bind import KEY, NAME, SECRET, ZONE, Bind
from dialled import Dialled
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
    """The application, with uno as somebody runs it. `server`: where uno finds the name server."""

    bind: Bind
    folder: Path
    config: dict[str, Any] = field(init=False)
    port: int = field(init=False, factory=free_port)

    @classmethod
    def make(cls, bind: Bind, folder: Path, *, command: list[str] = SAMPLE, **traffic: Any) -> Placed:
        """Two places at addresses of their own on this machine, two instances each."""
        made = cls(bind, folder)
        number = os.getpid() % 250
        listen = {"blue": f"127.91.{number}.1", "green": f"127.91.{number}.2"}
        server = {
            "server": bind.address,
            "port": bind.port,
            "zone": ZONE,
            "key": KEY,
            "secret": "${UNO_TSIG}",
        }
        made.config = {
            "application": "shop",
            "environment": "development",
            "platform": {
                "name": "local", "instances": 2, "command": command, "grace": "5s",
                "root": str(folder / "blue"),
                "slots": {
                    slot: {"root": str(folder / slot), "traffic": {"listen": f"{address}:{made.port}"}}
                    for slot, address in listen.items()
                },
            },
            "traffic": {
                "name": "dns", "record": NAME, "ttl": "2s", "overstay": "1s",
                "addresses": {slot: [address] for slot, address in listen.items()}, "rfc2136": server,
                **traffic,
            },
            "health": {"name": "http", "url": "http://{host}:{port}/health"},
            "look_every": "1s",
            "strategies": STRATEGIES,
        }  # fmt: skip
        made.write()
        return made

    @property
    def addresses(self) -> dict[str, str]:
        """The address of each slot."""
        return {slot: found[0] for slot, found in self.config["traffic"]["addresses"].items()}

    def write(self) -> None:
        (self.folder / "uno.yaml").write_text(yaml.safe_dump(self.config))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        given = {**os.environ, "UNO_TSIG": SECRET, "HOME": str(self.folder), "XDG_STATE_HOME": ""}
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
        return Dialled((self.bind.address, self.bind.port), NAME, self.port, rate)

    def answered(self) -> set[str]:
        """The slots that the name leads to."""
        values = set(self.bind.values("shop"))
        return {slot for slot, address in self.addresses.items() if address in values}

    def close(self) -> None:
        for slot in ("blue", "green"):
            self.uno("local", "down", "--root", str(self.folder / slot), code=None)


def journal(app: Placed) -> list[dict[str, Any]]:
    """The lines of the last deployment."""
    found: list[dict[str, Any]] = json.loads(app.uno("show", "--output", "json").out)["journal"]
    return found
