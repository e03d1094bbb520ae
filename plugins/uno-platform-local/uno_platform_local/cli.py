"""`uno local`: what runs on this machine, brought up, taken down, and told of."""

from __future__ import annotations

import json
import shlex
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from uno_platform_local.options import DEFAULT_ROOT

F = TypeVar("F", bound=Callable[..., Any])

SCHEMA_VERSION = 1

_root = click.option(
    "--root",
    default=DEFAULT_ROOT,
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="The application's directory, as platform.root in its configuration.",
)


@click.group()
def local() -> None:
    """The processes and the proxy of the local platform."""


def _guarded(work: Callable[[], int]) -> None:
    """Run a command; an error that was understood is told without a traceback."""
    from uno_core import UnoError

    try:
        code = work()
    except UnoError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(error.exit_code)
    sys.exit(code)


@local.command()
@_root
@click.option("--output", type=click.Choice(["text", "json"]), default="text", help="json: one document.")
def status(root: Path, output: str) -> None:
    """What runs in each slot, its readiness, and the split. Exits 1 where something is not as wanted."""

    def work() -> int:
        document = _document(root)
        if output == "json":
            click.echo(json.dumps(document, indent=2))
        else:
            _show(document)
        return 0 if document["healthy"] else 1

    _guarded(work)


def _document(root: Path) -> dict[str, Any]:
    from uno_core import UnoError
    from uno_platform_local.daemon import read_settings, running
    from uno_platform_local.files import read_json
    from uno_platform_local.inspection import inspect
    from uno_platform_local.layout import Layout

    layout = Layout.of(root)
    settings = read_settings(layout)
    workload, router = inspect(layout)
    state, routed = workload.observe(), router.observe()
    try:
        in_force: Any = {slot.value: percent for slot, percent in router.in_force().items()}
    except UnoError as error:
        in_force = {}
        click.echo(f"{error}", err=True)
    slots = {
        slot.value: {
            "wanted": {release.version: n for release, n in one.wanted.items()},
            "instances": [
                {
                    "id": i.id,
                    "version": i.release.version,
                    "ready": i.ready,
                    "reason": i.reason,
                    "host": i.host,
                    "port": i.port,
                }
                for i in one.instances
            ],
        }
        for slot, one in state.slots.items()
    }
    alive = running(layout)
    split = {slot.value: percent for slot, percent in routed.split.items()}
    return {
        "schema_version": SCHEMA_VERSION,
        "root": str(layout.root),
        "application": settings.application if settings else None,
        "listen": settings.listen if settings else None,
        "admin": (read_json(layout.run) or {}).get("admin"),
        "running": alive,
        "healthy": alive and split == in_force and all(one.holds(one.wanted) for one in state.slots.values()),
        "split": split,
        "in_force": in_force,
        "slots": slots,
    }


def _show(document: dict[str, Any]) -> None:
    if not document["application"]:
        click.echo(f"nothing was ever deployed in {document['root']}")
        return
    state = "running" if document["running"] else "not running (bring it up: uno local up)"
    click.echo(f"{document['application']} at {document['listen'] or 'no address'}: {state}")
    for name, slot in document["slots"].items():
        share = document["split"].get(name, 0.0)
        wanted = ", ".join(f"{n} × {version}" for version, n in slot["wanted"].items()) or "empty"
        click.echo(f"  {name:5} {share:6.2f} %  {wanted}")
        for one in slot["instances"]:
            word = "ready" if one["ready"] else f"not ready: {one['reason']}"
            click.echo(f"    {one['id']:12} {one['version']:12} {one['host']}:{one['port']}  {word}")


