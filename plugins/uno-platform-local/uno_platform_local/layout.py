"""Where everything lies below an application's root."""

from __future__ import annotations

from pathlib import Path

from attrs import frozen

from uno_core import PlatformError, Slot


@frozen
class Layout:
    """The paths of one root. Only `make` touches the disk."""

    root: Path

    @classmethod
    def of(cls, root: str | Path) -> Layout:
        return cls(Path(root).expanduser().absolute())

    @property
    def state(self) -> Path:
        return self.root / "state"

    @property
    def lock(self) -> Path:
        """Held for the moment of a write to `desired` or `routes`."""
        return self.state / "local.lock"

    @property
    def start_lock(self) -> Path:
        """Held while supervisord is started or stopped, so that two never run."""
        return self.state / "local-start.lock"

    @property
    def desired(self) -> Path:
        return self.state / "desired.json"

    @property
    def status(self) -> Path:
        return self.state / "status.json"

    @property
    def mark(self) -> Path:
        """What a deployment says of itself while it is under way."""
        return self.state / "mark.json"

    @property
    def options(self) -> Path:
        return self.state / "options.json"

    @property
    def run(self) -> Path:
        """What is known of the supervisor: its socket, pid and start, Envoy's ports, the token."""
        return self.state / "run.json"

    @property
    def releases(self) -> Path:
        return self.state / "releases"

    @property
    def instances(self) -> Path:
        return self.state / "instances"

    @property
    def programs(self) -> Path:
        return self.state / "conf.d"

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def supervisor(self) -> Path:
        return self.state / "supervisord.conf"

    @property
    def envoy(self) -> Path:
        return self.state / "envoy"

    @property
    def boot(self) -> Path:
        return self.envoy / "boot.json"

    @property
    def clusters(self) -> Path:
        return self.envoy / "clusters" / "cds.json"

    @property
    def routes(self) -> Path:
        return self.envoy / "routes" / "rds.json"

    def endpoints(self, slot: Slot) -> Path:
        """One file per cluster, each in a directory of its own: Envoy refuses two resources in one file."""
        return self.envoy / slot.value / "eds.json"

    def make(self) -> None:
        """Make the directories, readable by this user only. Raises PlatformError: nothing was started."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            self.state.mkdir(mode=0o700, exist_ok=True)
            for path in (
                self.releases,
                self.instances,
                self.programs,
                self.logs,
                self.clusters.parent,
                self.routes.parent,
                *(self.endpoints(slot).parent for slot in Slot),
            ):
                path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise PlatformError(
                "the root of the application cannot be written",
                found=str(error),
                where=str(self.root),
                remedy="make it writable for this user, or choose another one: `platform: {root: …}`",
            ) from error
