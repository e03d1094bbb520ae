"""Given machines behind a name in a real BIND, as many as a canary in tenths needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from attrs import define
from bind import NAME, Bind
from dialled import Dialled, asked
from placed import Placed, server_of

from tests.aws.hosts import VERSION, Hosts

PORT = 8080
"""At which the machines of `Hosts` listen."""


@define
class Machines(Placed):
    """Ten for each slot; all of them are asked at one port."""

    hosts: Hosts | None = None

    @classmethod
    def of(cls, bind: Bind, folder: Path, each: int = 10, **traffic: Any) -> Machines:
        """Nothing runs on them yet."""
        made = cls(folder, (bind.address, bind.port), port=PORT, hosts=Hosts(folder, each))
        assert made.hosts is not None
        made.config = {
            "application": "shop",
            "environment": "development",
            "platform": {"name": "dns", "command": list(made.hosts.command), "version_url": VERSION},
            "traffic": {
                "record": NAME, "ttl": "2s", "overstay": "1s",
                "addresses": {slot: list(found) for slot, found in made.hosts.targets.items()},
                "rfc2136": server_of(bind), **traffic,
            },
            "health": {"name": "http", "url": "http://{host}:8080/healthz"},
            "look_every": "1s",
            "strategies": {
                "blue-green": {"verify_for": "6s", "keep_old_for": "1s", "drain": "1s"},
                "canary": {
                    "initial_percentage": 10, "increments": [20, 50, 100], "increment_interval": "10s",
                    "keep_old_for": "1s", "drain": "1s",
                },
                "rolling": {"batch_size": 5},
            },
        }  # fmt: skip
        made.write()
        return made

    def share(self) -> float:
        """The part of the addresses that the name leads to that are green's."""
        values = asked(self.server, self.name)
        green = self.config["traffic"]["addresses"]["green"]
        return sum(value in green for value in values) / len(values)

    def first_of(self, load: Dialled, since: float, until: float) -> list[bool]:
        """Of each first answer in that time, whether it was green's."""
        green = self.config["traffic"]["addresses"]["green"]
        return [address in green for at, address in load.first if since <= at < until]

    def close(self) -> None:
        assert self.hosts is not None
        self.hosts.close()