@local.command()
@_root
@click.option("--foreground", is_flag=True, help="Stay, and take everything down at SIGTERM; for systemd.")
@click.option("--wait", "patience", default=60.0, show_default=True, help="Seconds to wait for readiness.")
def up(root: Path, foreground: bool, patience: float) -> None:
    """Bring back what was wanted last: the same releases, the same split, ready before they are routed to."""

    def work() -> int:
        from uno_core import ConfigError
        from uno_platform_local.companions import roots
        from uno_platform_local.daemon import prepare, read_settings, stop
        from uno_platform_local.inspection import inspect
        from uno_platform_local.layout import Layout

        layout = Layout.of(root)
        settings = read_settings(layout)
        if settings is None:
            raise ConfigError(
                "nothing was ever deployed here",
                where=str(layout.root),
                remedy="uno deploy, or name the application's directory with --root",
            )
        halt: list[int] = []
        if foreground:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda n, _frame: halt.append(n))
        for below in roots(layout):
            if (kept := read_settings(below)) is not None:
                prepare(below, kept)
        prepare(layout, settings)
        workload, _ = inspect(layout)
        end = time.monotonic() + patience
        unready = ""
        while time.monotonic() < end and not halt:
            slots = workload.observe().slots.values()
            if all(slot.holds(slot.wanted) for slot in slots):
                unready = ""
                break
            reasons = [slot.unready() for slot in slots]
            unready = "; ".join(filter(None, reasons)) or "instances are being started"
            time.sleep(0.05)
        if unready:
            click.echo(f"not ready: {unready}", err=True)
        else:
            where = f" at {settings.listen}" if settings.listen else ""
            click.echo(f"{settings.application} is up{where}")
        if not foreground:
            return 1 if unready else 0
        return _stay(layout, settings, halt, stop)

    _guarded(work)


def _stay(layout: Any, settings: Any, halt: list[int], stop: Callable[..., bool]) -> int:
    from uno_platform_local.companions import roots
    from uno_platform_local.daemon import running

    misses = 0
    while not halt:
        time.sleep(0.5)
        misses = 0 if running(layout) else misses + 1
        if misses >= 3:
            click.echo("the supervisor is gone", err=True)
            return 1
    for below in roots(layout):
        stop(below, patience=settings.drain_timeout)
    stop(layout, patience=settings.drain_timeout)
    return 0


@local.command()
@_root
def down(root: Path) -> None:
    """Stop everything: requests under way end first. `up` brings the same back."""

    def work() -> int:
        from uno_platform_local.companions import roots
        from uno_platform_local.daemon import read_settings, stop
        from uno_platform_local.layout import Layout

        layout = Layout.of(root)
        settings = read_settings(layout)
        for below in roots(layout):
            stop(below, patience=30.0)
        ran = stop(layout, patience=settings.drain_timeout if settings else 30.0)
        click.echo("everything is stopped" if ran else "nothing was running")
        return 0

    _guarded(work)


@local.command()
@_root
@click.option("--lines", "-n", default=20, show_default=True, help="Lines of each log.")
@click.argument("name", required=False)
def logs(root: Path, lines: int, name: str | None) -> None:
    """The last lines of one log (an instance's, agent, envoy, supervisord), or of those of all instances."""

    def work() -> int:
        from uno_core import ConfigError
        from uno_platform_local.layout import Layout

        layout = Layout.of(root)
        paths = sorted(layout.logs.glob("*.log"))
        chosen = [p for p in paths if (p.stem == name if name else "-" in p.stem)]
        if name and not chosen:
            raise ConfigError(
                f"there is no log of {name}",
                expected="one of " + ", ".join(p.stem for p in paths),
                where=str(layout.logs),
            )
        for path in chosen:
            click.echo(f"==> {path.stem} <==")
            for row in path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]:
                click.echo(row)
        return 0

    _guarded(work)


@local.command()
@_root
def install(root: Path) -> None:
    """Print a systemd unit that brings the application back after a reboot."""
    import getpass

    from uno_platform_local.layout import Layout

    layout = Layout.of(root)
    command = shlex.join(
        [sys.executable, "-m", "uno_platform_local", "up", "--foreground", "--root", str(layout.root)]
    ).replace("%", "%%")
    click.echo(
        f"# save as /etc/systemd/system/uno-{layout.root.name.strip('.')}.service, then:\n"
        f"# systemctl daemon-reload && systemctl enable uno-{layout.root.name.strip('.')}\n"
        "[Unit]\n"
        f"Description=uno: the application in {layout.root}\n"
        "After=network-online.target\nWants=network-online.target\n\n"
        "[Service]\n"
        f"User={getpass.getuser()}\n"
        f"ExecStart={command}\n"
        "KillMode=mixed\nTimeoutStopSec=120\nRestart=on-failure\n\n"
        "[Install]\nWantedBy=multi-user.target"
    )
