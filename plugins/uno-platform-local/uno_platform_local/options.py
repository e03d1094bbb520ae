"""What is configured of the local platform. Imports no SDK: it is read whenever options are checked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from attrs import frozen

from uno_core import option

DEFAULT_ROOT = ".uno-local"


@frozen(kw_only=True)
class LocalTraffic:
    """The proxy in front of the slots."""

    listen: str = option(default="127.0.0.1:8080", help="where clients connect, host:port")
    slot_hosts: str | None = option(
        default=None, help="host names that reach one slot whatever its share: shop-{slot}.example.com"
    )
    timeout: float = option(
        default=15.0, unit="s", ge=0, help="the longest that a request takes; 0: no limit"
    )

    def __attrs_post_init__(self) -> None:
        host, _, port = self.listen.rpartition(":")
        if not host or not port.isdigit() or not 0 < int(port) < 65536:
            raise ValueError(f"listen = {self.listen}: expected host:port, such as 127.0.0.1:8080")


@frozen(kw_only=True)
class LocalCompanion:
    """A program that gets the same release beside the slots: a worker, a scheduler."""

    command: tuple[str, ...] = option(
        help="argument list that starts it, from the release's directory; {port} and {version} are filled in"
    )
    instances: int = option(default=1, ge=1, help="how many of it run")
    env: Mapping[str, str] = option(factory=dict, help="environment variables beside the application's")
    readiness: str = option(
        default="none", help="a path that answers 2xx when ready; none: runs for 1 s; tcp: it accepts TCP"
    )
    grace: float = option(default=30.0, unit="s", ge=0, help="from SIGTERM to SIGKILL")


@frozen(kw_only=True)
class LocalOptions:
    """One application on this machine."""

    root: Path = option(
        default=Path(DEFAULT_ROOT), help="the directory of the application; its state lies below it"
    )
    artifact: str | None = option(
        default=None, help="the directory of a release, relative to root, such as releases/{version}"
    )
    instances: int = option(default=1, ge=1, help="instances when one slot carries all traffic")
    command: tuple[str, ...] = option(
        help="argument list that starts an instance; {port}, {version} and {slot} are filled in", release=True
    )
    env: Mapping[str, str] = option(factory=dict, help="environment variables of an instance", release=True)
    env_file: str | None = option(default=None, help="a file of NAME=value lines, for secrets", release=True)
    working_directory: str | None = option(
        default=None, help="where an instance starts; by default its artifact, else root", release=True
    )
    readiness: str | None = option(
        default=None,
        help="a path that answers 2xx when ready; none: runs for 1 s; tcp: it accepts TCP; by default tcp"
        " with traffic, and none without",
    )
    grace: float = option(default=30.0, unit="s", ge=0, help="from SIGTERM to SIGKILL")
    drain: float = option(default=1.0, unit="s", ge=0, help="from out of the proxy to SIGTERM, at least")
    drain_timeout: float = option(
        default=30.0, unit="s", ge=0, help="the longest wait for requests under way before SIGTERM"
    )
    log_size: int = option(
        default=10_000_000, ge=1_000, help="bytes of an instance's log before it is rotated"
    )
    log_backups: int = option(default=3, ge=0, help="rotated logs that are kept of an instance")
    traffic: LocalTraffic = option(factory=LocalTraffic, help="the proxy in front of the slots")
    companions: Mapping[str, LocalCompanion] = option(
        factory=dict, help="programs that can be named under `companions`, each by its name"
    )
