"""How a configuration for this machine is begun, from what is around in a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from uno_core import PlatformError, Sketch, Surroundings
from uno_platform_local import ports
from uno_platform_local.daemon import Settings, read_settings
from uno_platform_local.layout import Layout
from uno_platform_local.options import DEFAULT_ROOT

FIRST, LAST = 8080, 8180
RELEASES = "releases"


def sketch(around: Surroundings) -> Sketch:
    """Reads only. Where the platform runs below this folder already, its own settings are taken."""
    before = _before(around.folder)
    key = f"-{around.environment}"
    running = before.application.removesuffix(key) if before and before.application.endswith(key) else ""
    mine = before if running == around.application else None
    root = DEFAULT_ROOT if before is None or mine else f"{DEFAULT_ROOT}-{around.application}{key}"
    releases = around.releases or RELEASES
    listen = around.listen or (mine.listen if mine else "") or f"127.0.0.1:{_free_port()}"
    return Sketch(
        options={
            "root": root,
            "artifact": f"../{releases}/{{version}}",
            "instances": mine.instances if mine else 2,
            "command": list(around.command),
        },
        traffic={"listen": listen},
        notes={
            "root": "what the platform keeps: logs, state, journal; nothing for git",
            "artifact": "the folder of a release, relative to root",
            "instances": "when one slot carries all traffic",
            "command": _about(around.command),
            "traffic.listen": "where clients connect; 0.0.0.0:PORT for those of other machines",
        },
        needs=("command",),
        instance_url="http://{host}:{port}",
        running=running,
        uses=("procfile", "package.json", "pyproject", "dockerfile", "compose", "releases"),
        next=_next(around),
    )


def _before(folder: Path) -> Settings | None:
    try:
        return read_settings(Layout.of(folder / DEFAULT_ROOT))
    except (PlatformError, TypeError):  # not to be read, or of another version: begun anew beside it
        return None


def _free_port() -> int:
    """The first port from 8080 on that nobody listens on."""
    free = (port for port in range(FIRST, LAST) if not ports.taken("127.0.0.1", port))
    return next(free, FIRST)


def _about(command: Sequence[str]) -> str:
    if any("{port}" in word for word in command):
        return "starts an instance, in the folder of its release"
    return "starts an instance, in the folder of its release; its port is in the variable PORT"


def _next(around: Surroundings) -> Sequence[str]:
    if around.releases:
        return ()
    return (f"put each release into a folder of its own: {RELEASES}/VERSION",)
