"""The apiserver's audit log: who asked for what, and how often."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from attrs import define, field, frozen


@frozen
class Request:
    """One request; a watch counts as one however long it lasts."""

    agent: str
    user: str
    verb: str
    resource: str
    """Such as `deployments`, or `pods/log`; empty for what is no resource."""
    namespace: str
    name: str
    code: int


@define
class Audit:
    """Reads what was written since the last `mark`."""

    path: Path
    _from: int = field(init=False, default=0)

    def mark(self) -> None:
        self._from = self.path.stat().st_size if self.path.exists() else 0

    def requests(self, agent: str = "", namespace: str = "") -> list[Request]:
        """Those of agents whose name begins so, in that namespace; in order."""
        found: dict[str, Request] = {}
        for row in self._rows():
            ref = row.get("objectRef", {})
            one = Request(
                agent=row.get("userAgent", ""),
                user=row["user"].get("username", ""),
                verb=row["verb"],
                resource="/".join(filter(None, (ref.get("resource"), ref.get("subresource")))),
                namespace=ref.get("namespace", ""),
                name=ref.get("name", ""),
                code=row.get("responseStatus", {}).get("code", 0),
            )
            if one.agent.startswith(agent) and namespace in ("", one.namespace):
                found[row["auditID"]] = one
        return list(found.values())

    def counted(self, agent: str = "", namespace: str = "") -> Counter[tuple[str, str]]:
        """How many, by verb and resource."""
        return Counter((one.verb, one.resource) for one in self.requests(agent, namespace))

    def _rows(self) -> Iterator[dict]:
        with self.path.open("rb") as file:
            file.seek(max(0, self._from - 1))
            if self._from and file.read(1) != b"\n":
                file.readline()  # was being written at that moment
            for line in file:
                if line.endswith(b"\n"):
                    yield json.loads(line)
